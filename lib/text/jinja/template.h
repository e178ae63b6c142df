// SPDX-License-Identifier: Apache-2.0
// Chat templates: Jinja as Hugging Face runs it, byte-equal to Jinja2 3.1.6 in an immutable sandbox. A template is
// parsed once and may then be rendered by any number of threads; a rendering has fuel, memory, depth and output caps.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/containers.h"
#include "base/error.h"
#include "base/limits.h"
#include "io/json.h"
#include "text/template_types.h"

namespace inlay::text {

struct TemplateVariable {
    std::string_view name;
    const io::Json *value = nullptr;  // null = None
    // Its strings count as text of the template (bos_token and the like); else everything in it is user text.
    bool trusted = false;
};

struct RenderInput {
    std::span<const TemplateVariable> variables;  // a later one of the same name wins
    CivilTime now;
    // Beyond Jinja's sandbox: lists and dicts may be changed by methods (append, pop, update ...), filter from_json.
    bool extended = false;
};

struct RenderOutput {
    explicit RenderOutput(Memory &m)
        : text(Alloc<char>(m, MemTag::text)), segments(Alloc<TextSegment>(m, MemTag::text)), message(Alloc<char>(m, MemTag::text)) {}
    String text;
    Vector<TextSegment> segments;  // cover the text; neighbours differ
    // Set when rendering failed by the template's doing; `message` is whole and unescaped (raise_exception's words).
    TemplateFault fault = TemplateFault::none;
    String message;
    Place place;
};

namespace jinja {
struct Program;
}

class Template {
public:
    // Throws FORMAT (syntax, with line and column), UNSUPPORTED (include, import, extends, block), LIMIT.
    static Template parse(Memory &m, std::string_view source, const Limits &limits = {});
    Template(Template &&) noexcept;
    Template &operator=(Template &&) noexcept;
    ~Template();

    // False with out.fault set when the template raised; throws LIMIT when a cap is hit. Thread-safe.
    bool render(Memory &m, const RenderInput &in, RenderOutput &out) const;
    // As above, but a fault is thrown: INVALID_ARGUMENT "template: ..." with the place.
    void render_or_throw(Memory &m, const RenderInput &in, RenderOutput &out) const;

private:
    Template() = default;
    std::shared_ptr<const jinja::Program> program_;
};

}  // namespace inlay::text
