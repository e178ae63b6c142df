// SPDX-License-Identifier: Apache-2.0
// embed: sentence embeddings, a JSON string a line.
#include <cstdio>

#include "commands.h"
#include "session.h"

namespace cli {

namespace {

int32_t pooling_from(const std::string &s) {
    if (s.empty()) return INLAY_POOLING_MODEL;
    if (s == "mean") return INLAY_POOLING_MEAN;
    if (s == "cls") return INLAY_POOLING_CLS;
    if (s == "last") return INLAY_POOLING_LAST;
    if (s == "none") return INLAY_POOLING_NONE;
    throw Usage{"--pooling: '" + s + "' is none of mean, cls, last, none"};
}

}  // namespace

int cmd_embed(const Words &words) {
    Args a;
    Common c;
    std::string pooling, ids_text;
    bool raw_length = false;
    int64_t max_tokens = 0, dimensions = 0;
    a.text("--pooling", &pooling, "mean, cls, last or none (default: the model's, else mean)");
    a.flag("--no-normalize", &raw_length, "leave the vectors' length as it is");
    a.text("--ids", &ids_text, "token ids instead of text: [1,2]");
    a.integer("--max-tokens", &max_tokens, 0, 1 << 24, "cut longer texts here");
    a.integer("--dimensions", &dimensions, 0, 1 << 24, "keep this many leading values");
    c.declare(a, true);
    parse_or_help(a, words, "embed -m MODEL < LINES");
    auto rt = open_runtime(c);
    auto model = open_model(c, rt.get());
    inlay_model_info mi = model_info(model.get());
    inlay_engine_params ep;
    inlay_engine_params_init(&ep, sizeof ep);
    ep.max_requests = 1;
    ep.n_ctx = std::min<uint32_t>(mi.n_ctx, 8192);
    ep.flags = INLAY_ENGINE_NO_PREFIX_CACHE;
    auto engine = open_engine(c, model.get(), ep);
    inlay_embed_params p{};
    p.struct_size = sizeof p;
    p.pooling = pooling_from(pooling);
    p.no_normalize = raw_length;
    p.max_tokens = static_cast<uint32_t>(max_tokens);
    p.dimensions = static_cast<uint32_t>(dimensions);
    std::vector<float> v;
    auto embed_ids = [&](const std::vector<int32_t> &ids) {
        v.resize(pooling == "none" ? std::max<size_t>(1, ids.size()) * mi.n_embd : mi.n_embd);
        size_t n = v.size();
        check([&](inlay_error *e) { return inlay_engine_embed(engine.get(), ids.data(), ids.size(), &p, v.data(), &n, e); });
        v.resize(n);
        std::string list = "[";
        for (size_t i = 0; i < v.size(); ++i) {
            char buf[32];
            if (i) list += ',';
            list.append(buf, static_cast<size_t>(std::snprintf(buf, sizeof buf, "%.9g", static_cast<double>(v[i]))));
        }
        std::printf("%s\n", Object().raw("embedding", list + "]").integer("tokens", static_cast<int64_t>(ids.size())).str().c_str());
        std::fflush(stdout);
    };
    if (!ids_text.empty()) {
        std::vector<int32_t> ids;
        for (const Value &x : parse_json(ids_text).items) ids.push_back(static_cast<int32_t>(x.whole));
        embed_ids(ids);
        return 0;
    }
    inlay_tokenizer *raw = nullptr;
    check([&](inlay_error *e) { return inlay_model_get_tokenizer(model.get(), &raw, e); });
    Handle<inlay_tokenizer> tok(raw);
    for (std::string line; read_line(line) && !interrupted();) {
        Value text = parse_json(line);
        if (text.kind != Value::string) fail(INLAY_E_FORMAT, "a line is no JSON string: " + line.substr(0, 40));
        // As the embedders' own pipelines do: nothing is generated, so a control token in a text can take over nothing.
        embed_ids(encode(tok.get(), text.text, INLAY_ENCODE_ADD_SPECIAL | INLAY_ENCODE_PARSE_SPECIAL));
    }
    return 0;
}

}  // namespace cli
