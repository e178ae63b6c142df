// SPDX-License-Identifier: Apache-2.0
// Any bytes as an answer in any format: the first byte picks the format and whether reasoning was open, the second how the
// stream is cut. Whole, byte by byte and in odd pieces must read alike; what was handed out in events is the result, and a
// text that is UTF-8 comes out in whole characters.
#include <string>

#include "fuzz.h"
#include "io/utf8.h"
#include "text/parser/parser.h"

using namespace inlay;
using fuzz::must;

namespace {

constexpr std::string_view kTools =
    R"([{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"integer"},"s":{"type":"string"},)"
    R"("o":{"type":"object"},"l":{"type":"array"},"b":{"type":"boolean"}}}}},{"type":"function","function":{"name":"get_weather"}}])";

std::string read(Memory &m, const text::ToolFormat *f, const io::Json *tools, bool open, std::string_view s, size_t step, bool utf8) {
    text::StreamParser p = text::StreamParser::create(m, f, tools, open);
    std::string content, reasoning, arguments;
    size_t n_good = 0, n_bad = 0;
    auto take = [&] {
        using Kind = text::ParserEvent::Kind;
        for (const text::ParserEvent &e : p.events()) {
            if (e.kind == Kind::content) content += e.text;
            if (e.kind == Kind::reasoning) reasoning += e.text;
            n_good += e.kind == Kind::call_end;
            n_bad += e.kind == Kind::malformed;
            must(!utf8 || io::utf8_valid_prefix(e.text) == e.text.size());
        }
        p.clear_events();
    };
    // Piece lengths step, step / 2 + 1, step again: borders at many places.
    for (size_t i = 0, k = 0; i < s.size(); ++k) {
        const size_t n = k % 2 ? step / 2 + 1 : step;
        p.feed(s.substr(i, n));
        take();
        i += n;
    }
    p.finish();
    take();
    const text::ParsedText &r = p.result();
    must(content == std::string_view(r.content) && reasoning == std::string_view(r.reasoning) && n_good == r.calls.size() && n_bad == r.malformed.size());
    std::string all = content + '\1' + reasoning + (r.complete ? "+" : "-");
    for (const auto &c : r.calls) {
        all += '\2' + std::string(c.name) + '\3' + std::string(c.arguments) + '\3' + std::string(c.id);
        if (utf8) must(io::JsonDocument::parse(m, c.arguments, {.depth = 1000, .refuse_duplicates = false}).root().is_object());
    }
    for (const auto &b : r.malformed) all += '\4' + std::string(b);
    return all + '\5' + std::string(r.open_name) + '\3' + std::string(r.open_arguments);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static constexpr const char *kNames[] = {"hermes", "qwen3_coder", "llama3_json", "pythonic", "mistral", "deepseek_v3", "deepseek_v31", "deepseek_dsml",
                                             "deepseek", "granite", "glm", "kimi_k2", "harmony", "json", "think", "none"};
    if (size < 2) return 0;
    Memory m;
    {
        const text::ToolFormat *f = text::find_tool_format(kNames[data[0] % 16]);
        std::string_view s(reinterpret_cast<const char *>(data) + 2, size - 2);
        const bool open = data[0] & 0x80, utf8 = io::utf8_valid_prefix(s) == s.size();
        io::JsonDocument tools = io::JsonDocument::parse(m, kTools, {});
        const io::Json *t = data[0] & 0x40 ? nullptr : &tools.root();
        const std::string whole = read(m, f, t, open, s, s.size() + 1, utf8);
        must(read(m, f, t, open, s, 1, utf8) == whole);
        must(read(m, f, t, open, s, 2u + data[1], utf8) == whole);
    }
    must(m.used() == 0);
    return 0;
}
