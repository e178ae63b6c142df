// SPDX-License-Identifier: Apache-2.0
// A JSON Schema as a document: where each part stands (for JSON pointers in errors), which draft it is written in, and
// where its references lead. Nothing is fetched.
#pragma once

#include <string_view>

#include "base/limits.h"
#include "io/json.h"
#include "text/grammar/constraint.h"

namespace inlay::text::grammar {

// The order is the order in which a schema's keywords are applied: what does not branch comes first.
enum class Keyword : uint8_t {
    type,
    const_,
    enum_,
    minimum,
    maximum,
    exclusive_minimum,
    exclusive_maximum,
    multiple_of,
    min_length,
    max_length,
    pattern,
    format,
    min_items,
    max_items,
    prefix_items,
    items,
    additional_items,
    unique_items,
    contains,
    min_contains,
    max_contains,
    required,
    properties,
    pattern_properties,
    additional_properties,
    property_names,
    min_properties,
    max_properties,
    ref,
    dynamic_ref,
    all_of,
    not_,
    dependent_required,
    dependent_schemas,
    dependencies,
    if_,
    then,
    else_,
    any_of,
    one_of,
    unevaluated_items,
    unevaluated_properties,
    annotation,
    unknown,
};

class SchemaDoc {
public:
    SchemaDoc(Memory &m, std::string_view source, const SchemaOptions &options, const Limits &limits);

    const io::Json &root() const noexcept { return doc_.root(); }
    Memory &memory() const noexcept { return memory_; }
    const Limits &limits() const noexcept { return limits_; }
    bool draft7() const noexcept { return draft7_; }

    Keyword keyword(std::string_view name) const noexcept;
    // The schema that `$ref: uri` of `at` means. INVALID_ARGUMENT where it leads nowhere, UNSUPPORTED where elsewhere.
    const io::Json &resolve(const io::Json &at, std::string_view uri, const char *keyword);
    const io::Json &resolve_dynamic(const io::Json &at, std::string_view uri);

    // "/properties/a/not": the pointer of a keyword of a schema (or of the schema itself).
    String pointer(const io::Json &at, std::string_view keyword = {}) const;
    template <class... Parts>
    [[noreturn]] void refuse(Code code, const io::Json &at, std::string_view keyword, const Parts &...parts) const {
        String p = pointer(at, keyword);
        fail_at(code, Place::at_pointer(p), std::string_view(p), ": ", parts...);
    }

private:
    struct Where {
        const io::Json *parent;
        std::string_view key;
        uint32_t index;
        uint32_t base;
    };
    void scan();
    void place(const io::Json &child, const io::Json &parent, std::string_view key, uint32_t index, uint32_t base);
    uint32_t base_of(String uri, const io::Json &node);
    const io::Json *walk(const io::Json *from, std::string_view pointer);

    struct Resource {
        String uri;
        const io::Json *node;
    };
    struct Anchor {
        uint32_t base;
        std::string_view name;
        const io::Json *node;
        bool dynamic;
    };
    Memory &memory_;
    const SchemaOptions &options_;
    const Limits &limits_;
    io::JsonDocument doc_;
    HashMap<uint64_t, Where> where_;
    Vector<Resource> resources_;
    Vector<Anchor> anchors_;
    bool draft7_ = false;
};

}  // namespace inlay::text::grammar
