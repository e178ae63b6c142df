// SPDX-License-Identifier: Apache-2.0
// Two passes over the header: the first checks every entry and counts, the second stores. What is refused by its
// entries alone (types, shapes, sizes, the sum of all) never allocates a directory.
#include "io/safetensors.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "io/magic.h"
#include "io/utf8.h"

namespace inlay::io {

namespace {

struct StType {
    std::string_view name;
    uint32_t bits;
    DType dtype;
};
constexpr StType types[] = {
    {"F32", 32, DType::f32},    {"F16", 16, DType::f16},       {"BF16", 16, DType::bf16},     {"F64", 64, DType::f64},
    {"I8", 8, DType::i8},       {"I16", 16, DType::i16},       {"I32", 32, DType::i32},       {"I64", 64, DType::i64},
    {"BOOL", 8, kForeignDType}, {"U8", 8, kForeignDType},      {"U16", 16, kForeignDType},    {"U32", 32, kForeignDType},
    {"U64", 64, kForeignDType}, {"F8_E4M3", 8, kForeignDType}, {"F8_E5M2", 8, kForeignDType}, {"F8_E8M0", 8, kForeignDType},
    {"F4", 4, kForeignDType},   {"F6_E2M3", 6, kForeignDType}, {"F6_E3M2", 6, kForeignDType},
};

// Longer names are no names. The field names and types of the header are far below.
constexpr size_t kMaxName = 4096;
constexpr uint64_t kMaxSkipDepth = 24;  // skip_value recurses, about 1 KiB a level; a higher limit of the host stops here

class StParser {
public:
    StParser(Memory &m, const Source &source, uint32_t source_id, const Limits &limits, Arena &names, Vector<TensorInfo> &out)
        : memory_(m),
          source_(source),
          source_id_(source_id),
          limits_(limits),
          names_(names),
          out_(out),
          window_(Alloc<std::byte>(m, MemTag::scratch)) {}

    void run() {
        std::byte head[8];
        if (source_.size() < sizeof head)
            fail(Code::format, "truncated: a safetensors file of ", source_.size(), " bytes, its header starts at offset 8");
        source_.read_at(0, head);
        std::memcpy(&header_bytes_, head, sizeof head);
        Checked room = Checked(source_.size()) - sizeof head;
        if (header_bytes_ > limits_.st_header_bytes) {
            if (const char *what = looks_like({reinterpret_cast<const char *>(head), sizeof head}))
                fail_at(Code::format, {0, 0, 0}, "not a safetensors file: it looks like ", what);
            fail_at(Code::limit, {0, 0, 0}, "the header has ", header_bytes_, " bytes, limit ", limits_.st_header_bytes);
        }
        if (Checked(header_bytes_) > room)
            fail_at(Code::format, {0, 0, 0}, "truncated: the header has ", header_bytes_, " bytes, ", room, " remain");
        data_bytes_ = (room - header_bytes_).value();
        data_offset_ = (Checked(sizeof head) + header_bytes_).value();
        window_.resize(header_bytes_ < kWindow ? static_cast<size_t>(header_bytes_) : kWindow);
        pass();
        if (sum_ != Checked(data_bytes_)) {
            if (last_end_ > data_bytes_)
                fail(Code::format, "truncated: tensor data ends at offset ", Checked(data_offset_) + last_end_, ", the file has ",
                     source_.size(), " bytes");
            fail(Code::format, "the tensors have ", sum_, " bytes in all, the data ", data_bytes_, ": they do not tile it");
        }
        size_t first = out_.size(), need = (Checked(first) + n_tensors_).size();
        if (out_.capacity() < need) out_.reserve(first ? std::max(need, (Checked(out_.capacity()) * 2).size()) : need);
        storing_ = true;
        pass();
        check_tiling(first);
    }

private:
    static constexpr size_t kWindow = 64u << 10;

