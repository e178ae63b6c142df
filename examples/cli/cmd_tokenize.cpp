// SPDX-License-Identifier: Apache-2.0
// tokenize and detokenize: JSON lines in, JSON lines out.
#include <cstdio>

#include "commands.h"
#include "session.h"

namespace cli {

int cmd_tokenize(const Words &words) {
    Args a;
    Common c;
    bool special = false, no_bos = false;
    a.flag("--special", &special, "recognise control tokens in the text");
    a.flag("--no-bos", &no_bos, "add no BOS, EOS, CLS or SEP");
    c.declare(a, true);
    parse_or_help(a, words, "tokenize -m MODEL < LINES");
    auto rt = open_runtime(c);
    auto tok = open_tokenizer(c, rt.get());
    uint32_t flags = (special ? INLAY_ENCODE_PARSE_SPECIAL : 0u) | (no_bos ? 0u : INLAY_ENCODE_ADD_SPECIAL);
    std::string out;
    for (std::string line; read_line(line) && !interrupted();) {
        Value v = parse_json(line);
        if (v.kind != Value::string) fail(INLAY_E_FORMAT, "a line is no JSON string: " + line.substr(0, 40));
        out.clear();
        append_ids(out, encode(tok.get(), v.text, flags));
        out += '\n';
        std::fwrite(out.data(), 1, out.size(), stdout);
    }
    return 0;
}

int cmd_detokenize(const Words &words) {
    Args a;
    Common c;
    bool skip = false;
    a.flag("--skip-special", &skip, "leave control tokens out");
    c.declare(a, true);
    parse_or_help(a, words, "detokenize -m MODEL < LINES");
    auto rt = open_runtime(c);
    auto tok = open_tokenizer(c, rt.get());
    for (std::string line; read_line(line) && !interrupted();) {
        Value v = parse_json(line);
        std::vector<int32_t> ids;
        for (const Value &x : v.items) ids.push_back(static_cast<int32_t>(x.whole));
        std::string text = read_text([&](char *o, size_t *n, inlay_error *e) {
            return inlay_tokenizer_decode(tok.get(), ids.data(), ids.size(), skip ? INLAY_DECODE_SKIP_SPECIAL : 0u, o, n, e);
        });
        std::string out;
        append_string(out, text);
        out += '\n';
        std::fwrite(out.data(), 1, out.size(), stdout);
    }
    return 0;
}

}  // namespace cli
