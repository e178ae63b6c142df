// SPDX-License-Identifier: Apache-2.0
// The only user of simdjson. A cheap scan over the bytes comes first: it knows depth and cut documents before anything
// is allocated, so that 100 MB of '[' cost nothing. Then On-Demand walks the text with our own stack of iterators (no
// recursion), and every scalar token is checked here: On-Demand alone would let 007 or a lone surrogate through.
#define SIMDJSON_EXCEPTIONS 0
#include "io/json.h"

#include <simdjson.h>

#include <bit>
#include <cstring>

#include "io/arena.h"
#include "io/utf8.h"

namespace inlay::io {

namespace od = simdjson::ondemand;

struct JsonDocument::Storage {
    explicit Storage(Memory &m) : arena(m) {}
    Arena arena;
    Json root;
};

namespace {

// Above this many members an object carries a hash table behind its members, and find() is O(1).
constexpr size_t kLinearKeys = 16;

size_t table_size(size_t n) noexcept { return std::bit_ceil(n * 2); }

Place at_offset(size_t offset) { return {static_cast<int64_t>(offset), 0, 0}; }

// Depth and balance, before any allocation. Strings are skipped by their quotes; what stands between brackets is not
// looked at. Every document that passes has its brackets closed, so later "not enough braces" cannot come from a cut.
void scan_structure(std::string_view text, uint32_t max_depth, std::string_view what) {
    uint32_t depth = 0;
    size_t i = 0, n = text.size();
    bool any = false;
    while (i < n) {
        char c = text[i];
        if (c == '"') {
            any = true;
            size_t open = i++;
            for (;;) {
                while (i < n && text[i] != '"' && text[i] != '\\') ++i;
                if (i >= n)
                    fail_at(Code::format, at_offset(open), "truncated: ", what, " ends at offset ", n, " inside the string that opened at ",
                            open);
                if (text[i] == '"') break;
                i += 2;
            }
        } else if (c == '[' || c == '{') {
            any = true;
            if (++depth > max_depth) fail_at(Code::limit, at_offset(i), what, " at offset ", i, " nests deeper than the limit ", max_depth);
        } else if (c == ']' || c == '}') {
            if (depth-- == 0) fail_at(Code::format, at_offset(i), what, " at offset ", i, " closes a bracket that was never opened");
        } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            any = true;
        }
        ++i;
    }
    if (!any) fail(Code::format, "truncated: ", what, " is empty");
    if (depth) fail_at(Code::format, at_offset(n), "truncated: ", what, " ends at offset ", n, " with ", depth, " brackets open");
}

std::string_view trim(std::string_view s) noexcept {
    auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (!s.empty() && space(s.back())) s.remove_suffix(1);
    return s;
}

// The number grammar of RFC 8259, whole token.
bool is_json_number(std::string_view t) noexcept {
    size_t i = 0, n = t.size();
    auto digits = [&] {
        size_t from = i;
        while (i < n && t[i] >= '0' && t[i] <= '9') ++i;
        return i > from;
    };
    if (i < n && t[i] == '-') ++i;
    if (i < n && t[i] == '0')
        ++i;
    else if (!digits())
        return false;
    if (i < n && t[i] == '.') {
        ++i;
        if (!digits()) return false;
    }
    if (i < n && (t[i] == 'e' || t[i] == 'E')) {
        ++i;
        if (i < n && (t[i] == '+' || t[i] == '-')) ++i;
        if (!digits()) return false;
    }
    return i == n;
}

int hex4(const char *p) noexcept {
    int v = 0;
    for (int i = 0; i < 4; ++i) {
        char c = p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

char *put_utf8(char *out, uint32_t u) noexcept {
    if (u < 0x80) {
        *out++ = static_cast<char>(u);
        return out;
    }
    if (u < 0x800) {
        *out++ = static_cast<char>(0xC0 | u >> 6);
    } else {
        if (u < 0x10000) {
            *out++ = static_cast<char>(0xE0 | u >> 12);
        } else {
            *out++ = static_cast<char>(0xF0 | u >> 18);
            *out++ = static_cast<char>(0x80 | (u >> 12 & 0x3F));
        }
        *out++ = static_cast<char>(0x80 | (u >> 6 & 0x3F));
    }
    *out++ = static_cast<char>(0x80 | (u & 0x3F));
    return out;
}

}  // namespace

class JsonBuilder {
public:
    JsonBuilder(Memory &m, Arena &arena, std::string_view text, const JsonLimits &limits, std::string_view what)
        : arena_(arena),
          limits_(limits),
          what_(what),
          n_text_(text.size()),
          padded_(m, text.size() + 2 + simdjson::SIMDJSON_PADDING, 64, MemTag::scratch),
          frames_(Alloc<Frame>(m, MemTag::scratch)),
          pending_(Alloc<JsonMember>(m, MemTag::scratch)),
          table_(Alloc<uint32_t>(m, MemTag::scratch)) {
        // The text goes inside one pair of brackets: a root scalar, an empty text and trailing garbage then are
        // ordinary cases of "an array that must have exactly one item".
        char *p = padded_.as<char>();
        p[0] = '[';
        std::memcpy(p + 1, text.data(), text.size());
        p[text.size() + 1] = ']';
        std::memset(p + text.size() + 2, 0, simdjson::SIMDJSON_PADDING);
    }

    Json build() {
        size_t n = n_text_ + 2;
        check(parser_.iterate(padded_.as<char>(), n, n + simdjson::SIMDJSON_PADDING).get(doc_));
        started_ = true;
        od::array whole;
        check(doc_.get_array().get(whole));
        od::array_iterator it;
        check(whole.begin().get(it));
        push_array(it);
        Json done;
        while (!frames_.empty()) {
            Frame &top = frames_.back();
            std::string_view key;
            od::value v;
            if (top.is_object) {
                if (top.started) ++top.object;
                top.started = true;
                if (!(top.object != top.object)) {
                    done = finish_object(top.base);
                    close(done);
                    continue;
                }
                od::field f;
                check((*top.object).get(f));
                key = unescape(f.key().raw());
                v = f.value();
            } else {
                if (top.started) ++top.array;
                top.started = true;
                if (!(top.array != top.array)) {
                    done = finish_array(top.base);
                    close(done);
                    continue;
                }
                check((*top.array).get(v));
            }
            if (++n_values_ > limits_.values) fail_at(Code::limit, here(), what_, " holds more than ", limits_.values, " values");
            place(key, v);
        }
        // `done` is the array around the text; its single item is the document.
        if (done.items().empty()) fail(Code::format, "truncated: ", what_, " is empty");
        if (done.items().size() > 1) fail(Code::format, what_, " has a second value after the first");
        return done.items()[0];
    }

private:
    struct Frame {
        bool is_object = false, started = false;
        size_t base = 0;  // first of its children in pending_
        od::object_iterator object;
        od::array_iterator array;
    };

    void push_array(const od::array_iterator &it) {
        Frame &f = frames_.emplace_back();
        f.base = pending_.size();
        f.array = it;
    }
    void push_object(const od::object_iterator &it) {
        Frame &f = frames_.emplace_back();
        f.is_object = true;
        f.base = pending_.size();
        f.object = it;
    }

    // Puts one value under its key; a container goes on the stack and fills its slot when it closes.
    void place(std::string_view key, od::value &v) {
        std::string_view token = trim(v.raw_json_token());
        Json node;
        switch (token.empty() ? '\0' : token[0]) {
            case '{': {
                open_slots_push(key);
                od::object o;
                check(v.get_object().get(o));
                od::object_iterator it;
                check(o.begin().get(it));
                push_object(it);
                return;
            }
            case '[': {
                open_slots_push(key);
                od::array a;
                check(v.get_array().get(a));
                od::array_iterator it;
                check(a.begin().get(it));
                push_array(it);
                return;
            }
            case '"': {
                od::raw_json_string raw;
                check(v.get_raw_json_string().get(raw));
                std::string_view s = unescape(raw.raw());
                node.kind_ = JsonKind::string;
                node.text_ = s.data();
                node.size_ = s.size();
                break;
            }
            case 't':
            case 'f':
                if (token != "true" && token != "false") bad_token(token);
                node.kind_ = JsonKind::boolean;
                node.flag_ = token[0] == 't';
                break;
            case 'n':
                if (token != "null") bad_token(token);
                break;
            default:
                if (token.size() > limits_.number_chars && is_json_number(token))
                    fail_at(Code::limit, here(), what_, " has a number of ", token.size(), " characters, limit ", limits_.number_chars);
                if (!is_json_number(token)) bad_token(token);
                std::string_view kept = arena_.copy(token);
                node.kind_ = JsonKind::number;
                node.text_ = kept.data();
                node.size_ = kept.size();
        }
        pending_.push_back({key, node});
    }

    void open_slots_push(std::string_view key) { pending_.push_back({key, Json()}); }

    // The frame on top is complete: its value goes to the slot that was kept for it.
    void close(const Json &value) {
        frames_.pop_back();
        if (!frames_.empty()) pending_.back().value = value;
    }

    Json finish_array(size_t base) {
        Json node;
        node.kind_ = JsonKind::array;
        node.size_ = pending_.size() - base;
        Json *items = arena_.array<Json>(node.size_);
        for (size_t i = 0; i < node.size_; ++i) new (items + i) Json(pending_[base + i].value);
        node.items_ = items;
        pending_.resize(base, JsonMember());
        return node;
    }

    Json finish_object(size_t base) {
        size_t n = drop_duplicates(base);
        Json node;
        node.kind_ = JsonKind::object;
        node.size_ = n;
        bool hashed = n > kLinearKeys;
        JsonMember *members = static_cast<JsonMember *>(
            arena_.take(n * sizeof(JsonMember) + (hashed ? table_.size() * sizeof(uint32_t) : 0), alignof(JsonMember)));
        for (size_t i = 0; i < n; ++i) new (members + i) JsonMember(pending_[base + i]);
        if (hashed) std::memcpy(static_cast<void *>(members + n), table_.data(), table_.size() * sizeof(uint32_t));
        node.members_ = members;
        pending_.resize(base, JsonMember());
        return node;
    }

    // Refuses equal keys, or keeps the first one's place with the last one's value. Leaves the hash table of a large
    // object in table_ (index + 1 of the member, 0 = free), sized for the number of members that remain.
    size_t drop_duplicates(size_t base) {
        size_t n = pending_.size() - base, kept = 0;
        JsonMember *m = pending_.data() + base;
        bool hashed = n > kLinearKeys;
        if (hashed) table_.assign(table_size(n), 0);
        for (size_t i = 0; i < n; ++i) {
            size_t same = kept;
            if (hashed) {
                size_t slot = probe(m, m[i].key);
                if (table_[slot])
                    same = table_[slot] - 1;
                else
                    table_[slot] = static_cast<uint32_t>(kept + 1);
            } else {
                for (size_t j = 0; j < kept && same == kept; ++j)
                    if (m[j].key == m[i].key) same = j;
            }
            if (same < kept) {
                if (limits_.refuse_duplicates)
                    fail_at(Code::format, here(), what_, " has the key ", quoted{m[i].key}, " twice in one object");
                m[same].value = m[i].value;
            } else {
                m[kept++] = m[i];
            }
        }
        if (hashed && kept < n && kept > kLinearKeys) {
            table_.assign(table_size(kept), 0);
            for (size_t i = 0; i < kept; ++i) table_[probe(m, m[i].key)] = static_cast<uint32_t>(i + 1);
        }
        return kept;
    }

    size_t probe(const JsonMember *m, std::string_view key) const noexcept {
        size_t mask = table_.size() - 1, slot = SeededHash{}(key)&mask;
        while (table_[slot] && m[table_[slot] - 1].key != key) slot = (slot + 1) & mask;
        return slot;
    }

    // The string that starts after its opening quote, decoded into the arena. The first stage has found the closing quote
    // and checked the bytes as UTF-8. Decoding here instead of by simdjson: its buffer for strings is used unchecked when
    // its allocation failed (3.0.1; tests/faults found it), and lone surrogates would pass.
    std::string_view unescape(const char *p) {
        const char *end = p;
        while (*end != '"' && *end != '\\') ++end;
        if (end == p && *end == '"') return "";  // with a pointer: callers hash and copy it
        if (*end == '"') return arena_.copy({p, static_cast<size_t>(end - p)});
        while (*end != '"') end += *end == '\\' ? 2 : 1;
        char *out = arena_.array<char>(static_cast<size_t>(end - p)), *o = out;  // an escape is never shorter than its text
        while (p < end) {
            const char *run = p;
            while (p < end && *p != '\\') ++p;
            std::memcpy(o, run, static_cast<size_t>(p - run));
            o += p - run;
            if (p < end) p = escape(p + 1, o);
        }
        return {out, static_cast<size_t>(o - out)};
    }

    // One escape; `p` stands behind the backslash. Returns what follows it.
    const char *escape(const char *p, char *&out) {
        static constexpr char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        for (size_t i = 0; from[i]; ++i)
            if (*p == from[i]) {
                *out++ = to[i];
                return p + 1;
            }
        size_t offset = static_cast<size_t>(p - padded_.as<char>()) - 2;  // of the backslash, without our own bracket
        int u = *p == 'u' ? hex4(p + 1) : -1;
        if (u < 0) fail_at(Code::format, at_offset(offset), what_, " at offset ", offset, " has a broken escape in a string");
        p += 5;
        uint32_t code = static_cast<uint32_t>(u);
        if (u >= 0xD800 && u < 0xE000) {
            int low = u < 0xDC00 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2) : -1;
            if (low < 0xDC00 || low > 0xDFFF)
                fail_at(Code::format, at_offset(offset), what_, " at offset ", offset, " has an unpaired surrogate escape");
            code = 0x10000u + ((code - 0xD800u) << 10) + (static_cast<uint32_t>(low) - 0xDC00u);
            p += 6;
        }
        out = put_utf8(out, code);
        return p;
    }

    [[noreturn]] void bad_token(std::string_view token) {
        size_t offset = static_cast<size_t>(token.data() - padded_.as<char>());
        offset = offset ? offset - 1 : 0;
        if (offset >= n_text_) fail_at(Code::format, at_offset(n_text_), what_, " ends where a value must stand");
        fail_at(Code::format, at_offset(offset), what_, " at offset ", offset, " has ", quoted{token}, " where a value must stand");
    }

    Place here() {
        const char *p = nullptr;
        if (!started_) return {};  // the document has no position before its first stage is through
        if (doc_.current_location().get(p) != simdjson::SUCCESS || !p) return {};
        auto offset = p - padded_.as<char>() - 1;
        return {offset < 0 ? 0 : offset, 0, 0};
    }

    void check(simdjson::error_code e) {
        if (e == simdjson::SUCCESS) return;
        std::string_view text(padded_.as<char>() + 1, n_text_);
        if (e == simdjson::MEMALLOC) fail(Code::out_of_memory, what_, " of ", n_text_, " bytes: no memory to parse it");
        if (e == simdjson::UTF8_ERROR) {
            size_t bad = utf8_valid_prefix(text);
            fail_at(Code::format, at_offset(bad), what_, " at offset ", bad, " is not valid UTF-8");
        }
        if (e == simdjson::UNESCAPED_CHARS) {
            size_t i = 0;
            bool inside = false;
            for (; i < text.size(); ++i) {
                if (text[i] == '"')
                    inside = !inside;
                else if (inside && text[i] == '\\')
                    ++i;
                else if (inside && static_cast<unsigned char>(text[i]) < 0x20)
                    break;
            }
            fail_at(Code::format, at_offset(i), what_, " at offset ", i, " has a control character inside a string");
        }
        if (e == simdjson::UNCLOSED_STRING)
            fail(Code::format, what_, " has a string that is not closed, or a backslash outside of a string");
        if (e == simdjson::CAPACITY) fail(Code::limit, what_, " of ", n_text_, " bytes is too long to parse");
        Place where = here();
        fail_at(Code::format, where, what_, " near offset ", where.offset,
                " is broken: a comma, colon, quote or bracket is missing or misplaced");
    }

    Arena &arena_;
    const JsonLimits &limits_;
    std::string_view what_;
    size_t n_text_;
    Buffer padded_;
    od::parser parser_;
    od::document doc_;
    Vector<Frame> frames_;
    Vector<JsonMember> pending_;  // children of the open containers, outermost first
    Vector<uint32_t> table_;
    uint64_t n_values_ = 0;
    bool started_ = false;
};

JsonDocument::JsonDocument(JsonDocument &&) noexcept = default;
JsonDocument &JsonDocument::operator=(JsonDocument &&) noexcept = default;
JsonDocument::~JsonDocument() = default;

JsonDocument JsonDocument::parse(Memory &m, std::string_view text, const JsonLimits &limits, std::string_view what) {
    // 4 GiB is simdjson's own limit (32-bit positions).
    uint64_t cap = limits.bytes < 0xFFFFF000u ? limits.bytes : 0xFFFFF000u;
    if (text.size() > cap) fail(Code::limit, what, " has ", text.size(), " bytes, limit ", cap);
    if (text.starts_with("\xEF\xBB\xBF")) fail_at(Code::format, at_offset(0), what, " starts with a byte order mark");
    scan_structure(text, limits.depth, what);
    JsonDocument doc;
    doc.storage_ = make_owned<Storage>(m, m);
    {
        JsonBuilder builder(m, doc.storage_->arena, text, limits, what);
        doc.storage_->root = builder.build();
    }
    doc.root_ = &doc.storage_->root;
    return doc;
}

const Json *Json::find(std::string_view key) const noexcept {
    if (kind_ != JsonKind::object) return nullptr;
    if (size_ <= kLinearKeys) {
        for (const JsonMember &m : members())
            if (m.key == key) return &m.value;
        return nullptr;
    }
    const uint32_t *table = reinterpret_cast<const uint32_t *>(members_ + size_);
    size_t mask = table_size(size_) - 1;
    for (size_t slot = SeededHash{}(key)&mask; table[slot]; slot = (slot + 1) & mask)
        if (members_[table[slot] - 1].key == key) return &members_[table[slot] - 1].value;
    return nullptr;
}

}  // namespace inlay::io
