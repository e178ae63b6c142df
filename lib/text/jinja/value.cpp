// SPDX-License-Identifier: Apache-2.0
// The heap, the text builder, lists, dicts and the conversion of JSON input.
#include "text/jinja/value.h"

#include <algorithm>

#include "base/hash.h"
#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace inlay::text::jinja {

Heap::~Heap() {
    for (Chunk &c : chunks_) memory_->release(c.data, c.size, 16, MemTag::text);
}

void *Heap::grow(size_t n, size_t align) {
    // Chunks double up to 1 MiB, so a small template pays one small block and a large one few calls.
    size_t size = std::min<size_t>(size_t{16384} << std::min<size_t>(chunks_.size(), 6), size_t{1} << 20);
    if (n > (uint64_t{1} << 40) || used_ + n > limit_)
        fail(Code::limit, "template needs ", used_ + n, " bytes of heap, limit ", limit_);
    if (n + 16 > size) size = n + 16;
    if (used_ + size > limit_) size = std::max<size_t>(n + 16, static_cast<size_t>(limit_ - used_));
    chunks_.reserve(chunks_.size() + 1);
    char *data = static_cast<char *>(memory_->allocate(size, 16, MemTag::text));
    chunks_.push_back({data, size});
    used_ += size;
    if (n * 4 > size && at_ && static_cast<size_t>(end_ - at_) > size - n) return data;  // keep the roomier chunk open
    at_ = data;
    end_ = data + size;
    return bytes(n, align);
}

void Rt::out_of_fuel() const { fail(Code::limit, "template ran ", limits.template_fuel, " operations, limit ", limits.template_fuel); }

void detail::put(String &s, int64_t v) {
    Message m;
    m << v;
    s.append(m.view());
}

void throw_text(TemplateFault fault, String &&text) { throw Failure{fault, std::move(text)}; }

NativeDepth::NativeDepth(Rt &rt) : rt_(rt) {
    // Filters that call filters (map('map', ...)): each level is a C frame, so it has a small cap of its own.
    if (++rt.native_depth > 24) {
        --rt.native_depth;
        fail(Code::limit, "template nests filters 25 deep, limit 24");
    }
}

// ---- text ----

namespace {
uint8_t *shadow_array(Rt &rt, size_t n) { return static_cast<uint8_t *>(rt.heap.bytes(n, 1)); }
}  // namespace

Text::Text(Rt &rt, size_t reserve) : rt_(&rt), buf_(rt.heap.make<Buf>()) {
    if (reserve) room(reserve);
}

void Text::room(size_t n) {
    size_t need = buf_->used + n;
    if (need <= buf_->capacity) return;
    if (need > UINT32_MAX / 2) fail(Code::limit, "template makes a string of ", need, " bytes");
    size_t capacity = std::max<size_t>({need, size_t{buf_->capacity} * 2, 32});
    char *data = static_cast<char *>(rt_->heap.bytes(capacity, 1));
    if (buf_->used) std::memcpy(data, buf_->data, buf_->used);
    buf_->data = data;
    if (buf_->shadow) {
        uint8_t *shadow = shadow_array(*rt_, capacity);
        std::memcpy(shadow, buf_->shadow, buf_->used);
        buf_->shadow = shadow;
    }
    buf_->capacity = static_cast<uint32_t>(capacity);
}

void Text::mix() {
    buf_->shadow = shadow_array(*rt_, std::max<uint32_t>(buf_->capacity, 1));
    std::memset(buf_->shadow, buf_->user ? 1 : 0, buf_->used);
}

void Text::add(const char *p, size_t n, bool user) {
    if (n == 0) return;
    rt_->charge(n >> 4);
    room(n);
    if (buf_->used == 0 && !buf_->shadow) buf_->user = user;
    else if (!buf_->shadow && buf_->user != user) mix();
    std::memcpy(buf_->data + buf_->used, p, n);
    if (buf_->shadow) std::memset(buf_->shadow + buf_->used, user ? 1 : 0, n);
    buf_->used += static_cast<uint32_t>(n);
}

void Text::add(const Str &s) { add_slice(s, 0, s.size); }

void Text::add_slice(const Str &s, size_t begin, size_t end) {
    if (begin == end) return;
    if (!s.shadow) return add(s.data + begin, end - begin, s.user);
    rt_->charge((end - begin) >> 4);
    room(end - begin);
    if (!buf_->shadow) mix();
    std::memcpy(buf_->data + buf_->used, s.data + begin, end - begin);
    std::memcpy(buf_->shadow + buf_->used, s.shadow + begin, end - begin);
    buf_->used += static_cast<uint32_t>(end - begin);
}