    void pass() {
        pos_ = window_from_ = 0;
        window_have_ = 0;
        n_tensors_ = 0;
        sum_ = 0;
        last_end_ = 0;
        bool metadata = false;
        if (peek() == '[') refuse_nest();
        if (peek() != '{') fail_at(Code::format, here(), "the header does not start with '{'");
        next();
        space();
        if (peek() == '}') {
            next();
        } else {
            for (;;) {
                space();
                string(name_, sizeof name_, name_size_);
                std::string_view name(name_, name_size_);
                space();
                expect(':', "after a name");
                space();
                if (name == "__metadata__") {
                    if (metadata) fail_at(Code::format, here(), "key '__metadata__' stands in the header twice");
                    metadata = true;
                    text_map();
                } else {
                    tensor(name);
                }
                space();
                int c = next();
                if (c == '}') break;
                if (c != ',') broken(c, "',' or '}' after an entry");
            }
        }
        space();
        if (int c = peek(); c >= 0) broken(c, "nothing after the header's last '}'");
    }

    // "[[[[…": named as what it is, although any header that starts with '[' is wrong.
    void refuse_nest() {
        uint32_t depth = 0;
        while (peek() == '[') {
            next();
            if (++depth > limits_.st_json_depth)
                fail_at(Code::limit, here(), "the header nests deeper than the limit ", limits_.st_json_depth);
        }
        fail_at(Code::format, {8, 0, 0}, "the header does not start with '{'");
    }

    void tensor(std::string_view name) {
        Place place = here();
        if (name.empty()) fail_at(Code::format, place, "a tensor name at offset ", place.offset, " is empty");
        if (name.find('\0') != std::string_view::npos) fail_at(Code::format, place, "tensor name ", quoted{name}, " holds a NUL");
        if (++n_tensors_ > limits_.st_tensors) fail_at(Code::limit, place, "the header has more than ", limits_.st_tensors, " tensors");
        TensorInfo t;
        t.name = name;
        t.source = source_id_;
        const StType *type = nullptr;
        bool have_shape = false, have_offsets = false;
        uint64_t range[2] = {};
        expect('{', "for a tensor's entry");
        space();
        if (peek() == '}') fail_at(Code::format, here(), "tensor ", quoted{name}, " has no dtype");
        for (;;) {
            space();
            char field[16];
            size_t n = 0;
            string(field, sizeof field, n, true);
            std::string_view key(field, n < sizeof field ? n : 0);
            space();
            expect(':', "after a field's name");
            space();
            if (key == "dtype") {
                if (type) twice(name, key);
                type = dtype(name);
            } else if (key == "shape") {
                if (have_shape) twice(name, key);
                have_shape = true;
                shape(t);
            } else if (key == "data_offsets") {
                if (have_offsets) twice(name, key);
                have_offsets = true;
                offsets(name, range);
            } else {
                skip_value(3);
            }
            space();
            int c = next();
            if (c == '}') break;
            if (c != ',') broken(c, "',' or '}' after a field");
        }
        const char *missing = !type ? "dtype" : !have_shape ? "shape" : !have_offsets ? "data_offsets" : nullptr;
        if (missing) fail_at(Code::format, place, "tensor ", quoted{name}, " has no ", missing);
        Checked elements = 1;
        for (uint32_t i = 0; i < t.n_dims; ++i) elements *= t.shape[i];
        Checked bits = elements * type->bits;
        if (bits % 8 != Checked(0))
            fail_at(Code::format, place, "tensor ", quoted{name}, " has ", elements, " elements of ", type->bits,
                    " bits, no whole number of bytes");
        Checked bytes = bits / 8;
        if (range[0] > range[1])
            fail_at(Code::format, place, "tensor ", quoted{name}, " has data_offsets [", range[0], ", ", range[1], "] in wrong order");
        Checked span = Checked(range[1]) - range[0];
        if (span != bytes)
            fail_at(Code::format, place, "tensor ", quoted{name}, " has ", span, " bytes of data, its shape and type need ", bytes);
        sum_ += bytes;
        if (range[1] > last_end_) last_end_ = range[1];
        if (!storing_) return;
        t.name = names_.copy(name);
        t.dtype = type->dtype;
        t.dtype_name = type->name;
        t.elements = elements.value();
        t.bytes = bytes.value();
        t.offset = (Checked(data_offset_) + range[0]).value();
        out_.push_back(t);
    }

    void twice(std::string_view name, std::string_view field) {
        fail_at(Code::format, here(), "tensor ", quoted{name}, " has ", quoted{field}, " twice");
    }

