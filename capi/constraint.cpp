// SPDX-License-Identifier: Apache-2.0
#include "capi/constraint.h"

#include "io/json.h"

using namespace inlay;
using namespace inlay::capi;
using text::grammar::Constraint;

namespace {

std::shared_ptr<const Constraint> from_choices(Memory &m, std::string_view source, const Limits &limits) {
    io::JsonLimits jl;
    jl.bytes = limits.grammar_bytes;
    io::JsonDocument doc = io::JsonDocument::parse(m, source, jl, "choices");
    if (!doc.root().is_array()) fail(Code::format, "choices: not a JSON array of strings");
    Vector<std::string_view> list((Alloc<std::string_view>(m)));
    for (const io::Json &v : doc.root().items()) {
        if (!v.is_string()) fail(Code::format, "choices: item ", list.size(), " is no string");
        list.push_back(v.string());
    }
    if (list.empty()) fail(Code::invalid_argument, "choices: the list is empty");
    return Constraint::from_choices(m, list, limits);
}

}  // namespace

extern "C" inlay_status inlay_constraint_create(inlay_runtime *rt, int32_t kind, const char *source, size_t n_source, const inlay_constraint_params *params,
                                                inlay_constraint **out_constraint, inlay_error *err) {
    return guard(err, [&] {
        auto &owner = need_handle(rt, "rt").owner;
        need_pointer(out_constraint, "out_constraint");
        inlay_constraint_params p{};
        copy_in(params, &p, "params");
        if (p.flags & ~INLAY_CONSTRAINT_ALLOW_UNKNOWN) fail(Code::unsupported, "params: flags ", p.flags, " has unknown bits");
        std::string_view s = text_arg(source, n_source, "source");
        Memory &m = owner->memory();
        const Limits &limits = owner->limits();
        std::shared_ptr<const Constraint> c;
        switch (kind) {
        case INLAY_CONSTRAINT_GBNF: c = Constraint::from_gbnf(m, s, limits); break;
        case INLAY_CONSTRAINT_JSON_SCHEMA: {
            Vector<std::string_view> waived((Alloc<std::string_view>(m)));
            if (p.n_waived) need_pointer(p.waived, "waived");
            for (uint32_t i = 0; i < p.n_waived; ++i) waived.push_back(text_arg(p.waived[i].data, static_cast<size_t>(p.waived[i].size), "waived"));
            text::grammar::SchemaOptions options;
            options.allow_unknown = (p.flags & INLAY_CONSTRAINT_ALLOW_UNKNOWN) != 0;
            options.waived = waived;
            c = Constraint::from_json_schema(m, s, options, limits);
            break;
        }
        case INLAY_CONSTRAINT_REGEX: c = Constraint::from_regex(m, s, limits); break;
        case INLAY_CONSTRAINT_CHOICES: c = from_choices(m, s, limits); break;
        case INLAY_CONSTRAINT_JSON_OBJECT: c = Constraint::json_object(m, limits); break;
        default: fail(Code::invalid_argument, "kind ", kind, " is outside of 1..5");
        }
        *out_constraint = new_handle<inlay_constraint>(owner, std::move(c));
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_constraint_match(const inlay_constraint *constraint, const char *text, size_t n_text, int32_t *out_accept, uint64_t *out_at,
                                               inlay_error *err) {
    return guard(err, [&] {
        const inlay_constraint &h = need_handle(constraint, "constraint");
        need_pointer(out_accept, "out_accept");
        std::string_view s = text_arg(text, n_text, "text");
        text::grammar::Matcher matcher(h.impl);
        const size_t at = matcher.accepted_prefix(s);
        const bool all = at == s.size() && matcher.accept_bytes(s);
        *out_accept = all && matcher.can_end();
        if (out_at) *out_at = at;
        return INLAY_OK;
    });
}

extern "C" void inlay_constraint_free(inlay_constraint *constraint) { free_handle(constraint); }