void Text::add_char(uint32_t cp, bool user) {
    char raw[4];
    if (cp >= 0xDC80 && cp < 0xDD00) {  // a broken byte keeps its value
        raw[0] = static_cast<char>(cp - 0xDC00);
        return add(raw, 1, user);
    }
    add(raw, static_cast<size_t>(encode_char(cp, raw)), user);
}

const Str *Text::done() {
    Str *s = rt_->heap.make<Str>();
    if (buf_->used == 0) return s;
    s->data = buf_->data;
    s->shadow = buf_->shadow;
    s->buf = buf_;
    s->size = buf_->used;
    s->user = buf_->user;
    return s;
}

const Str *wrap_str(Rt &rt, std::string_view text, bool user) {
    if (text.size() > UINT32_MAX / 2) fail(Code::limit, "a string of ", text.size(), " bytes, limit ", UINT32_MAX / 2);
    Str *s = rt.heap.make<Str>();
    s->data = text.data();
    s->size = static_cast<uint32_t>(text.size());
    s->user = user;
    return s;
}

const Str *new_str(Rt &rt, std::string_view text, bool user) {
    rt.charge(text.size() >> 4);
    char *copy = static_cast<char *>(rt.heap.bytes(text.size(), 1));
    if (!text.empty()) std::memcpy(copy, text.data(), text.size());
    return wrap_str(rt, {copy, text.size()}, user);
}

const Str *sub_str(Rt &rt, const Str *s, size_t begin, size_t end) {
    if (begin == 0 && end == s->size) return s;
    Str *r = rt.heap.make<Str>();
    r->data = s->data + begin;
    r->size = static_cast<uint32_t>(end - begin);
    r->user = s->user;
    r->markup = s->markup;
    if (s->shadow) r->shadow = s->shadow + begin;
    if (s->chars == s->size) r->chars = r->size;
    return r;
}

const Str *as_markup(Rt &rt, const Str *s, bool markup) {
    if (s->markup == markup) return s;
    Str *r = rt.heap.make<Str>();
    *r = *s;
    r->markup = markup;
    return r;
}

const Str *concat(Rt &rt, const Str *a, const Str *b) {
    if (a->size == 0 && !a->markup) return b;
    if (b->size == 0) return a;
    Buf *buf = a->buf;
    const Str *joined;
    if (buf && a->data == buf->data && a->size == buf->used) {  // nobody has extended `a` yet: grow it where it stands
        Text t(rt, buf);
        t.add(b);
        joined = t.done();
    } else {
        Text t(rt, size_t{a->size} + b->size + (buf ? a->size / 2 : 0));
        t.add(a);
        t.add(b);
        joined = t.done();
    }
    if (a->chars == a->size && b->chars == b->size) joined->chars = joined->size;
    return joined;
}

const Str *escape_html(Rt &rt, const Str *s) {
    if (s->markup) return s;
    Text t(rt);
    size_t from = 0;
    for (size_t i = 0; i < s->size; ++i) {
        std::string_view to;
        switch (s->data[i]) {
            case '&': to = "&amp;"; break;
            case '<': to = "&lt;"; break;
            case '>': to = "&gt;"; break;
            case '\'': to = "&#39;"; break;
            case '"': to = "&#34;"; break;
            default: continue;
        }
        t.add_slice(*s, from, i);
        t.add(to, any_user(*s));
        from = i + 1;
    }
    t.add_slice(*s, from, s->size);
    return as_markup(rt, t.done(), true);
}

size_t count_and_cache(const Str &s) { return s.chars = static_cast<uint32_t>(count_chars(s.view())); }

// ---- lists and dicts ----

List *new_list(Rt &rt, size_t capacity) {
    List *l = rt.heap.make<List>();
    if (capacity) {
        if (capacity > (1u << 27)) fail(Code::limit, "template makes a list of ", capacity, " items");
        l->data = rt.heap.array<Value>(capacity);
        l->capacity = static_cast<uint32_t>(capacity);
    }
    return l;
}

void push(Rt &rt, List *l, const Value &v) {
    if (l->size == l->capacity) {
        uint32_t capacity = std::max<uint32_t>(l->capacity * 2, 4);
        if (capacity > (1u << 27)) fail(Code::limit, "template makes a list of ", capacity, " items");
        Value *data = rt.heap.array<Value>(capacity);
        if (l->size) std::memcpy(static_cast<void *>(data), l->data, l->size * sizeof(Value));
        l->data = data;
        l->capacity = capacity;
    }
    l->data[l->size++] = v;
}