    const StType *dtype(std::string_view name) {
        if (peek() != '"') fail_at(Code::format, here(), "tensor ", quoted{name}, " has a dtype that is not a string");
        char text[16];
        size_t n = 0;
        string(text, sizeof text, n, true);
        std::string_view s(text, n < sizeof text ? n : sizeof text);
        for (const StType &t : types)
            if (t.name == s) return &t;
        if (s == "C64") fail_at(Code::unsupported, here(), "tensor ", quoted{name}, " has dtype C64, complex numbers are not supported");
        fail_at(Code::format, here(), "tensor ", quoted{name}, " has the unknown dtype ", quoted{s});
    }

    void shape(TensorInfo &t) {
        expect('[', "for a shape");
        space();
        if (peek() == ']') {
            next();
            return;
        }
        for (;;) {
            space();
            uint64_t d = integer("a shape");
            if (t.n_dims == TensorInfo::max_dims)
                fail_at(Code::limit, here(), "tensor ", quoted{t.name}, " has more than ", TensorInfo::max_dims, " dimensions");
            if (d > limits_.dim)
                fail_at(Code::limit, here(), "tensor ", quoted{t.name}, " has a dimension of ", d, ", limit ", limits_.dim);
            t.shape[t.n_dims++] = d;
            space();
            int c = next();
            if (c == ']') return;
            if (c != ',') broken(c, "',' or ']' in a shape");
        }
    }

    void offsets(std::string_view name, uint64_t (&range)[2]) {
        expect('[', "for data_offsets");
        for (int i = 0; i < 2; ++i) {
            space();
            if (peek() == ']') fail_at(Code::format, here(), "tensor ", quoted{name}, " has ", i, " data_offsets, expected 2");
            range[i] = integer("data_offsets");
            space();
            if (i == 0 && peek() == ']') fail_at(Code::format, here(), "tensor ", quoted{name}, " has 1 data_offset, expected 2");
            if (i == 0) expect(',', "between data_offsets");
        }
        if (peek() == ',') fail_at(Code::format, here(), "tensor ", quoted{name}, " has more than 2 data_offsets");
        expect(']', "after data_offsets");
    }

    // __metadata__: text by name. Nothing in it is needed here, so it is checked and not kept.
    void text_map() {
        expect('{', "for __metadata__");
        space();
        if (peek() == '}') {
            next();
            return;
        }
        for (;;) {
            space();
            skip_string();
            space();
            expect(':', "in __metadata__");
            space();
            skip_string();
            space();
            int c = next();
            if (c == '}') return;
            if (c != ',') broken(c, "',' or '}' in __metadata__");
        }
    }

    // A whole number as JSON writes it: digits without a leading zero. Everything else is named.
    uint64_t integer(const char *what) {
        uint64_t v = 0, digits = 0;
        int first = peek();
        bool wide = false;
        while (peek() >= '0' && peek() <= '9') {
            uint64_t d = static_cast<uint64_t>(next() - '0');
            if (++digits > limits_.number_chars)
                fail_at(Code::limit, here(), what, " has a number of more than ", limits_.number_chars, " digits");
            wide = wide || __builtin_mul_overflow(v, uint64_t{10}, &v) || __builtin_add_overflow(v, d, &v);
        }
        int c = peek();
        if (digits == 0 || c == '.' || c == 'e' || c == 'E')
            fail_at(Code::format, here(), what, " at offset ", here().offset, " has something that is not a whole number of 0 or more");
        if (wide) fail_at(Code::format, here(), what, " at offset ", here().offset, " has a number beyond 64 bits");
        if (first == '0' && digits > 1) fail_at(Code::format, here(), what, " at offset ", here().offset, " has a number with a leading 0");
        return v;
    }

    // A value of a field that we do not know: any JSON within the depth limit.
    void skip_value(uint32_t depth) {
        if (depth > limits_.st_json_depth || depth > kMaxSkipDepth)
            fail_at(Code::limit, here(), "the header nests deeper than the limit ", limits_.st_json_depth);
        int c = peek();
        if (c == '"') {
            skip_string();
        } else if (c == '{' || c == '[') {
            int close = c == '{' ? '}' : ']';
            next();
            space();
            if (peek() == close) {
                next();
                return;
            }
            for (;;) {
                space();
                if (close == '}') {
                    skip_string();
                    space();
                    expect(':', "after a key");
                    space();
                }
                // raw: depth was held to its limit above
                skip_value(depth + 1);
                space();
                int end = next();
                if (end == close) return;
                if (end != ',') broken(end, "',' or a closing bracket");
            }
        } else {
            skip_word();
        }
    }

