// SPDX-License-Identifier: Apache-2.0
// The front of the engine: parse once, render many, and turn what a template does wrong into a result.
#include "text/jinja/template.h"

#include "text/jinja/vm.h"

namespace inlay::text {

Template Template::parse(Memory &m, std::string_view source, const Limits &limits) {
    std::shared_ptr<jinja::Program> p = make_shared_in<jinja::Program>(m, m, limits);
    try {
        jinja::compile(*p, source);
    } catch (const jinja::Failure &f) {
        fail(Code::format, std::string_view(f.text));
    }
    Template t;
    t.program_ = std::move(p);
    return t;
}

Template::Template(Template &&) noexcept = default;
Template &Template::operator=(Template &&) noexcept = default;
Template::~Template() = default;

bool Template::render(Memory &m, const RenderInput &in, RenderOutput &out) const {
    out.text.clear();
    out.segments.clear();
    out.message.clear();
    out.fault = TemplateFault::none;
    out.place = {};
    jinja::Vm vm(m, *program_, in, out);
    try {
        vm.run();
        return true;
    } catch (jinja::Failure &f) {
        out.fault = f.fault;
        out.message = std::move(f.text);
        out.place = vm.place();
        return false;
    } catch (const Error &e) {
        // A cap was hit: the same error, with the place in the template.
        if (e.code() != Code::limit || e.place().line) throw;
        Message text;
        text << e.text();
        throw_error(e.code(), text, vm.place());
    }
}

void Template::render_or_throw(Memory &m, const RenderInput &in, RenderOutput &out) const {
    if (render(m, in, out)) return;
    // One line, escaped and capped: the words may hold anything.
    fail_at(Code::invalid_argument, out.place, "template: ", quoted{out.message});
}

}  // namespace inlay::text
