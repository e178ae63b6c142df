// SPDX-License-Identifier: Apache-2.0
// Python's values as templates see them, in 16 bytes each. All objects live in one Heap (a bump allocator under a
// cap) that is dropped whole after rendering: nothing is counted or collected. Strings know, byte by byte where it
// differs, whether they came from the template or from the input.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/containers.h"
#include "base/error.h"
#include "base/memory.h"

namespace inlay::text::jinja {

class Heap {
public:
    Heap(Memory &m, uint64_t limit) : memory_(&m), limit_(limit), chunks_(Alloc<Chunk>(m, MemTag::text)) {}
    Heap(const Heap &) = delete;
    Heap &operator=(const Heap &) = delete;
    ~Heap();
    void *bytes(size_t n, size_t align = 8) {
        char *p = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(at_) + align - 1) & ~(align - 1));
        if (p && n <= static_cast<size_t>(end_ - at_) && static_cast<size_t>(p - at_) + n <= static_cast<size_t>(end_ - at_)) {
            at_ = p + n;
            return p;
        }
        return grow(n, align);
    }
    template <class T>
    T *make() { return new (bytes(sizeof(T), alignof(T))) T(); }
    template <class T>
    T *array(size_t n) { return static_cast<T *>(bytes(n * sizeof(T), alignof(T))); }
    Memory &memory() const noexcept { return *memory_; }

private:
    struct Chunk {
        char *data;
        size_t size;
    };
    void *grow(size_t n, size_t align);
    Memory *memory_;
    uint64_t limit_, used_ = 0;
    Vector<Chunk> chunks_;
    char *at_ = nullptr, *end_ = nullptr;
};

enum class Kind : uint8_t {
    missing, undefined, none, boolean, integer, floating, bigint, string, list, tuple, dict, range, view, iterator,
    slice, space, macro, loop, method, function, cycler, joiner,
};

struct Buf;  // growing text behind a Str, shared by the concatenations that extend it

struct Str {
    const char *data = "";
    const uint8_t *shadow = nullptr;  // per byte: 1 = from the input; null = all as `user`
    Buf *buf = nullptr;
    uint32_t size = 0;
    mutable uint32_t chars = UINT32_MAX;  // UINT32_MAX = not counted yet (never so for a shared constant)
    bool user = false;
    bool markup = false;  // Markup of |safe and |escape: `+` escapes what it is joined with
    std::string_view view() const noexcept { return {data, size}; }
};

struct Value;
struct List;
struct Dict;
struct BigInt;
struct Range;
struct View;
struct Iterator;
struct Slice;
struct Macro;
struct Loop;
struct Method;
struct Cycler;
struct Joiner;
struct UndefinedInfo;

struct Value {
    Kind kind = Kind::missing;
    union {
        bool b;
        int64_t i;
        double f;
        const Str *s;
        List *list;
        Dict *dict;  // dict and namespace
        const BigInt *big;
        Range *range;
        View *view;
        Iterator *iter;
        Slice *slice;
        Macro *macro;
        Loop *loop;
        Method *method;
        Cycler *cycler;
        Joiner *joiner;
        const UndefinedInfo *undef;
    };
    Value() : i(0) {}
    static Value none() { return of(Kind::none); }
    static Value of(Kind k) {
        Value v;
        v.kind = k;
        return v;
    }
    static Value boolean(bool x) {
        Value v = of(Kind::boolean);
        v.i = 0;
        v.b = x;
        return v;
    }
    static Value integer(int64_t x) {
        Value v = of(Kind::integer);
        v.i = x;
        return v;
    }
    static Value floating(double x) {
        Value v = of(Kind::floating);
        v.f = x;
        return v;
    }
    static Value string(const Str *x) {
        Value v = of(Kind::string);
        v.s = x;
        return v;
    }
    static Value of(List *x, Kind k = Kind::list) {
        Value v = of(k);
        v.list = x;
        return v;
    }
    static Value of(Dict *x, Kind k = Kind::dict) {
        Value v = of(k);
        v.dict = x;
        return v;
    }
    bool is(Kind k) const noexcept { return kind == k; }
    bool is_missing() const noexcept { return kind == Kind::missing; }
    bool is_undefined() const noexcept { return kind == Kind::undefined; }
    bool is_none() const noexcept { return kind == Kind::none; }
    bool is_string() const noexcept { return kind == Kind::string; }
    bool is_int() const noexcept { return kind == Kind::integer || kind == Kind::boolean || kind == Kind::bigint; }
    bool is_number() const noexcept { return is_int() || kind == Kind::floating; }
    bool is_array() const noexcept { return kind == Kind::list || kind == Kind::tuple; }
    int64_t small() const noexcept { return kind == Kind::boolean ? b : i; }  // integer or boolean
};
static_assert(sizeof(Value) == 16);

