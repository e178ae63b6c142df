// SPDX-License-Identifier: Apache-2.0
// The reader of GGUF heads. Both passes run the same code; only the second has a block to fill. Sizes from the file
// are Checked until they have been compared with what is really there.
#include "io/gguf.h"

#include <algorithm>

#include "base/checked.h"
#include "io/magic.h"
#include "io/source_reader.h"
#include "io/utf8.h"

namespace inlay::io {

namespace {

// Bytes of one element; 0 for strings and arrays, which have no fixed size.
constexpr uint64_t element_bytes(GgufType t) noexcept {
    switch (t) {
        case GgufType::u8:
        case GgufType::i8:
        case GgufType::boolean:
            return 1;
        case GgufType::u16:
        case GgufType::i16:
            return 2;
        case GgufType::u32:
        case GgufType::i32:
        case GgufType::f32:
            return 4;
        case GgufType::u64:
        case GgufType::i64:
        case GgufType::f64:
            return 8;
        case GgufType::string:
        case GgufType::array:
            return 0;
    }
    return 0;
}

// The smallest key-value pair: length, one byte of key, type, one byte of value; and what section 2 of the limits takes
// as the smallest tensor entry.
constexpr uint64_t kMinEntry = 14, kMinTensor = 24;

}  // namespace

class GgufParser {
public:
    GgufParser(Memory &m, const Source &source, const Limits &limits, const Log &log)
        : memory_(m), source_(source), limits_(limits), log_(log) {}

    Owned<Gguf> run() {
        auto out = make_owned<Gguf>(memory_, memory_);
        pass(nullptr);
        // Numbers first (8-aligned each), then ends of strings, then text.
        Checked numbers = n_numbers_, ends = Checked(n_strings_) * sizeof(uint32_t);
        out->block_ = Buffer(memory_, (numbers + ends + n_text_).size(), 64, MemTag::general);
        std::byte *base = out->block_.data();
        numbers_ = {base, numbers.size()};
        // raw: inside the block, whose size was summed as Checked
        ends_ = {reinterpret_cast<uint32_t *>(base + numbers.size()), n_strings_.size()};
        text_ = {reinterpret_cast<char *>(base) + (numbers + ends).size(), n_text_.size()};
        out->entries_.reserve(n_entries_);
        out->tensors_.reserve(n_tensors_);
        pass(out.get());
        sort_names(*out);
        out->version_ = version_;
        out->alignment_ = alignment_.value();
        out->data_offset_ = data_offset_.value();
        if (source_.size() > end_.value())
            log_.line(LogLevel::info, "the file has ", Checked(source_.size()) - end_, " bytes after its last tensor");
        return out;
    }

private:
    void pass(Gguf *out) {
        SourceReader r(memory_, source_);
        out_ = out;
        header(r);
        for (size_t i = 0; i < n_entries_; ++i) entry(r);
        expected_ = 0;
        for (size_t i = 0; i < n_tensors_; ++i) tensor(r);
        head_end_ = r.offset();
        // Offsets were compared with each other while reading; whether they lie in the file is known only now.
        data_offset_ = head_end_.rounded_up(alignment_);
        end_ = n_tensors_ ? data_offset_ + last_end_ : head_end_;
        if (end_ > Checked(source_.size()))
            fail(Code::format, "truncated: tensor data ends at offset ", end_, ", the file has ", source_.size(), " bytes");
        if (out)
            for (GgufTensor &t : out->tensors_) t.offset = (data_offset_ + Checked(t.offset)).value();
    }

    void header(SourceReader &r) {
        std::byte head[32] = {};
        size_t have = source_.size() < sizeof head ? static_cast<size_t>(source_.size()) : sizeof head;
        source_.read_at(0, {head, have});
        std::string_view text(reinterpret_cast<const char *>(head), have);
        if (text.substr(0, 4) != std::string_view("GGUF").substr(0, have < 4 ? have : 4)) {
            if (const char *what = looks_like(text)) fail_at(Code::format, {0, 0, 0}, "not a GGUF file: it looks like ", what);
            fail_at(Code::format, {0, 0, 0}, "not a GGUF file: it starts with ", quoted{text.substr(0, 4)});
        }
        r.skip(4, "the magic");
        version_ = r.read<uint32_t>("the version");
        if (version_ == 0x03000000u || version_ == 0x02000000u) fail_at(Code::unsupported, {4, 0, 0}, "big-endian GGUF is not supported");
        if (version_ == 1)
            fail_at(Code::unsupported, {4, 0, 0}, "GGUF version 1 is not supported: convert the file again, versions 2 and 3 are read");
        if (version_ != 2 && version_ != 3)
            fail_at(Code::unsupported, {4, 0, 0}, "GGUF version ", version_, " is not supported, 2 and 3 are");
        uint64_t tensors = r.read<uint64_t>("the number of tensors"), entries = r.read<uint64_t>("the number of keys");
        count(tensors, limits_.gguf_tensors, kMinTensor, r, 8, "tensors");
        count(entries, limits_.gguf_kv, kMinEntry, r, 16, "keys");
        n_tensors_ = Checked(tensors).size();
        n_entries_ = Checked(entries).size();
    }

