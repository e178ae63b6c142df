// SPDX-License-Identifier: Apache-2.0
// One rendering's state, and every operation on values that expressions, filters, tests and methods are made of.
// Nothing here recurses deeper than a fixed small count: nested values are walked with stacks on the heap.
#pragma once

#include "base/limits.h"
#include "io/json.h"
#include "text/jinja/value.h"
#include "text/template_types.h"

namespace inlay::text::jinja {

// A fault of the template's own making, on its way to the caller of render().
struct Failure {
    TemplateFault fault;
    String text;
};

struct Rt {
    Rt(Memory &m, const Limits &l) : heap(m, l.template_heap_bytes), limits(l), fuel(l.template_fuel) {}
    Heap heap;
    const Limits &limits;
    uint64_t fuel;
    int native_depth = 0;
    bool extended = false;
    CivilTime now;
    void charge(uint64_t n) {
        if (n > fuel) out_of_fuel();
        fuel -= n;
    }
    [[noreturn]] void out_of_fuel() const;
};

namespace detail {
inline void put(String &s, std::string_view v) { s.append(v); }
inline void put(String &s, const Str *v) { s.append(v->view()); }
void put(String &s, int64_t v);
}  // namespace detail
[[noreturn]] void throw_text(TemplateFault fault, String &&text);
template <class... P>
[[noreturn, gnu::noinline, gnu::cold]] void throw_fault(Rt &rt, TemplateFault fault, const P &...parts) {
    String s{Alloc<char>(rt.heap.memory(), MemTag::text)};
    (detail::put(s, parts), ...);
    throw_text(fault, std::move(s));
}
template <class... P>
[[noreturn]] void type_error(Rt &rt, const P &...parts) {
    throw_fault(rt, TemplateFault::type, parts...);
}

// ---- text ----
struct Buf {
    char *data = nullptr;
    uint8_t *shadow = nullptr;
    uint32_t used = 0, capacity = 0;
    bool user = false;
};
// Builds a Str piece by piece; where pieces of both origins meet it begins to keep one origin byte a byte.
class Text {
public:
    explicit Text(Rt &rt, size_t reserve = 0);
    Text(Rt &rt, Buf *buf) : rt_(&rt), buf_(buf) {}
    void add(const char *p, size_t n, bool user);
    void add(std::string_view s, bool user = false) { add(s.data(), s.size(), user); }
    void add(const Str *s) { add(*s); }
    void add(const Str &s);
    void add_slice(const Str &s, size_t begin, size_t end);
    void add(char c, bool user = false) { add(&c, 1, user); }
    void add_char(uint32_t cp, bool user);
    size_t size() const noexcept { return buf_->used; }
    const Str *done();

private:
    void room(size_t n);
    void mix();
    Rt *rt_;
    Buf *buf_;
};
const Str *new_str(Rt &rt, std::string_view s, bool user);       // copies
const Str *wrap_str(Rt &rt, std::string_view s, bool user);      // borrows: s outlives the rendering
const Str *sub_str(Rt &rt, const Str *s, size_t begin, size_t end);  // bytes
const Str *as_markup(Rt &rt, const Str *s, bool markup);
const Str *concat(Rt &rt, const Str *a, const Str *b);
const Str *escape_html(Rt &rt, const Str *s);
inline bool any_user(const Str &s) {
    return s.shadow ? std::memchr(s.shadow, 1, s.size) != nullptr : s.user;
}
inline size_t char_count(const Str &s);
size_t count_and_cache(const Str &s);
inline size_t char_count(const Str &s) { return s.chars != UINT32_MAX ? s.chars : count_and_cache(s); }
inline bool is_ascii(const Str &s) { return char_count(s) == s.size; }
inline Value str_value(const Str *s) { return Value::string(s); }
inline Value literal(Rt &rt, std::string_view s) { return Value::string(wrap_str(rt, s, false)); }

// ---- values ----
std::string_view type_name(const Value &v);
bool truthy(Rt &rt, const Value &v);
const Str *to_str(Rt &rt, const Value &v);
void repr(Rt &rt, Text &out, const Value &v, bool ascii = false);
void repr_str(Text &out, const Str &s, bool ascii = false);
bool equal(Rt &rt, const Value &a, const Value &b);
enum class Cmp : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };
bool compare(Rt &rt, Cmp op, const Value &a, const Value &b);
bool contains(Rt &rt, const Value &container, const Value &item);
uint64_t hash_value(Rt &rt, const Value &v);
int64_t length_of(Rt &rt, const Value &v);
Value undefined(Rt &rt, std::string_view message, bool security = false);
Value undefined_name(Rt &rt, std::string_view name);
[[noreturn]] void use_undefined(Rt &rt, const Value &v);