Value new_tuple(Rt &rt, std::initializer_list<Value> items) {
    List *l = new_list(rt, items.size());
    for (const Value &v : items) l->data[l->size++] = v;
    return Value::of(l, Kind::tuple);
}

Dict *new_dict(Rt &rt) { return rt.heap.make<Dict>(); }

namespace {

constexpr uint32_t kNoEntry = UINT32_MAX;
constexpr uint64_t kSeed = 0x6a696e6a61ull;  // joined with the process seed below

bool same_key(Rt &rt, const DictEntry &e, uint64_t h, const Value &key) {
    if (e.hash != h) return false;
    if (key.is_string() && e.key.is_string()) return key.s->view() == e.key.s->view();
    return equal(rt, e.key, key);
}

uint32_t find_entry(Rt &rt, const Dict *d, const Value &key, uint64_t h) {
    if (!d->index) {
        for (uint32_t i = 0; i < d->size; ++i)
            if (same_key(rt, d->entries[i], h, key)) return i;
        return kNoEntry;
    }
    for (uint32_t at = static_cast<uint32_t>(h) & d->index_mask;; at = (at + 1) & d->index_mask) {
        uint32_t i = d->index[at];
        if (i == kNoEntry) return kNoEntry;
        if (same_key(rt, d->entries[i], h, key)) return i;
    }
}

void put_index(Dict *d, uint32_t i) {
    uint32_t at = static_cast<uint32_t>(d->entries[i].hash) & d->index_mask;
    while (d->index[at] != kNoEntry) at = (at + 1) & d->index_mask;
    d->index[at] = i;
}

void build_index(Rt &rt, Dict *d) {
    uint32_t n = 16;
    while (n < d->capacity * 2) n *= 2;
    d->index = rt.heap.array<uint32_t>(n);
    d->index_mask = n - 1;
    std::fill_n(d->index, n, kNoEntry);
    for (uint32_t i = 0; i < d->size; ++i) put_index(d, i);
}

uint64_t hash_text(std::string_view s) { return hash_bytes(s.data(), s.size(), process_seed() ^ kSeed); }

}  // namespace

const Value *dict_find(Rt &rt, const Dict *d, const Value &key) {
    uint32_t i = find_entry(rt, d, key, hash_value(rt, key));
    return i == kNoEntry ? nullptr : &d->entries[i].value;
}

const Value *dict_find(const Dict *d, std::string_view key) {
    if (!d->index) {
        for (uint32_t i = 0; i < d->size; ++i)
            if (d->entries[i].key.is_string() && d->entries[i].key.s->view() == key) return &d->entries[i].value;
        return nullptr;
    }
    uint64_t h = hash_text(key);
    for (uint32_t at = static_cast<uint32_t>(h) & d->index_mask;; at = (at + 1) & d->index_mask) {
        uint32_t i = d->index[at];
        if (i == kNoEntry) return nullptr;
        const DictEntry &e = d->entries[i];
        if (e.hash == h && e.key.is_string() && e.key.s->view() == key) return &e.value;
    }
}

void dict_set(Rt &rt, Dict *d, const Value &key, const Value &value) {
    uint64_t h = hash_value(rt, key);
    uint32_t i = find_entry(rt, d, key, h);
    if (i != kNoEntry) {
        d->entries[i].value = value;
        return;
    }
    if (d->size == d->capacity) {
        uint32_t capacity = std::max<uint32_t>(d->capacity * 2, 4);
        if (capacity > (1u << 26)) fail(Code::limit, "template makes a dict of ", capacity, " items");
        DictEntry *entries = rt.heap.array<DictEntry>(capacity);
        if (d->size) std::memcpy(static_cast<void *>(entries), d->entries, d->size * sizeof(DictEntry));
        d->entries = entries;
        d->capacity = capacity;
        if (capacity > 8) {
            d->entries[d->size] = {key, value, h};
            d->size++;
            return build_index(rt, d);
        }
    }
    d->entries[d->size] = {key, value, h};
    if (d->index) put_index(d, d->size);
    d->size++;
}

