// SPDX-License-Identifier: Apache-2.0
#include "inlay/template.h"

#include <optional>

#include "capi/conversation.h"
#include "capi/handles.h"
#include "text/messages.h"

using namespace inlay;
using namespace inlay::capi;

struct inlay_template {
    static constexpr uint32_t kTag = 0x54504c31;
    uint32_t tag;
    std::shared_ptr<engine::Runtime> owner;
    text::Template impl;
    text::MessageFit fit;  // for INLAY_RENDER_NORMALIZE
};

void inlay::capi::read_variables(const io::Json &root, Vector<text::TemplateVariable> &out) {
    if (!root.is_object()) fail(Code::format, "the conversation is no JSON object");
    for (std::string_view name : {"messages", "tools", "documents"}) {
        const io::Json *v = root.find(name);
        if (!v && name == "messages") continue;
        out.push_back({name, v, false});
    }
    const io::Json *kwargs = root.get("kwargs");
    if (!kwargs) return;
    if (!kwargs->is_object()) fail(Code::format, "\"kwargs\" is no JSON object");
    for (const io::JsonMember &m : kwargs->members()) {
        if (m.key == "messages" || m.key == "chat_template" || m.key == "tokenize") fail(Code::invalid_argument, "kwargs may not hold ", quoted{m.key});
        out.push_back({m.key, &m.value, m.key.ends_with("_token")});
    }
}

void inlay::capi::render_template(const text::Template &t, Memory &m, const text::RenderInput &in, text::RenderOutput &out) {
    if (!t.render(m, in, out)) fail_at(Code::invalid_argument, out.place, "template: ", std::string_view(out.message));
}

extern "C" inlay_status inlay_template_create(inlay_runtime *rt, const char *source, size_t n_source, inlay_template **out_template, inlay_error *err) {
    return guard(err, [&] {
        auto &owner = need_handle(rt, "rt").owner;
        need_pointer(out_template, "out_template");
        std::string_view s = text_arg(source, n_source, "source");
        if (std::string_view builtin = text::builtin_template(s); !builtin.empty()) s = builtin;
        text::Template t = text::Template::parse(owner->memory(), s, owner->limits());
        const text::MessageFit fit = text::probe_messages(owner->memory(), t);
        *out_template = new_handle<inlay_template>(owner, std::move(t), fit);
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_template_render(const inlay_template *tpl, const char *json, size_t n_json, const inlay_render_params *params, char *out,
                                              size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        const inlay_template &t = need_handle(tpl, "tpl");
        inlay_render_params p{};
        copy_in(params, &p, "params");
        if (p.flags & ~(INLAY_RENDER_NORMALIZE | INLAY_RENDER_EXTENDED)) fail(Code::unsupported, "params: flags ", p.flags, " has unknown bits");
        Memory &m = t.owner->memory();
        const Limits &limits = t.owner->limits();
        io::JsonLimits jl;
        jl.bytes = limits.request_json_bytes;
        jl.depth = limits.request_json_depth;
        io::JsonDocument doc = io::JsonDocument::parse(m, text_arg(json, n_json, "json"), jl, "conversation");
        Vector<text::TemplateVariable> variables((Alloc<text::TemplateVariable>(m)));
        read_variables(doc.root(), variables);
        std::optional<io::JsonDocument> fitted;
        if ((p.flags & INLAY_RENDER_NORMALIZE) && t.fit.any() && doc.root().find("messages")) {
            fitted.emplace(io::JsonDocument::parse(m, text::fit_messages(m, io::need(doc.root(), "messages"), t.fit), jl, "messages"));
            for (text::TemplateVariable &v : variables)
                if (v.name == "messages") v.value = &fitted->root();
        }
        text::RenderInput in;
        in.variables = variables;
        in.now = {p.year, p.month, p.day, p.hour, p.minute, p.second};
        in.extended = p.flags & INLAY_RENDER_EXTENDED;
        text::RenderOutput result(m);
        render_template(t.impl, m, in, result);
        return give(result.text.data(), result.text.size(), out, io_n, "the text");
    });
}

extern "C" void inlay_template_free(inlay_template *tpl) { free_handle(tpl); }
