// SPDX-License-Identifier: Apache-2.0
// Any bytes as an answer in any format: whole and in pieces must read alike. The first byte picks the format and whether
// reasoning was open.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "text/parser/parser.h"

namespace {
std::string read(inlay::Memory &m, const inlay::text::ToolFormat *f, bool open, std::string_view s, size_t step) {
    inlay::text::StreamParser p = inlay::text::StreamParser::create(m, f, nullptr, open);
    for (size_t i = 0; i < s.size(); i += step) p.feed(s.substr(i, step));
    p.finish();
    const inlay::text::ParsedText &r = p.result();
    std::string all = std::string(r.content) + '\1' + std::string(r.reasoning) + (r.complete ? "+" : "-");
    for (const auto &c : r.calls) all += '\2' + std::string(c.name) + '\3' + std::string(c.arguments) + '\3' + std::string(c.id);
    for (const auto &b : r.malformed) all += '\4' + std::string(b);
    return all + '\5' + std::string(r.open_name) + '\3' + std::string(r.open_arguments);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static constexpr const char *kNames[] = {"hermes", "qwen3_coder", "llama3_json", "pythonic", "mistral", "deepseek_v3", "deepseek_v31", "deepseek_dsml",
                                             "deepseek", "granite", "glm", "kimi_k2", "harmony", "json", "think", "none"};
    if (size < 1) return 0;
    inlay::Memory m;
    const inlay::text::ToolFormat *f = inlay::text::find_tool_format(kNames[data[0] % 16]);
    std::string_view s(reinterpret_cast<const char *>(data) + 1, size - 1);
    const bool open = data[0] & 0x80;
    if (read(m, f, open, s, s.size() + 1) != read(m, f, open, s, 1)) __builtin_trap();
    return 0;
}
