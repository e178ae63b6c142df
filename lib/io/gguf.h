// SPDX-License-Identifier: Apache-2.0
// GGUF v2 and v3, read once into an immutable descriptor: typed metadata and the tensor directory, every size checked
// against the file. Only the head of the file is read, never tensor data. Two passes over the head: the first checks
// everything and counts, the second fills one exactly sized block, so a hostile count allocates nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/containers.h"
#include "base/dtype.h"
#include "base/limits.h"
#include "base/log.h"
#include "io/source.h"

namespace inlay::io {

// The value types of the format, with its numbers.
enum class GgufType : uint8_t {
    u8 = 0,
    i8 = 1,
    u16 = 2,
    i16 = 3,
    u32 = 4,
    i32 = 5,
    f32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    u64 = 10,
    i64 = 11,
    f64 = 12
};
const char *gguf_type_name(GgufType t) noexcept;

// One value: a scalar or an array of scalars or strings (arrays of arrays are refused). A view into its Gguf.
class GgufValue {
public:
    bool is_array() const noexcept { return array_; }
    GgufType type() const noexcept { return type_; }    // of the scalar, or of the array's elements
    uint64_t count() const noexcept { return count_; }  // 1 for a scalar
    bool is_string() const noexcept { return !array_ && type_ == GgufType::string; }
    bool is_string_array() const noexcept { return array_ && type_ == GgufType::string; }
    bool is_integer() const noexcept;  // elements are of an integer type (bool is not)
    bool is_number() const noexcept;   // integer or float type

    // Element i (0 for a scalar); i < count(). A u64 above INT64_MAX is nullopt; so is any type that is not an integer.
    std::optional<int64_t> integer(uint64_t i = 0) const noexcept;
    double number(uint64_t i = 0) const noexcept;  // integer or float types; else NaN
    bool boolean(uint64_t i = 0) const noexcept;
    std::string_view string(uint64_t i = 0) const noexcept;  // raw bytes: tokens need not be valid UTF-8
    // The elements of a number array as they lie in the block: type() must be T's. Empty otherwise.
    template <class T>
    std::span<const T> as() const noexcept;

private:
    friend class GgufParser;
    const std::byte *data_ = nullptr;  // numbers: the elements; strings: the text of all
    const uint32_t *ends_ = nullptr;   // strings: where each ends in data_
    uint64_t count_ = 0;
    GgufType type_ = GgufType::u8;
    bool array_ = false;
};

struct GgufEntry {
    std::string_view key;
    GgufValue value;
};

struct GgufTensor {
    std::string_view name;
    DType type;
    uint32_t n_dims;
    uint64_t dims[4];  // ne order: dims[0] runs fastest; 1 beyond n_dims
    uint64_t offset;   // from the start of the Source
    uint64_t bytes;
};

class Gguf {
public:
    // Errors: FORMAT ("truncated: …" where the file ends early), UNSUPPORTED, LIMIT, IO.
    static Owned<Gguf> read(Memory &m, const Source &source, const Limits &limits, const Log &log);
    ~Gguf() = default;

    uint32_t version() const noexcept { return version_; }
    uint64_t alignment() const noexcept { return alignment_; }
    uint64_t data_offset() const noexcept { return data_offset_; }             // where tensor data begins
    std::span<const GgufEntry> entries() const noexcept { return entries_; }   // file order
    std::span<const GgufTensor> tensors() const noexcept { return tensors_; }  // file order
    const GgufValue *find(std::string_view key) const noexcept;
    const GgufTensor *find_tensor(std::string_view name) const noexcept;

    // Typed lookups. Absent: the fallback. Wrong type, an array, or out of range of int64: FORMAT naming the key.
    int64_t get_int(std::string_view key, int64_t fallback) const;
    double get_double(std::string_view key, double fallback) const;  // integer or float value
    bool get_bool(std::string_view key, bool fallback) const;
    std::string_view get_string(std::string_view key, std::string_view fallback) const;
    // Required forms: FORMAT "key '…' is missing".
    const GgufValue &need(std::string_view key) const;
    int64_t need_int(std::string_view key) const;
    double need_double(std::string_view key) const;
    std::string_view need_string(std::string_view key) const;

    explicit Gguf(Memory &m)
        : entries_(Alloc<GgufEntry>(m)), tensors_(Alloc<GgufTensor>(m)), by_key_(Alloc<uint32_t>(m)), by_name_(Alloc<uint32_t>(m)) {}

private:
    friend class GgufParser;
    uint32_t version_ = 0;
    uint64_t alignment_ = 32, data_offset_ = 0;
    Buffer block_;  // keys, names, values
    Vector<GgufEntry> entries_;
    Vector<GgufTensor> tensors_;
    Vector<uint32_t> by_key_, by_name_;  // sorted orders
};

}  // namespace inlay::io
