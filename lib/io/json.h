// SPDX-License-Identifier: Apache-2.0
// JSON from anywhere (config, tokenizer, request, schema), parsed once into an immutable tree. Objects keep the
// order of the text, numbers keep their token (integers beyond 64 bits survive), duplicate keys are refused, depth and
// size are capped. simdjson reads the text (json.cpp is its only user); the tree is ours.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/containers.h"
#include "base/error.h"

namespace inlay::io {

enum class JsonKind : uint8_t { null, boolean, number, string, array, object };

struct JsonMember;

// A node; lives as long as its JsonDocument. Cheap to pass by reference, never copied.
class Json {
public:
    JsonKind kind() const noexcept { return kind_; }
    bool is_null() const noexcept { return kind_ == JsonKind::null; }
    bool is_bool() const noexcept { return kind_ == JsonKind::boolean; }
    bool is_number() const noexcept { return kind_ == JsonKind::number; }
    bool is_string() const noexcept { return kind_ == JsonKind::string; }
    bool is_array() const noexcept { return kind_ == JsonKind::array; }
    bool is_object() const noexcept { return kind_ == JsonKind::object; }

    // Unchecked by kind: ask first, or use the get_* helpers below, which fail with the key's name.
    bool boolean() const noexcept { return flag_; }
    std::string_view string() const noexcept { return {text_, size_}; }       // decoded UTF-8, may hold NUL
    std::string_view number_text() const noexcept { return {text_, size_}; }  // the token as written: "1.0", "-7", "1e3"
    bool is_integer() const noexcept;                                         // a token without '.', 'e', 'E'
    std::optional<int64_t> integer() const noexcept;                          // integer token that fits
    double number() const noexcept;                                           // nearest double (inf if too large)
    std::span<const Json> items() const noexcept { return {items_, size_}; }  // array
    inline std::span<const JsonMember> members() const noexcept;              // object, in text order
    const Json *find(std::string_view key) const noexcept;                    // object member or null
    // find(), where a member that is JSON null counts as absent (Hugging Face configs write "rope_scaling": null).
    const Json *get(std::string_view key) const noexcept;

private:
    friend class JsonBuilder;
    JsonKind kind_ = JsonKind::null;
    bool flag_ = false;
    size_t size_ = 0;
    union {
        const char *text_ = nullptr;
        const Json *items_;
        const JsonMember *members_;
    };
};

struct JsonMember {
    std::string_view key;
    Json value;
};

std::span<const JsonMember> Json::members() const noexcept { return {members_, size_}; }

struct JsonLimits {
    uint64_t bytes = 8u << 20;
    uint32_t depth = 64;
    uint64_t values = 64u << 20;  // nodes in all
    uint32_t number_chars = 1024;
    // Default: duplicate keys are FORMAT. Request paths that must accept them (last wins) clear this.
    bool refuse_duplicates = true;
};

// Owns the tree. parse() copies what it needs: `text` may go away. Errors: FORMAT (with offset), "truncated: …", LIMIT.
class JsonDocument {
public:
    static JsonDocument parse(Memory &m, std::string_view text, const JsonLimits &limits, std::string_view what = "JSON");
    JsonDocument(JsonDocument &&) noexcept;
    JsonDocument &operator=(JsonDocument &&) noexcept;
    ~JsonDocument();
    const Json &root() const noexcept { return *root_; }

private:
    JsonDocument() = default;
    struct Storage;
    Owned<Storage> storage_;
    const Json *root_ = nullptr;
};

// Typed lookups for configs. An absent (or null) key gives the fallback; a wrong type is FORMAT and names the key.
int64_t get_int(const Json &object, std::string_view key, int64_t fallback);
double get_double(const Json &object, std::string_view key, double fallback);
bool get_bool(const Json &object, std::string_view key, bool fallback);
std::string_view get_string(const Json &object, std::string_view key, std::string_view fallback);
// The required forms fail with FORMAT "key '…' is missing".
int64_t need_int(const Json &object, std::string_view key);
const Json &need(const Json &object, std::string_view key);

// Appends `s` as a JSON string with quotes; non-ASCII stays UTF-8, broken bytes become U+FFFD.
void append_json_string(String &out, std::string_view s);
void append_json_number(String &out, double v);  // shortest round trip form; NaN/Inf as null

}  // namespace inlay::io