    // true, false, null or a number, checked loosely (a number's characters): its value is nobody's.
    void skip_word() {
        char word[8];
        size_t n = 0;
        int c;
        while ((c = peek()) >= 0 && c != ',' && c != '}' && c != ']' && c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            if (n < sizeof word) word[n] = static_cast<char>(c);
            if (++n > limits_.number_chars)
                fail_at(Code::limit, here(), "the header has a value of more than ", limits_.number_chars, " characters");
            next();
        }
        std::string_view s(word, n < sizeof word ? n : sizeof word);
        if (s == "true" || s == "false" || s == "null") return;
        if (s.empty() || s.find_first_not_of("0123456789+-.eE") != std::string_view::npos || s[0] == '+' || s[0] == '.' || s[0] == 'e' ||
            s[0] == 'E')
            fail_at(Code::format, here(), "the header has ", quoted{s}, " where a value must stand");
    }

    // Reads a string into `out`; what does not fit is LIMIT, or with `cut` dropped with size = room.
    void string(char *out, size_t room, size_t &size, bool cut = false) {
        size = 0;
        read_string([&](char c) {
            if (size < room)
                out[size++] = c;
            else if (!cut)
                fail_at(Code::limit, here(), "the header has a name longer than ", room, " bytes");
        });
    }
    void skip_string() {
        read_string([](char) {});
    }

    template <class Put>
    void read_string(Put put) {
        if (int c = next(); c != '"') broken(c, "a string");
        uint32_t tail = 0, low = 0x80, high = 0xBF;  // continuation bytes still due, and the range of the next one
        for (;;) {
            int c = next();
            if (c < 0) cut();
            if (tail) {
                if (static_cast<uint32_t>(c) < low || static_cast<uint32_t>(c) > high) not_text();
                low = 0x80;
                high = 0xBF;
                --tail;
                put(static_cast<char>(c));
                continue;
            }
            if (c == '"') return;
            if (c < 0x20) fail_at(Code::format, here(), "the header has a control character inside a string at offset ", here().offset);
            if (c == '\\') {
                escape(put);
                continue;
            }
            if (c >= 0x80) {
                if (c < 0xC2 || c > 0xF4) not_text();
                tail = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
                if (c == 0xE0) low = 0xA0;
                if (c == 0xED) high = 0x9F;
                if (c == 0xF0) low = 0x90;
                if (c == 0xF4) high = 0x8F;
            }
            put(static_cast<char>(c));
        }
    }

    template <class Put>
    void escape(Put put) {
        int c = next();
        static constexpr char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        for (size_t i = 0; from[i]; ++i)
            if (c == from[i]) return put(to[i]);
        if (c != 'u') broken(c, "a known escape in a string");
        uint32_t u = hex4();
        if (u >= 0xDC00 && u < 0xE000) lone();
        if (u >= 0xD800 && u < 0xDC00) {
            if (next() != '\\' || next() != 'u') lone();
            uint32_t v = hex4();
            if (v < 0xDC00 || v > 0xDFFF) lone();
            // raw: both halves were held to their ranges of 10 bits
            u = 0x10000 + ((u - 0xD800) << 10) + (v - 0xDC00);
        }
        if (u < 0x80) return put(static_cast<char>(u));
        if (u < 0x800)
            put(static_cast<char>(0xC0 | u >> 6));
        else if (u < 0x10000)
            put(static_cast<char>(0xE0 | u >> 12));
        else
            put(static_cast<char>(0xF0 | u >> 18)), put(static_cast<char>(0x80 | (u >> 12 & 0x3F)));
        if (u >= 0x800) put(static_cast<char>(0x80 | (u >> 6 & 0x3F)));
        put(static_cast<char>(0x80 | (u & 0x3F)));
    }

    uint32_t hex4() {
        uint32_t u = 0;
        for (int i = 0; i < 4; ++i) {
            int c = next();
            int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
            if (d < 0) broken(c, "four hex digits in an escape");
            u = u << 4 | static_cast<uint32_t>(d);
        }
        return u;
    }