struct List {  // list or tuple, by the kind of the Value; a namedtuple of groupby has named = true
    Value *data = nullptr;
    uint32_t size = 0, capacity = 0;
    bool named = false;
};

struct DictEntry {
    Value key, value;
    uint64_t hash;
};
struct Dict {  // insertion order; `index` is open addressing over entries once there are more than 8
    DictEntry *entries = nullptr;
    uint32_t size = 0, capacity = 0;
    uint32_t *index = nullptr;
    uint32_t index_mask = 0;
};

struct UndefinedInfo {  // what an undefined value says when it is used
    std::string_view message;  // the whole text; where empty, made of the fields below
    std::string_view owner;    // "dict object" of a missing attribute or element
    Value key;                 // the name or key that is missing
    bool security = false;
};

struct BigInt {  // magnitude in base 2^32, least first, no leading zeros
    const uint32_t *limbs = nullptr;
    uint32_t n = 0;
    bool negative = false;
};
struct Range {
    int64_t start = 0, stop = 0, step = 1, length = 0;
};
enum class ViewKind : uint8_t { keys, values, items };
struct View {
    Dict *dict = nullptr;
    ViewKind kind = ViewKind::keys;
};
struct Slice {
    Value start, stop, step;
};
struct Method {  // a bound method: `id` is the row of the method table
    Value self;
    uint16_t id = 0;
};
struct Cycler {
    List *items = nullptr;
    uint32_t pos = 0;
};
struct Joiner {
    Value sep;
    bool used = false;
};

// What iter() walks over. `source` decides; generators made by filters pull from another iterator and apply a step.
enum class Step : uint8_t { none, map_filter, map_attribute, select, batch, unique, slices, items };
struct Iterator {
    Value source;          // list, tuple, dict (keys), string, range, view, iterator; undefined = empty
    uint64_t pos = 0;      // item, or byte for strings
    bool reversed = false;
    bool generator = false;  // a Python generator or iterator object: it is used up once
    uint16_t depth = 0;      // generators stacked on each other
    Step step = Step::none;
    bool negate = false, by_attribute = false, case_sensitive = false, started = false;
    uint16_t filter = 0;     // row of the filter or test table
    bool has_filter = false;
    uint32_t dict_size = 0;  // to see a dict that changed while walked (extended mode)
    const char *name = "generator";
    Value a, b;              // attribute, default / fill
    List *args = nullptr;
    Dict *kwargs = nullptr;
    List *rest = nullptr;    // ready items
};

struct Activation {  // the variables of one running function: root, macro, call block, recursive loop, loop filter
    Activation *parent = nullptr;
    Value *slots = nullptr;
};

struct FunctionCode;
struct Macro {
    const FunctionCode *code = nullptr;
    Activation *scope = nullptr;
};
struct Loop {
    Iterator *iter = nullptr;
    Value iterable;                // for len()
    const FunctionCode *filter = nullptr;
    const FunctionCode *recurse = nullptr;
    Activation *scope = nullptr;   // where filter and recurse were defined
    int64_t index0 = -1, depth0 = 0, length = -1;
    Value before, current, changed;
    List *ahead = nullptr;         // items pulled early, filtered
    uint32_t ahead_pos = 0;
    int32_t slot = -1;             // of the variable `loop`
    bool exhausted = false, has_changed = false;
    bool ran = false;              // one pass came to its end
};

}  // namespace inlay::text::jinja