List *new_list(Rt &rt, size_t capacity = 0);
void push(Rt &rt, List *list, const Value &v);
Value new_tuple(Rt &rt, std::initializer_list<Value> items);
Dict *new_dict(Rt &rt);
const Value *dict_find(Rt &rt, const Dict *d, const Value &key);
const Value *dict_find(const Dict *d, std::string_view key);
void dict_set(Rt &rt, Dict *d, const Value &key, const Value &value);
bool dict_remove(Rt &rt, Dict *d, const Value &key, Value *out);
Value from_json(Rt &rt, const io::Json &j, bool user);

enum class BinOp : uint8_t { add, sub, mul, div, floordiv, mod, pow };
Value binary(Rt &rt, BinOp op, const Value &a, const Value &b);
Value negate(Rt &rt, const Value &v, bool minus);
Value get_attr(Rt &rt, const Value &obj, const Str *name);
Value get_item(Rt &rt, const Value &obj, const Value &key);
bool has_attribute(Rt &rt, const Value &obj, std::string_view name);
struct SliceBounds {
    int64_t start, stop, step, count;
};
SliceBounds slice_bounds(Rt &rt, const Slice &s, int64_t length);
Value slice_of(Rt &rt, const Value &obj, const Slice &s);
int64_t need_index(Rt &rt, const Value &v, std::string_view what);  // an int for Python's index protocol, else TypeError

Iterator *iterate(Rt &rt, const Value &v);
bool next(Rt &rt, Iterator *it, Value *out);
List *to_list(Rt &rt, const Value &v);
Iterator *generator(Rt &rt, const Value &source, Step step, std::string_view name = "generator");

// ---- numbers ----
Value int_from_text(Rt &rt, std::string_view digits, int base, bool *ok);  // plain digits with sign, no underscores
Value big_binary(Rt &rt, BinOp op, const Value &a, const Value &b);        // ints of any size
double big_true_div(Rt &rt, const Value &a, const Value &b);
int big_compare(const Value &a, const Value &b);
double to_double(Rt &rt, const Value &v);  // any number
void int_to_text(Rt &rt, Text &out, const Value &v, int base = 10, bool upper = false);  // with sign, no prefix
void float_to_text(String &out, double v);                  // Python's repr
std::string_view float_repr(double v, char (&buf)[40]);
Value float_to_int(Rt &rt, double v);
bool parse_python_int(Rt &rt, const Str &s, int base, Value *out);
bool parse_python_float(std::string_view s, double *out);
void format_fixed(String &out, double v, char kind, int precision, bool alternate);  // 'f' 'e' 'g' (upper too), no sign handling of +
Value round_value(Rt &rt, const Value &v, const Value &digits);

// ---- calls ----
struct Args {
    const Value *pos = nullptr;
    uint32_t n_pos = 0;
    const Str *const *kw_names = nullptr;
    const Value *kw = nullptr;
    uint32_t n_kw = 0;
};
// Python's binding of arguments to the parameters "a b c", the first `required` of which have no default.
void bind(Rt &rt, std::string_view function, std::string_view params, int required, bool positional_only, const Args &args, Value *out);

int find_filter(std::string_view name);
int find_test(std::string_view name);
int find_method(const Value &self, std::string_view name);
int find_global(std::string_view name);
Value apply_filter(Rt &rt, int id, const Value &v, const Args &args);
bool apply_test(Rt &rt, int id, const Value &v, const Args &args);
Value call_method(Rt &rt, const Method &m, const Args &args);
bool method_mutates(int id);
std::string_view method_name(int id);
Value call_global(Rt &rt, int id, const Args &args);
std::string_view global_name(int id);
bool callable(const Value &v);

Value percent_format(Rt &rt, const Str *format, const Value &args);
const Str *brace_format(Rt &rt, const Str *format, const Args &args, const Value *mapping);
void format_spec(Rt &rt, Text &out, const Value &v, const Str &spec);
Value json_dumps(Rt &rt, const Value &v, bool ensure_ascii, const Value &indent, const Value &separators, bool sort_keys);
const Str *format_time(Rt &rt, const Str &format);
const Str *case_map(Rt &rt, const Str *s, int how);  // 0 upper, 1 lower, 2 title, 3 capitalize, 4 swapcase
const Str *strip(Rt &rt, const Str *s, const Value &chars, int sides);  // 1 left, 2 right, 3 both
const Str *replace(Rt &rt, const Str *s, const Str *from, const Str *to, int64_t count);
List *split_lines(Rt &rt, const Str *s, bool keep_ends);
List *split_text(Rt &rt, const Str *s, const Value &sep, int64_t max, bool from_right);
const Str *join(Rt &rt, const Str *sep, const Value &items, bool to_text);
const Str *reverse_str(Rt &rt, const Str *s);
const Str *center(Rt &rt, const Str *s, int64_t width, const Str *fill, int how);  // how: 0 center 1 left-justify 2 right-justify

struct NativeDepth {
    explicit NativeDepth(Rt &rt);
    ~NativeDepth() { --rt_.native_depth; }
    Rt &rt_;
};

}  // namespace inlay::text::jinja