    void check_tiling(size_t first) {
        if (Checked(out_.size()) != Checked(first) + n_tensors_) fail(Code::io, "the file changed while it was read");
        // raw: out_ ends with them, as was just asked
        auto begin = out_.end() - static_cast<std::ptrdiff_t>(n_tensors_), end = out_.end();
        // Empty tensors sort before the one that starts where they stand, so their order in the header cannot matter.
        std::sort(begin, end, [](const TensorInfo &a, const TensorInfo &b) {
            return a.offset != b.offset ? a.offset < b.offset : a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
        });
        Checked at = data_offset_;
        for (auto t = begin; t != end; ++t) {
            if (Checked(t->offset) != at)
                fail(Code::format, "tensor ", quoted{t->name}, " starts at data offset ", Checked(t->offset) - data_offset_,
                     ", the one before it ends at ", at - data_offset_);
            at = Checked(t->offset) + t->bytes;
        }
        if (at > Checked(source_.size())) fail(Code::io, "the file changed while it was read");
        Vector<uint32_t> index(Alloc<uint32_t>(memory_, MemTag::scratch));
        index.resize(n_tensors_);
        for (size_t i = 0; i < n_tensors_; ++i) index[i] = static_cast<uint32_t>(i);
        std::sort(index.begin(), index.end(), [&](uint32_t a, uint32_t b) { return begin[a].name < begin[b].name; });
        for (size_t i = 1; i < n_tensors_; ++i)
            // raw: i starts at 1
            if (begin[index[i - 1]].name == begin[index[i]].name)
                fail(Code::format, "tensor ", quoted{begin[index[i]].name}, " stands in the header twice");
    }

    // Characters.
    int peek() {
        if (pos_ >= header_bytes_) return -1;
        // raw: the window starts at or before pos_
        if (pos_ - window_from_ >= window_have_) refill();
        // raw: the window starts at or before pos_
        return static_cast<unsigned char>(window_[static_cast<size_t>(pos_ - window_from_)]);
    }
    int next() {
        int c = peek();
        if (c >= 0) ++pos_;
        return c;
    }
    void refill() {
        window_from_ = pos_;
        // raw: peek() asks for pos_ < header_bytes_
        uint64_t left = header_bytes_ - pos_;
        window_have_ = left < window_.size() ? left : window_.size();
        source_.read_at((Checked(8) + pos_).value(), {window_.data(), static_cast<size_t>(window_have_)});
    }
    void space() {
        for (int c = peek(); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek()) ++pos_;
    }
    void expect(char want, const char *where) {
        int c = next();
        if (c == want) return;
        if (c < 0) cut();
        char got = static_cast<char>(c);
        fail_at(Code::format, here(), "the header at offset ", here().offset, " has ", quoted{{&got, 1}}, ", expected '", want, "' ",
                where);
    }
    [[noreturn]] void broken(int c, const char *want) {
        if (c < 0) cut();
        char got = static_cast<char>(c);
        fail_at(Code::format, here(), "the header at offset ", here().offset, " has ", quoted{{&got, 1}}, ", expected ", want);
    }
    [[noreturn]] void cut() { fail_at(Code::format, here(), "truncated: the header ends at offset ", data_offset_, " inside its JSON"); }
    [[noreturn]] void not_text() { fail_at(Code::format, here(), "the header at offset ", here().offset, " is not valid UTF-8"); }
    [[noreturn]] void lone() { fail_at(Code::format, here(), "the header at offset ", here().offset, " has an unpaired surrogate escape"); }
    // The byte that was read last.
    // raw: pos_ is at most the header's 100 MB
    Place here() const { return {static_cast<int64_t>(pos_ ? 7 + pos_ : 8), 0, 0}; }

    Memory &memory_;
    const Source &source_;
    uint32_t source_id_;
    const Limits &limits_;
    Arena &names_;
    Vector<TensorInfo> &out_;
    Vector<std::byte> window_;
    uint64_t header_bytes_ = 0, data_bytes_ = 0, data_offset_ = 0;
    uint64_t pos_ = 0, window_from_ = 0, window_have_ = 0;
    uint64_t n_tensors_ = 0, last_end_ = 0;
    Checked sum_;
    bool storing_ = false;
    size_t name_size_ = 0;
    char name_[kMaxName];
};

}  // namespace

void read_safetensors(Memory &m, const Source &source, uint32_t source_id, const Limits &limits, Arena &names, Vector<TensorInfo> &out) {
    StParser(m, source, source_id, limits, names, out).run();
}

}  // namespace inlay::io