    void count(uint64_t n, uint64_t cap, uint64_t each, const SourceReader &r, int64_t at, const char *what) {
        if (n > cap) fail_at(Code::limit, {at, 0, 0}, "the file declares ", n, " ", what, ", limit ", cap);
        if (Checked(n) * each > Checked(r.remaining()))
            fail_at(Code::format, {at, 0, 0}, "truncated: ", n, " ", what, " need at least ", Checked(n) * each, " bytes, ", r.remaining(),
                    " remain");
    }

    // Length-prefixed text with a cap below the window: a key or a name.
    std::string_view short_text(SourceReader &r, uint64_t cap, const char *what) {
        uint64_t at = r.offset(), n = r.read<uint64_t>(what);
        Place place{static_cast<int64_t>(at), 0, 0};
        if (n > r.remaining())
            fail_at(Code::format, place, "truncated: ", what, " at offset ", at, " has ", n, " bytes, ", r.remaining(), " remain");
        uint64_t max = cap < SourceReader::window_bytes ? cap : SourceReader::window_bytes;
        if (n > max) fail_at(Code::limit, place, what, " at offset ", at, " has ", n, " bytes, limit ", max);
        if (n == 0) fail_at(Code::format, place, what, " at offset ", at, " is empty");
        std::string_view s = r.text(n, what);
        if (s.find('\0') != std::string_view::npos) fail_at(Code::format, place, what, " ", quoted{s}, " at offset ", at, " holds a NUL");
        if (utf8_valid_prefix(s) != s.size()) fail_at(Code::format, place, what, " ", quoted{s}, " at offset ", at, " is not valid UTF-8");
        return keep_text(s);
    }

    GgufType type_id(uint32_t id, uint64_t at, std::string_view key) {
        if (id > static_cast<uint32_t>(GgufType::f64))
            fail_at(Code::format, {static_cast<int64_t>(at), 0, 0}, "key ", quoted{key}, " has value type ", static_cast<int32_t>(id),
                    " at offset ", at, ", known are 0 to 12");
        return static_cast<GgufType>(id);
    }

    void entry(SourceReader &r) {
        // The first pass has no copy of the key, and its window moves on: what messages need stays here.
        std::string_view key = short_text(r, limits_.gguf_key_bytes, "a key");
        size_t shown = key.size() < sizeof key_copy_ ? key.size() : sizeof key_copy_;
        std::memcpy(key_copy_, key.data(), shown);
        bool alignment = key == "general.alignment";
        if (!out_) key = {key_copy_, shown};
        uint64_t at = r.offset();
        GgufValue v;
        v.type_ = type_id(r.read<uint32_t>("a value's type"), at, key);
        v.count_ = 1;
        if (v.type_ == GgufType::array) {
            v.array_ = true;
            at = r.offset();
            v.type_ = type_id(r.read<uint32_t>("an array's type"), at, key);
            if (v.type_ == GgufType::array)
                fail_at(Code::unsupported, {static_cast<int64_t>(at), 0, 0}, "key ", quoted{key}, " is an array of arrays");
            v.count_ = r.read<uint64_t>("an array's length");
            if (v.count_ > limits_.gguf_array)
                fail_at(Code::limit, {static_cast<int64_t>(at), 0, 0}, "key ", quoted{key}, " has ", v.count_, " elements, limit ",
                        limits_.gguf_array);
        }
        at = r.offset();
        if (v.type_ == GgufType::string)
            strings(r, v, key);
        else
            numbers(r, v, key);
        if (r.offset() > limits_.gguf_metadata_bytes)
            fail_at(Code::limit, {static_cast<int64_t>(at), 0, 0}, "metadata grows beyond its limit of ", limits_.gguf_metadata_bytes,
                    " bytes in key ", quoted{key});
        if (alignment) set_alignment(v, at);
        if (out_) out_->entries_.push_back({key, v});
    }

