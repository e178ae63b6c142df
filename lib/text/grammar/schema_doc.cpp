// SPDX-License-Identifier: Apache-2.0
// Scanning a schema once: places, identifiers, anchors, unknown keywords; and resolving references.
#include "text/grammar/schema_doc.h"

#include <charconv>

namespace inlay::text::grammar {
namespace {

using io::Json;
using io::JsonMember;

enum class Inside : uint8_t { nothing, schema, list, map, schema_or_list, dependencies };

struct Known {
    std::string_view name;
    Keyword keyword;
    Inside inside;
    bool new_only = false;  // not in draft 7
};

constexpr Known kKnown[] = {
    {"type", Keyword::type, Inside::nothing},
    {"const", Keyword::const_, Inside::nothing},
    {"enum", Keyword::enum_, Inside::nothing},
    {"minimum", Keyword::minimum, Inside::nothing},
    {"maximum", Keyword::maximum, Inside::nothing},
    {"exclusiveMinimum", Keyword::exclusive_minimum, Inside::nothing},
    {"exclusiveMaximum", Keyword::exclusive_maximum, Inside::nothing},
    {"multipleOf", Keyword::multiple_of, Inside::nothing},
    {"minLength", Keyword::min_length, Inside::nothing},
    {"maxLength", Keyword::max_length, Inside::nothing},
    {"pattern", Keyword::pattern, Inside::nothing},
    {"format", Keyword::format, Inside::nothing},
    {"minItems", Keyword::min_items, Inside::nothing},
    {"maxItems", Keyword::max_items, Inside::nothing},
    {"prefixItems", Keyword::prefix_items, Inside::list, true},
    {"items", Keyword::items, Inside::schema_or_list},
    {"additionalItems", Keyword::additional_items, Inside::schema},
    {"uniqueItems", Keyword::unique_items, Inside::nothing},
    {"contains", Keyword::contains, Inside::schema},
    {"minContains", Keyword::min_contains, Inside::nothing, true},
    {"maxContains", Keyword::max_contains, Inside::nothing, true},
    {"required", Keyword::required, Inside::nothing},
    {"properties", Keyword::properties, Inside::map},
    {"patternProperties", Keyword::pattern_properties, Inside::map},
    {"additionalProperties", Keyword::additional_properties, Inside::schema},
    {"propertyNames", Keyword::property_names, Inside::schema},
    {"minProperties", Keyword::min_properties, Inside::nothing},
    {"maxProperties", Keyword::max_properties, Inside::nothing},
    {"$ref", Keyword::ref, Inside::nothing},
    {"$dynamicRef", Keyword::dynamic_ref, Inside::nothing, true},
    {"allOf", Keyword::all_of, Inside::list},
    {"not", Keyword::not_, Inside::schema},
    {"dependentRequired", Keyword::dependent_required, Inside::nothing, true},
    {"dependentSchemas", Keyword::dependent_schemas, Inside::map, true},
    {"dependencies", Keyword::dependencies, Inside::dependencies},
    {"if", Keyword::if_, Inside::schema},
    {"then", Keyword::then, Inside::schema},
    {"else", Keyword::else_, Inside::schema},
    {"anyOf", Keyword::any_of, Inside::list},
    {"oneOf", Keyword::one_of, Inside::list},
    {"unevaluatedItems", Keyword::unevaluated_items, Inside::schema, true},
    {"unevaluatedProperties", Keyword::unevaluated_properties, Inside::schema, true},
    {"$defs", Keyword::annotation, Inside::map},
    {"definitions", Keyword::annotation, Inside::map},
    {"title", Keyword::annotation, Inside::nothing},
    {"description", Keyword::annotation, Inside::nothing},
    {"default", Keyword::annotation, Inside::nothing},
    {"examples", Keyword::annotation, Inside::nothing},
    {"deprecated", Keyword::annotation, Inside::nothing},
    {"readOnly", Keyword::annotation, Inside::nothing},
    {"writeOnly", Keyword::annotation, Inside::nothing},
    {"$comment", Keyword::annotation, Inside::nothing},
    {"$schema", Keyword::annotation, Inside::nothing},
    {"$id", Keyword::annotation, Inside::nothing},
    {"$anchor", Keyword::annotation, Inside::nothing, true},
    {"$dynamicAnchor", Keyword::annotation, Inside::nothing, true},
    {"contentEncoding", Keyword::annotation, Inside::nothing},
    {"contentMediaType", Keyword::annotation, Inside::nothing},
    {"contentSchema", Keyword::annotation, Inside::nothing},
};

const Known *known(std::string_view name) noexcept {
    for (const Known &k : kKnown)
        if (k.name == name) return &k;
    return nullptr;
}

uint64_t key_of(const Json &j) noexcept { return reinterpret_cast<uintptr_t>(&j); }

// RFC 3986 section 5, as far as schema identifiers use it: scheme, authority, path; queries go with the path.
String resolve_uri(Memory &m, std::string_view base, std::string_view ref) {
    auto scheme_end = [](std::string_view u) {
        size_t i = u.find(':');
        if (i == std::string_view::npos || u.find_first_of("/?#") < i) return std::string_view::npos;
        return i;
    };
    if (ref.empty()) return make_string(m, base);
    if (scheme_end(ref) != std::string_view::npos) return make_string(m, ref);
    size_t scheme = scheme_end(base), path = 0;
    if (scheme != std::string_view::npos) path = scheme + 1;
    if (base.substr(path).starts_with("//")) {
        path = base.find('/', path + 2);
        if (path == std::string_view::npos) path = base.size();
    }
    String out(m);
    if (ref.starts_with("//")) {
        out.append(base.substr(0, scheme == std::string_view::npos ? 0 : scheme + 1));
        return out.append(ref), out;
    }
    out.append(base.substr(0, path));
    String rest(m);
    if (ref.starts_with("/"))
        rest.append(ref);
    else {
        size_t cut = base.rfind('/');
        if (cut != std::string_view::npos && cut >= path)
            rest.append(base.substr(path, cut + 1 - path));
        else if (path > 0)
            rest.push_back('/');
        rest.append(ref);
    }
    // dot segments
    String clean(m);
    std::string_view r = rest;
    while (!r.empty()) {
        size_t next = r.find('/', 1);
        std::string_view seg = r.substr(0, next);
        r = next == std::string_view::npos ? std::string_view() : r.substr(next);
        if (seg == "/." || seg == ".") {
            if (r.empty()) clean.push_back('/');
        } else if (seg == "/.." || seg == "..") {
            size_t cut = clean.rfind('/');
            clean.resize(cut == String::npos ? 0 : cut);
            if (r.empty()) clean.push_back('/');
        } else
            clean.append(seg);
    }
    return out.append(clean), out;
}

}  // namespace

SchemaDoc::SchemaDoc(Memory &m, std::string_view source, const SchemaOptions &options, const Limits &limits)
    : memory_(m),
      options_(options),
      limits_(limits),
      doc_([&] {
          if (source.size() > limits.schema_bytes)
              fail(Code::limit, "schema: ", source.size(), " bytes exceed the limit ", limits.schema_bytes);
          io::JsonLimits l;
          l.bytes = limits.schema_bytes;
          l.depth = limits.schema_depth;
          l.values = 1u << 20;
          l.number_chars = limits.number_chars;
          return io::JsonDocument::parse(m, source, l, "schema");
      }()),
      where_(m),
      resources_(m),
      anchors_(m) {
    scan();
}

Keyword SchemaDoc::keyword(std::string_view name) const noexcept {
    for (std::string_view w : options_.waived)
        if (w == name) return Keyword::annotation;
    const Known *k = known(name);
    if (k && !(k->new_only && draft7_)) return k->keyword;
    if (name.starts_with("x-")) return Keyword::annotation;
    return Keyword::unknown;
}

void SchemaDoc::place(const Json &child, const Json &parent, std::string_view key, uint32_t index, uint32_t base) {
    where_.emplace(key_of(child), Where{&parent, key, index, base});
}

uint32_t SchemaDoc::base_of(String uri, const Json &node) {
    for (uint32_t i = 0; i < resources_.size(); ++i)
        if (resources_[i].uri == uri) return i;
    if (resources_.size() >= 4096) fail(Code::limit, "schema: more than 4096 identifiers");
    resources_.push_back({std::move(uri), &node});
    return static_cast<uint32_t>(resources_.size() - 1);
}

void SchemaDoc::scan() {
    if (const Json *s = root().is_object() ? root().find("$schema") : nullptr) {
        if (!s->is_string()) refuse(Code::format, root(), "$schema", "must be a string");
        std::string_view v = s->string();
        while (v.ends_with('#')) v.remove_suffix(1);
        if (v.find("json-schema.org/draft-07/schema") != v.npos || v.find("json-schema.org/draft-06/schema") != v.npos)
            draft7_ = true;
        else if (v.find("json-schema.org/draft/2020-12/schema") == v.npos && v.find("json-schema.org/draft/2019-09/schema") == v.npos)
            refuse(Code::unsupported, root(), "$schema", "the dialect ", quoted{v}, " is not supported");
    }
    // Draft 7 ignores what stands beside a $ref, later drafts do not. A schema that names no draft but is written in
    // the older style could mean either: it is refused at such a place rather than read wrongly.
    bool unclear = root().is_object() && !root().find("$schema") && root().find("definitions") && !root().find("$defs");
    struct Item {
        const Json *node;
        uint32_t base;
        bool schema;  // else a list or map of schemas, or part of an unknown keyword
    };
    Vector<Item> stack(memory_);
    resources_.push_back({String(memory_), &root()});
    where_.emplace(key_of(root()), Where{nullptr, {}, 0, 0});
    stack.push_back({&root(), 0, true});
    while (!stack.empty()) {
        Item it = stack.back();
        stack.pop_back();
        const Json &node = *it.node;
        if (it.schema && node.is_object()) {
            const Json *id = node.find("$id"), *ref = node.find("$ref");
            // In draft 7 a $ref hides its siblings, $id too.
            if (id && id->is_string() && !(draft7_ && ref)) {
                std::string_view v = id->string();
                if (unclear && ref && !v.starts_with('#'))
                    refuse(Code::unsupported, node, "$ref",
                           "$id beside $ref means different things in different drafts: name one by $schema");
                if (v.starts_with('#'))
                    anchors_.push_back({it.base, v.substr(1), &node, false});
                else {
                    size_t hash = v.find('#');
                    it.base = base_of(resolve_uri(memory_, resources_[it.base].uri, v.substr(0, hash)), node);
                    where_.find(key_of(node))->second.base = it.base;
                    if (draft7_ && hash != v.npos && hash + 1 < v.size()) anchors_.push_back({it.base, v.substr(hash + 1), &node, false});
                }
            }
            if (!draft7_)
                for (const char *name : {"$anchor", "$dynamicAnchor"})
                    if (const Json *a = node.find(name); a && a->is_string())
                        anchors_.push_back({it.base, a->string(), &node, name[1] == 'd'});
            for (const JsonMember &mem : node.members()) {
                const Json &v = mem.value;
                place(v, node, mem.key, 0, it.base);
                const Known *k = known(mem.key);
                if (draft7_ && ref && mem.key != "$ref" && !(k && k->keyword == Keyword::annotation)) continue;
                Keyword kw = keyword(mem.key);
                if (unclear && ref && kw != Keyword::annotation && kw != Keyword::ref && kw != Keyword::unknown)
                    refuse(Code::unsupported, node, "$ref", quoted{mem.key},
                           " beside $ref means different things in different drafts: name one by $schema");
                if (kw == Keyword::unknown && !options_.allow_unknown) refuse(Code::unsupported, node, mem.key, "unknown keyword");
                bool is_known = k && kw != Keyword::unknown && (kw != Keyword::annotation || k->keyword == Keyword::annotation);
                Inside in = is_known ? k->inside : Inside::nothing;
                if (in == Inside::schema_or_list) in = v.is_array() ? Inside::list : Inside::schema;
                if (in == Inside::schema)
                    stack.push_back({&v, it.base, true});
                else if (in == Inside::list && v.is_array()) {
                    for (uint32_t i = 0; i < v.items().size(); ++i) {
                        place(v.items()[i], v, {}, i, it.base);
                        stack.push_back({&v.items()[i], it.base, true});
                    }
                } else if ((in == Inside::map || in == Inside::dependencies) && v.is_object()) {
                    for (const JsonMember &x : v.members()) {
                        place(x.value, v, x.key, 0, it.base);
                        if (in == Inside::map || !x.value.is_array()) stack.push_back({&x.value, it.base, true});
                    }
                } else if (!is_known)
                    stack.push_back({&v, it.base, false});
            }
        } else if (node.is_object() && !it.schema) {
            for (const JsonMember &mem : node.members()) {
                place(mem.value, node, mem.key, 0, it.base);
                stack.push_back({&mem.value, it.base, false});
            }
        } else if (node.is_array() && !it.schema)
            for (uint32_t i = 0; i < node.items().size(); ++i) {
                place(node.items()[i], node, {}, i, it.base);
                stack.push_back({&node.items()[i], it.base, false});
            }
    }
}

String SchemaDoc::pointer(const Json &at, std::string_view kw) const {
    // From the leaf upwards, then turned round.
    Vector<const Json *> path(memory_);
    for (const Json *j = &at; j;) {
        path.push_back(j);
        auto it = where_.find(key_of(*j));
        j = it == where_.end() ? nullptr : it->second.parent;
    }
    String out(memory_);
    auto add = [&](std::string_view key) {
        out.push_back('/');
        for (char c : key) {
            if (c == '~')
                out.append("~0");
            else if (c == '/')
                out.append("~1");
            else if (static_cast<uint8_t>(c) < 0x20)
                out.push_back('?');
            else
                out.push_back(c);
        }
    };
    for (size_t i = path.size(); i-- > 0;) {
        auto it = where_.find(key_of(*path[i]));
        if (it == where_.end() || !it->second.parent) continue;
        if (it->second.parent->is_array()) {
            char digits[12];
            auto r = std::to_chars(digits, digits + sizeof digits, it->second.index);
            add({digits, static_cast<size_t>(r.ptr - digits)});
        } else
            add(it->second.key);
    }
    if (!kw.empty()) add(kw);
    return out;
}

const Json *SchemaDoc::walk(const Json *from, std::string_view pointer) {
    const Json *at = from;
    uint32_t base = where_.find(key_of(*from))->second.base;
    while (!pointer.empty()) {
        if (pointer[0] != '/') return nullptr;
        pointer.remove_prefix(1);
        size_t end = pointer.find('/');
        std::string_view raw = pointer.substr(0, end);
        pointer = end == std::string_view::npos ? std::string_view() : pointer.substr(end);
        String key(memory_);
        auto hex = [](char c) {
            return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        };
        String decoded(memory_);
        for (size_t i = 0; i < raw.size(); ++i) {
            if (raw[i] == '%' && i + 2 < raw.size() && hex(raw[i + 1]) >= 0 && hex(raw[i + 2]) >= 0) {
                decoded.push_back(static_cast<char>(hex(raw[i + 1]) << 4 | hex(raw[i + 2])));
                i += 2;
            } else
                decoded.push_back(raw[i]);
        }
        for (size_t i = 0; i < decoded.size(); ++i) {
            if (decoded[i] != '~')
                key.push_back(decoded[i]);
            else if (i + 1 < decoded.size() && decoded[i + 1] == '0')
                key.push_back('~'), ++i;
            else if (i + 1 < decoded.size() && decoded[i + 1] == '1')
                key.push_back('/'), ++i;
            else
                return nullptr;
        }
        const Json *next = nullptr;
        uint32_t index = 0;
        if (at->is_object())
            next = at->find(key);
        else if (at->is_array()) {
            auto r = std::from_chars(key.data(), key.data() + key.size(), index);
            if (r.ec == std::errc() && r.ptr == key.data() + key.size() && index < at->items().size()) next = &at->items()[index];
        }
        if (!next) return nullptr;
        auto found = where_.find(key_of(*next));
        if (found == where_.end()) {
            std::string_view name;
            if (at->is_object())
                for (const JsonMember &mem : at->members())
                    if (&mem.value == next) name = mem.key;
            place(*next, *at, name, index, base);
        } else
            base = found->second.base;
        at = next;
    }
    return at;
}

const Json &SchemaDoc::resolve(const Json &at, std::string_view uri, const char *kw) {
    auto it = where_.find(key_of(at));
    uint32_t base = it == where_.end() ? 0 : it->second.base;
    size_t hash = uri.find('#');
    std::string_view file = uri.substr(0, hash), fragment = hash == uri.npos ? std::string_view() : uri.substr(hash + 1);
    const Json *target = nullptr;
    uint32_t resource = base;
    if (!file.empty()) {
        String full = resolve_uri(memory_, resources_[base].uri, file);
        resource = kNone;
        for (uint32_t i = 0; i < resources_.size(); ++i)
            if (resources_[i].uri == full) resource = i;
        if (resource == kNone) refuse(Code::unsupported, at, kw, "the reference ", quoted{uri}, " leads to another document");
    }
    if (fragment.empty() || fragment[0] == '/')
        target = walk(resources_[resource].node, fragment);
    else
        for (const Anchor &a : anchors_)
            if (a.base == resource && a.name == fragment) target = a.node;
    if (!target) refuse(Code::invalid_argument, at, kw, "the reference ", quoted{uri}, " leads nowhere");
    if (!target->is_object() && !target->is_bool())
        refuse(Code::invalid_argument, at, kw, "the reference ", quoted{uri}, " leads to no schema");
    return *target;
}

const Json &SchemaDoc::resolve_dynamic(const Json &at, std::string_view uri) {
    const Json &target = resolve(at, uri, "$dynamicRef");
    size_t hash = uri.find('#');
    std::string_view name = hash == uri.npos ? std::string_view() : uri.substr(hash + 1);
    size_t dynamic = 0;
    bool is_dynamic = false;
    for (const Anchor &a : anchors_)
        if (a.dynamic && a.name == name) ++dynamic, is_dynamic |= a.node == &target;
    // With one such anchor the reference is an ordinary one; with more it depends on the way that led here.
    if (is_dynamic && dynamic > 1)
        refuse(Code::unsupported, at, "$dynamicRef", "dynamic references over several resources are not supported");
    return target;
}

}  // namespace inlay::text::grammar
