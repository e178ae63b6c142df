// SPDX-License-Identifier: Apache-2.0
// Messages and a template, each any bytes: fitted messages are JSON that fits again to the same, and whatever a built-in
// template (chosen by the template's first byte, if that is a digit) makes of them, it makes twice.
#include "fuzz.h"
#include "text/messages.h"

using namespace inlay;
using fuzz::must;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static constexpr const char *kNames[] = {"chatml", "llama2", "llama3", "mistral", "gemma", "phi3", "zephyr", "vicuna", "alpaca", "raw"};
    fuzz::Input in(data, size);
    const std::string_view messages = in.part(), source = in.rest();
    Limits limits;
    limits.template_fuel = 200'000;
    limits.template_heap_bytes = 8u << 20;
    limits.template_output_bytes = 1u << 20;
    Memory m;
    try {
        const bool builtin = !source.empty() && source[0] >= '0' && source[0] <= '9';
        text::Template t = text::Template::parse(m, builtin ? text::builtin_template(kNames[source[0] - '0']) : source, limits);
        const text::MessageFit fit = text::probe_messages(m, t);
        io::JsonDocument doc = io::JsonDocument::parse(m, messages, {});
        const String once = text::fit_messages(m, doc.root(), fit);
        io::JsonDocument fitted = io::JsonDocument::parse(m, once, {});
        io::JsonDocument again = io::JsonDocument::parse(m, text::fit_messages(m, fitted.root(), fit), {});
        must(text::write_json(m, again.root()) == text::write_json(m, fitted.root()));
        text::TemplateVariable variables[] = {{"messages", &fitted.root(), false}};
        text::RenderInput input;
        input.variables = variables;
        text::RenderOutput first(m), second(m);
        const bool ok = t.render(m, input, first);
        must(t.render(m, input, second) == ok && first.text == second.text && first.message == second.message);
        size_t at = 0;
        for (const text::TextSegment &s : first.segments) must(s.end > at || first.text.empty()), at = s.end;
        must(!ok || at == first.text.size());
    } catch (const Error &e) {
        must(e.code() != Code::internal && !e.text().empty());
    }
    must(m.used() == 0);
    return 0;
}