    void strings(SourceReader &r, GgufValue &v, std::string_view key) {
        // Each string has at least its 8 bytes of length, so a hostile count ends here.
        if (Checked(v.count_) * sizeof(uint64_t) > Checked(r.remaining()))
            fail(Code::format, "truncated: key ", quoted{key}, " has ", v.count_, " strings, ", r.remaining(), " bytes remain");
        n_strings_ += v.count_;
        if (out_) {
            if (v.count_ > ends_.size()) changed();
            v.ends_ = ends_.data();
            v.data_ = reinterpret_cast<const std::byte *>(text_.data());
        }
        Checked end = 0;
        for (uint64_t i = 0; i < v.count_; ++i) {
            uint64_t at = r.offset(), n = r.read<uint64_t>("a string's length");
            if (n > r.remaining() || n > limits_.gguf_string_bytes) {
                Place place{static_cast<int64_t>(at), 0, 0};
                if (n > r.remaining())
                    fail_at(Code::format, place, "truncated: string ", i, " of key ", quoted{key}, " at offset ", at, " has ", n,
                            " bytes, ", r.remaining(), " remain");
                fail_at(Code::limit, place, "string ", i, " of key ", quoted{key}, " at offset ", at, " has ", n, " bytes, limit ",
                        limits_.gguf_string_bytes);
            }
            end += n;
            if (out_) {
                if (n > text_.size()) changed();
                r.read_into(std::as_writable_bytes(text_.first(static_cast<size_t>(n))), "a string");
                text_ = text_.subspan(static_cast<size_t>(n));
                ends_[0] = end.to<uint32_t>("text of one array");
                ends_ = ends_.subspan(1);
            } else {
                r.skip(n, "a string");
                n_text_ += n;
            }
        }
        end.to<uint32_t>("text of one array");
    }

    void numbers(SourceReader &r, GgufValue &v, std::string_view key) {
        Checked bytes = Checked(v.count_) * element_bytes(v.type_);
        uint64_t at = r.offset();
        if (bytes > Checked(r.remaining()))
            fail_at(Code::format, {static_cast<int64_t>(at), 0, 0}, "truncated: key ", quoted{key}, " at offset ", at, " needs ", bytes,
                    " bytes, ", r.remaining(), " remain");
        Checked padded = bytes.rounded_up(8);
        if (out_) {
            if (padded > Checked(numbers_.size())) changed();
            v.data_ = numbers_.data();
            r.read_into(numbers_.first(bytes.size()), "a value");
            if (v.type_ == GgufType::boolean) check_bools(numbers_.first(bytes.size()), at, key);
            numbers_ = numbers_.subspan(padded.size());
            return;
        }
        n_numbers_ += padded;
        bool small = !v.array_;  // kept for general.alignment, which is needed before anything is stored
        if (small) {
            v.data_ = scalar_;
            r.read_into({scalar_, bytes.size()}, "a value");
            if (v.type_ == GgufType::boolean) check_bools({scalar_, bytes.size()}, at, key);
        } else if (v.type_ == GgufType::boolean) {
            for (Checked left = bytes; left > Checked(0);) {
                Checked n = std::min(left, Checked(SourceReader::window_bytes / 2));
                at = r.offset();
                std::string_view s = r.text(n, "an array of bools");
                check_bools({reinterpret_cast<const std::byte *>(s.data()), s.size()}, at, key);
                left = left - n;
            }
        } else {
            r.skip(bytes, "an array");
        }
    }

    void check_bools(std::span<const std::byte> b, uint64_t at, std::string_view key) {
        for (size_t i = 0; i < b.size(); ++i)
            if (b[i] > std::byte{1}) {
                uint64_t where = (Checked(at) + i).value();
                fail_at(Code::format, {static_cast<int64_t>(where), 0, 0}, "key ", quoted{key}, " has a bool of ", static_cast<int>(b[i]),
                        " at offset ", where, ", 0 and 1 are bools");
            }
    }

    void set_alignment(const GgufValue &v, uint64_t at) {
        Place place{static_cast<int64_t>(at), 0, 0};
        if (v.is_array() || v.type() != GgufType::u32)
            fail_at(Code::format, place, "key 'general.alignment' is ", v.is_array() ? "an array of " : "", gguf_type_name(v.type()),
                    ", expected u32");
        uint64_t a = static_cast<uint64_t>(*v.integer());
        if (a < 8 || a > limits_.alignment_max || (a & (a - 1)))  // raw: a power-of-two test of a value that is at least 8
            fail_at(Code::format, place, "key 'general.alignment' is ", a, ", expected a power of two from 8 to ", limits_.alignment_max);
        alignment_ = a;
    }

