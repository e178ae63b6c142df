// SPDX-License-Identifier: Apache-2.0
// Looking things up in a parsed GGUF head.
#include <algorithm>
#include <cstring>
#include <limits>

#include "io/gguf.h"

namespace inlay::io {

const char *gguf_type_name(GgufType t) noexcept {
    static constexpr const char *names[] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
    return static_cast<size_t>(t) < std::size(names) ? names[static_cast<size_t>(t)] : "?";
}

bool GgufValue::is_integer() const noexcept {
    switch (type_) {
        case GgufType::u8:
        case GgufType::i8:
        case GgufType::u16:
        case GgufType::i16:
        case GgufType::u32:
        case GgufType::i32:
        case GgufType::u64:
        case GgufType::i64:
            return true;
        default:
            return false;
    }
}

bool GgufValue::is_number() const noexcept { return is_integer() || type_ == GgufType::f32 || type_ == GgufType::f64; }

namespace {

template <class T>
T load(const std::byte *data, uint64_t i) noexcept {
    T v;
    // raw: i < count, and count elements lie in the block
    std::memcpy(&v, data + i * sizeof(T), sizeof(T));
    return v;
}

}  // namespace

std::optional<int64_t> GgufValue::integer(uint64_t i) const noexcept {
    switch (type_) {
        case GgufType::u8:
            return load<uint8_t>(data_, i);
        case GgufType::i8:
            return load<int8_t>(data_, i);
        case GgufType::u16:
            return load<uint16_t>(data_, i);
        case GgufType::i16:
            return load<int16_t>(data_, i);
        case GgufType::u32:
            return load<uint32_t>(data_, i);
        case GgufType::i32:
            return load<int32_t>(data_, i);
        case GgufType::i64:
            return load<int64_t>(data_, i);
        case GgufType::u64: {
            uint64_t v = load<uint64_t>(data_, i);
            if (v > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
            return static_cast<int64_t>(v);
        }
        default:
            return std::nullopt;
    }
}

double GgufValue::number(uint64_t i) const noexcept {
    if (type_ == GgufType::f32) return load<float>(data_, i);
    if (type_ == GgufType::f64) return load<double>(data_, i);
    if (type_ == GgufType::u64) return static_cast<double>(load<uint64_t>(data_, i));
    if (auto v = integer(i)) return static_cast<double>(*v);
    return std::numeric_limits<double>::quiet_NaN();
}

bool GgufValue::boolean(uint64_t i) const noexcept { return type_ == GgufType::boolean && data_[i] == std::byte{1}; }

std::string_view GgufValue::string(uint64_t i) const noexcept {
    if (type_ != GgufType::string) return {};
    // raw: i is 0 in the other case; ends never fall, the parser summed them as Checked
    uint32_t from = i ? ends_[i - 1] : 0;
    // raw: as above
    return {reinterpret_cast<const char *>(data_) + from, ends_[i] - from};
}

template <class T>
std::span<const T> GgufValue::as() const noexcept {
    constexpr GgufType want = std::is_same_v<T, uint8_t>    ? GgufType::u8
                              : std::is_same_v<T, int8_t>   ? GgufType::i8
                              : std::is_same_v<T, uint16_t> ? GgufType::u16
                              : std::is_same_v<T, int16_t>  ? GgufType::i16
                              : std::is_same_v<T, uint32_t> ? GgufType::u32
                              : std::is_same_v<T, int32_t>  ? GgufType::i32
                              : std::is_same_v<T, float>    ? GgufType::f32
                              : std::is_same_v<T, uint64_t> ? GgufType::u64
                              : std::is_same_v<T, int64_t>  ? GgufType::i64
                                                            : GgufType::f64;
    if (type_ != want) return {};
    return {reinterpret_cast<const T *>(data_), static_cast<size_t>(count_)};
}
template std::span<const uint8_t> GgufValue::as() const noexcept;
template std::span<const int8_t> GgufValue::as() const noexcept;
template std::span<const uint16_t> GgufValue::as() const noexcept;
template std::span<const int16_t> GgufValue::as() const noexcept;
template std::span<const uint32_t> GgufValue::as() const noexcept;
template std::span<const int32_t> GgufValue::as() const noexcept;
template std::span<const float> GgufValue::as() const noexcept;
template std::span<const uint64_t> GgufValue::as() const noexcept;
template std::span<const int64_t> GgufValue::as() const noexcept;
template std::span<const double> GgufValue::as() const noexcept;

namespace {

template <class Items, class Name>
auto lookup(const Items &items, const Vector<uint32_t> &index, std::string_view name, Name of) -> decltype(&items[0]) {
    auto it = std::lower_bound(index.begin(), index.end(), name, [&](uint32_t i, std::string_view n) { return of(items[i]) < n; });
    return it != index.end() && of(items[*it]) == name ? &items[*it] : nullptr;
}

[[noreturn]] void wrong_type(std::string_view key, const GgufValue &v, const char *want) {
    fail(Code::format, "key ", quoted{key}, " is ", v.is_array() ? "an array of " : "", gguf_type_name(v.type()), ", expected ", want);
}

}  // namespace

const GgufValue *Gguf::find(std::string_view key) const noexcept {
    auto *e = lookup(entries_, by_key_, key, [](const GgufEntry &x) { return x.key; });
    return e ? &e->value : nullptr;
}

const GgufTensor *Gguf::find_tensor(std::string_view name) const noexcept {
    return lookup(tensors_, by_name_, name, [](const GgufTensor &x) { return x.name; });
}

const GgufValue &Gguf::need(std::string_view key) const {
    const GgufValue *v = find(key);
    if (!v) fail(Code::format, "key ", quoted{key}, " is missing");
    return *v;
}

int64_t Gguf::need_int(std::string_view key) const {
    const GgufValue &v = need(key);
    if (v.is_array() || !v.is_integer()) wrong_type(key, v, "an integer");
    auto i = v.integer();
    if (!i) fail(Code::format, "key ", quoted{key}, " is beyond 63 bits");
    return *i;
}

double Gguf::need_double(std::string_view key) const {
    const GgufValue &v = need(key);
    if (v.is_array() || !v.is_number()) wrong_type(key, v, "a number");
    return v.number();
}

std::string_view Gguf::need_string(std::string_view key) const {
    const GgufValue &v = need(key);
    if (!v.is_string()) wrong_type(key, v, "a string");
    return v.string();
}

int64_t Gguf::get_int(std::string_view key, int64_t fallback) const { return find(key) ? need_int(key) : fallback; }
double Gguf::get_double(std::string_view key, double fallback) const { return find(key) ? need_double(key) : fallback; }
std::string_view Gguf::get_string(std::string_view key, std::string_view fallback) const { return find(key) ? need_string(key) : fallback; }

bool Gguf::get_bool(std::string_view key, bool fallback) const {
    const GgufValue *v = find(key);
    if (!v) return fallback;
    if (v->is_array() || v->type() != GgufType::boolean) wrong_type(key, *v, "a bool");
    return v->boolean();
}

}  // namespace inlay::io