bool dict_remove(Rt &rt, Dict *d, const Value &key, Value *out) {
    uint32_t i = find_entry(rt, d, key, hash_value(rt, key));
    if (i == kNoEntry) return false;
    *out = d->entries[i].value;
    rt.charge(d->size);
    std::memmove(static_cast<void *>(d->entries + i), d->entries + i + 1, (d->size - i - 1) * sizeof(DictEntry));
    d->size--;
    if (d->index) build_index(rt, d);
    return true;
}

uint64_t hash_value(Rt &rt, const Value &v) {
    switch (v.kind) {
        case Kind::string: return hash_text(v.s->view());
        case Kind::boolean:
        case Kind::integer: return mix64(static_cast<uint64_t>(v.small()), kSeed);
        case Kind::floating:
            // Whole floats hash as the ints they equal.
            if (v.f >= -9.2e18 && v.f <= 9.2e18 && v.f == static_cast<double>(static_cast<int64_t>(v.f)))
                return mix64(static_cast<uint64_t>(static_cast<int64_t>(v.f)), kSeed);
            return hash_bytes(&v.f, 8, kSeed);
        case Kind::bigint: return hash_bytes(v.big->limbs, v.big->n * 4, v.big->negative);
        case Kind::none: return 11;
        case Kind::undefined: return 13;
        case Kind::tuple: {
            // Tuples of tuples: an explicit stack, as depth is the template's choice.
            uint64_t h = 17;
            Vector<Value> stack(Alloc<Value>(rt.heap.memory(), MemTag::text));
            stack.push_back(v);
            while (!stack.empty()) {
                Value top = stack.back();
                stack.pop_back();
                rt.charge(1);
                if (top.is(Kind::tuple)) {
                    h = mix64(h, top.list->size);
                    for (uint32_t i = top.list->size; i-- > 0;) stack.push_back(top.list->data[i]);
                } else {
                    h = mix64(h, hash_value(rt, top));
                }
            }
            return h;
        }
        case Kind::list: case Kind::dict: case Kind::slice:
            type_error(rt, "TypeError: unhashable type: '", type_name(v), "'");
        case Kind::view:
            if (v.view->kind != ViewKind::values) type_error(rt, "TypeError: unhashable type: '", type_name(v), "'");
            return 19;
        case Kind::range: return mix64(static_cast<uint64_t>(v.range->length), v.range->length ? static_cast<uint64_t>(v.range->start) : 0);
        case Kind::method: return mix64(v.method->id, 23);
        default: return mix64(reinterpret_cast<uintptr_t>(v.list), kSeed);
    }
}

// ---- JSON in ----

namespace {
Value scalar_from_json(Rt &rt, const io::Json &j, bool user) {
    switch (j.kind()) {
        case io::JsonKind::null: return Value::none();
        case io::JsonKind::boolean: return Value::boolean(j.boolean());
        case io::JsonKind::string: return Value::string(wrap_str(rt, j.string(), user));
        case io::JsonKind::number: {
            if (auto i = j.integer()) return Value::integer(*i);
            if (j.is_integer()) {
                bool ok = true;
                Value v = int_from_text(rt, j.number_text(), 10, &ok);
                if (ok) return v;
            }
            return Value::floating(j.number());
        }
        default: return Value::none();
    }
}
}  // namespace

Value from_json(Rt &rt, const io::Json &root, bool user) {
    struct Frame {
        const io::Json *node;
        Value into;
        size_t next;
    };
    auto open = [&](const io::Json &j) {
        if (j.is_array()) return Value::of(new_list(rt, j.items().size()));
        return Value::of(new_dict(rt));
    };
    auto nested = [](const io::Json &j) { return j.is_array() || j.is_object(); };
    if (!nested(root)) return scalar_from_json(rt, root, user);
    Vector<Frame> stack(Alloc<Frame>(rt.heap.memory(), MemTag::text));
    Value result = open(root);
    stack.push_back({&root, result, 0});
    while (!stack.empty()) {
        Frame &f = stack.back();
        bool array = f.node->is_array();
        if (f.next == (array ? f.node->items().size() : f.node->members().size())) {
            stack.pop_back();
            continue;
        }
        const io::Json &child = array ? f.node->items()[f.next] : f.node->members()[f.next].value;
        Value v = nested(child) ? open(child) : scalar_from_json(rt, child, user);
        if (array) push(rt, f.into.list, v);
        else dict_set(rt, f.into.dict, Value::string(wrap_str(rt, f.node->members()[f.next].key, user)), v);
        ++f.next;
        if (nested(child)) stack.push_back({&child, v, 0});
    }
    return result;
}

}  // namespace inlay::text::jinja