    void tensor(SourceReader &r) {
        uint64_t at = r.offset();
        Place place{static_cast<int64_t>(at), 0, 0};
        GgufTensor t{};
        t.name = short_text(r, limits_.gguf_name_bytes, "a tensor name");
        char name[64];  // as for keys: the window may move
        size_t shown = t.name.size() < sizeof name ? t.name.size() : sizeof name;
        std::memcpy(name, t.name.data(), shown);
        if (!out_) t.name = {name, shown};
        t.n_dims = r.read<uint32_t>("a tensor's number of dimensions");
        if (t.n_dims == 0) fail_at(Code::format, place, "tensor ", quoted{t.name}, " has no dimensions");
        if (t.n_dims > 4) fail_at(Code::limit, place, "tensor ", quoted{t.name}, " has ", t.n_dims, " dimensions, limit 4");
        Checked elements = 1;
        for (uint32_t i = 0; i < 4; ++i) {
            t.dims[i] = i < t.n_dims ? r.read<uint64_t>("a tensor's dimension") : 1;
            if (t.dims[i] == 0) fail_at(Code::format, place, "tensor ", quoted{t.name}, " has dimension ", i, " of 0");
            if (t.dims[i] > limits_.dim)
                fail_at(Code::limit, place, "tensor ", quoted{t.name}, " has dimension ", i, " of ", t.dims[i], ", limit ", limits_.dim);
            elements *= t.dims[i];
        }
        int32_t type = r.read<int32_t>("a tensor's type");
        const DTypeInfo *info = dtype_info(type);
        if (!info) {
            if (const char *gone = dtype_removed_name(type))
                fail_at(Code::unsupported, place, "tensor ", quoted{t.name}, " has type ", gone, " (", type,
                        "), which was removed from the format: quantize it again");
            if (type == 9 || type == 15)
                fail_at(Code::unsupported, place, "tensor ", quoted{t.name}, " has type ", type == 9 ? "Q8_1" : "Q8_K",
                        ", an activation type");
            fail_at(Code::format, place, "tensor ", quoted{t.name}, " has the unknown type ", type);
        }
        t.type = info->type;
        Checked block = info->block;
        if (Checked(t.dims[0]) % block != Checked(0))
            fail_at(Code::format, place, "tensor ", quoted{t.name}, " has rows of ", t.dims[0], ", type ", info->name,
                    " needs a multiple of ", block);
        Checked bytes = elements / block * info->block_bytes;
        t.bytes = bytes.value();
        t.offset = r.read<uint64_t>("a tensor's offset");
        // One place for each tensor, given by those before it: no gap, no overlap, no other order (as ggml has it).
        if (Checked(t.offset) != expected_)
            fail_at(Code::format, place, "tensor ", quoted{t.name}, " has offset ", t.offset, ", the tensors before it end at ", expected_,
                    " (alignment ", alignment_, ")");
        last_end_ = Checked(t.offset) + bytes;
        expected_ = last_end_.rounded_up(alignment_);
        if (out_) out_->tensors_.push_back(t);
    }

    std::string_view keep_text(std::string_view s) {
        if (!out_) {
            n_text_ += s.size();
            return s;
        }
        if (s.size() > text_.size()) changed();
        std::memcpy(text_.data(), s.data(), s.size());
        std::string_view kept(text_.data(), s.size());
        text_ = text_.subspan(s.size());
        return kept;
    }

    void sort_names(Gguf &g) {
        order(
            g.by_key_, g.entries_.size(), [&](uint32_t i) { return g.entries_[i].key; }, "key");
        order(
            g.by_name_, g.tensors_.size(), [&](uint32_t i) { return g.tensors_[i].name; }, "tensor");
    }
    template <class Name>
    void order(Vector<uint32_t> &index, size_t n, Name name, const char *what) {
        index.resize(n);
        for (size_t i = 0; i < n; ++i) index[i] = static_cast<uint32_t>(i);
        std::sort(index.begin(), index.end(), [&](uint32_t a, uint32_t b) { return name(a) < name(b); });
        for (size_t i = 1; i < n; ++i)
            // raw: i starts at 1
            if (name(index[i - 1]) == name(index[i])) fail(Code::format, what, " ", quoted{name(index[i])}, " stands in the file twice");
    }

    [[noreturn]] void changed() { fail(Code::io, "the file changed while it was read"); }

    Memory &memory_;
    const Source &source_;
    const Limits &limits_;
    const Log &log_;
    Gguf *out_ = nullptr;  // null in the first pass
    uint32_t version_ = 0;
    size_t n_tensors_ = 0, n_entries_ = 0;
    Checked alignment_ = 32;  // the format's default
    Checked n_numbers_, n_strings_, n_text_;
    Checked expected_, last_end_, head_end_, data_offset_, end_;
    std::span<std::byte> numbers_;
    std::span<uint32_t> ends_;
    std::span<char> text_;
    alignas(8) std::byte scalar_[8] = {};
    char key_copy_[64] = {};
};

Owned<Gguf> Gguf::read(Memory &m, const Source &source, const Limits &limits, const Log &log) {
    return GgufParser(m, source, limits, log).run();
}

}  // namespace inlay::io
