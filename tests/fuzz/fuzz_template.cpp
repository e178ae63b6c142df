// SPDX-License-Identifier: Apache-2.0
// Any bytes as a template, rendered over one small conversation: an Error or a fault, never more, and the same twice.
// Tight caps, so that a loop costs little.
#include <vector>

#include "fuzz.h"
#include "text/jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    using namespace inlay;
    using fuzz::must;
    Memory m;
    Limits limits;
    limits.template_fuel = 200'000;
    limits.template_heap_bytes = 8u << 20;
    limits.template_output_bytes = 1u << 20;
    try {
        static constexpr std::string_view kContext =
            R"({"messages":[{"role":"user","content":" Hällo <b> "},)"
            R"({"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]}],)"
            R"("tools":null,"n":7,"f":2.5,"big":12345678901234567890,"l":[3,1,2],"d":{"b":1,"a":[true,null]},"s":"a,b,,c","bos_token":"<s>"})";
        io::JsonDocument context = io::JsonDocument::parse(m, kContext, {});
        text::Template t = text::Template::parse(m, {reinterpret_cast<const char *>(data), size}, limits);
        std::vector<text::TemplateVariable> variables;
        for (const io::JsonMember &x : context.root().members()) variables.push_back({x.key, &x.value, x.key == "bos_token"});
        text::RenderInput in;
        in.variables = variables;
        in.now = {2026, 1, 2, 3, 4, 5};
        for (bool extended : {false, true}) {
            in.extended = extended;
            text::RenderOutput out(m), again(m);
            const bool ok = t.render(m, in, out);
            must(t.render(m, in, again) == ok && out.text == again.text && out.message == again.message && out.fault == again.fault);
            if (ok && !out.text.empty()) must(!out.segments.empty() && out.segments.back().end == out.text.size());  // they cover the text
        }
    } catch (const Error &e) {
        must(e.code() != Code::internal && !e.text().empty());
    }
    must(m.used() == 0);
    return 0;
}
