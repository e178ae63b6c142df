// SPDX-License-Identifier: Apache-2.0
// score and perplexity: the forward pass over given tokens, nothing sampled.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "commands.h"
#include "session.h"
#include "sha256.h"

namespace cli {

namespace {

struct Scored {
    std::vector<int32_t> argmax;
    std::vector<double> logprobs;
    std::vector<std::vector<float>> logits;  // the last row, or all of them
    std::string sha256;
};

enum class Keep { none, last, all };

Scored score_ids(inlay_engine *engine, uint32_t n_vocab, const std::vector<int32_t> &ids, uint32_t chunk, Keep keep) {
    inlay_score *raw = nullptr;
    check([&](inlay_error *e) { return inlay_score_create(engine, ids.data(), ids.size(), chunk, &raw, e); });
    Handle<inlay_score> s(raw);
    Scored out;
    Sha256 hash;
    std::vector<float> row(n_vocab);
    for (;;) {
        if (interrupted()) fail(INLAY_E_CANCELLED, "interrupted");
        inlay_score_row r{};
        r.struct_size = sizeof r;
        if (check([&](inlay_error *e) { return inlay_score_read(s.get(), &r, row.data(), row.size(), e); }) == INLAY_DONE) break;
        hash.update(row.data(), row.size() * sizeof(float));
        out.argmax.push_back(r.argmax);
        if (r.index + 1 < ids.size()) out.logprobs.push_back(r.logprob);
        if (keep == Keep::all || (keep == Keep::last && r.index + 1 == ids.size())) out.logits.push_back(row);
    }
    out.sha256 = hash.hex();
    return out;
}

void append_floats(std::string &out, const std::vector<float> &v) {
    out += '[';
    char buf[32];
    for (size_t i = 0; i < v.size(); ++i) {
        if (i) out += ',';
        if (!std::isfinite(v[i]))
            out += "null";
        else
            out.append(buf, static_cast<size_t>(std::snprintf(buf, sizeof buf, "%.9g", static_cast<double>(v[i]))));
    }
    out += ']';
}

}  // namespace

int cmd_score(const Words &words) {
    Args a;
    Common c;
    std::string logits = "none";
    int64_t top = 0, chunk = 0;
    a.text("--logits", &logits, "last, all or none: which rows of logits to print");
    a.integer("--top", &top, 0, 1 << 20, "print the K largest logits of the last row");
    a.integer("--chunk", &chunk, 0, 1 << 20, "tokens a pass");
    c.declare(a, true);
    parse_or_help(a, words, "score -m MODEL < LINES");
    Keep keep = logits == "all" ? Keep::all : logits == "last" ? Keep::last : Keep::none;
    if (keep == Keep::none && logits != "none") throw Usage{"--logits: '" + logits + "' is none of last, all, none"};
    auto rt = open_runtime(c);
    auto model = open_model(c, rt.get());
    Handle<inlay_engine> engine;
    uint32_t n_vocab = model_info(model.get()).n_vocab, engine_ctx = 0;
    for (std::string line; read_line(line);) {
        Value v = parse_json(line);
        const Value *list = v.find("ids");
        if (!list || list->kind != Value::array) fail(INLAY_E_INVALID_ARGUMENT, "a line has no \"ids\"");
        std::vector<int32_t> ids;
        for (const Value &x : list->items) {
            if (x.kind != Value::integer || x.whole < INT32_MIN || x.whole > INT32_MAX)
                fail(INLAY_E_INVALID_ARGUMENT, "\"ids\" holds something that is no token id");
            ids.push_back(static_cast<int32_t>(x.whole));
        }
        uint32_t need = static_cast<uint32_t>(ids.size());
        if (!engine || need > engine_ctx) {  // a cache for the longest line so far, not for the model's whole context
            engine.reset();
            inlay_engine_params ep;
            inlay_engine_params_init(&ep, sizeof ep);
            ep.max_requests = 1;
            ep.flags = INLAY_ENGINE_NO_PREFIX_CACHE;
            ep.n_ctx = engine_ctx = std::min(std::max(need, 512u), std::max(need, model_info(model.get()).n_ctx));
            if (chunk) ep.max_batch_tokens = ep.chunk = static_cast<uint32_t>(chunk);
            Common cc = c;
            engine = open_engine(cc, model.get(), ep);
        }
        Scored s = score_ids(engine.get(), n_vocab, ids, static_cast<uint32_t>(chunk), top && keep == Keep::none ? Keep::last : keep);
        Object o;
        o.integer("n", static_cast<int64_t>(ids.size())).text("sha256", s.sha256).ids("argmax", s.argmax);
        std::string lp = "[";
        for (size_t i = 0; i < s.logprobs.size(); ++i) {
            if (i) lp += ',';
            append_number(lp, s.logprobs[i]);
        }
        o.raw("logprobs", lp + "]");
        if (top && !s.logits.empty()) {
            const std::vector<float> &row = s.logits.back();
            std::vector<int32_t> order(row.size());
            for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
            size_t k = std::min(order.size(), static_cast<size_t>(top));
            std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(k), order.end(), [&](int32_t x, int32_t y) {
                float a = row[static_cast<size_t>(x)], b = row[static_cast<size_t>(y)];
                return a != b ? a > b : x < y;
            });
            std::string t = "[";
            for (size_t i = 0; i < k; ++i) {
                if (i) t += ',';
                t += "[" + std::to_string(order[i]) + ",";
                append_number(t, static_cast<double>(row[static_cast<size_t>(order[i])]));
                t += "]";
            }
            o.raw("top", t + "]");
        }
        if (keep != Keep::none) {
            std::string l;
            if (keep == Keep::last)
                append_floats(l, s.logits.back());
            else {
                l = "[";
                for (size_t i = 0; i < s.logits.size(); ++i) {
                    if (i) l += ',';
                    append_floats(l, s.logits[i]);
                }
                l += ']';
            }
            o.raw("logits", l);
        }
        std::string out = o.str() + "\n";
        std::fwrite(out.data(), 1, out.size(), stdout);
        std::fflush(stdout);
    }
    return 0;
}

int cmd_perplexity(const Words &words) {
    Args a;
    Common c;
    std::string file;
    int64_t window = 512, tokens = 0;
    a.text("--file", &file, "the text; - = standard input");
    a.alias("-f", "--file");
    a.integer("--window", &window, 2, 1 << 24, "tokens a window (default 512)");
    a.integer("--tokens", &tokens, 0, INT64_MAX, "stop after so many tokens of the text");
    c.declare(a, true);
    parse_or_help(a, words, "perplexity -m MODEL -f FILE");
    if (file.empty()) throw Usage{"-f FILE is missing"};
    std::string text = read_file(file);
    auto rt = open_runtime(c);
    auto model = open_model(c, rt.get());
    inlay_tokenizer *raw = nullptr;
    check([&](inlay_error *e) { return inlay_model_get_tokenizer(model.get(), &raw, e); });
    Handle<inlay_tokenizer> tok(raw);
    inlay_tokenizer_info ti = tokenizer_info(tok.get());
    std::vector<int32_t> ids = encode(tok.get(), text, 0);
    if (tokens && ids.size() > static_cast<size_t>(tokens)) ids.resize(static_cast<size_t>(tokens));
    if (ids.size() < 2) fail(INLAY_E_INVALID_ARGUMENT, "the text has fewer than 2 tokens");
    bool bos = ti.adds_bos && ti.bos >= 0;
    inlay_engine_params ep;
    inlay_engine_params_init(&ep, sizeof ep);
    ep.max_requests = 1;
    ep.flags = INLAY_ENGINE_NO_PREFIX_CACHE;
    ep.n_ctx = static_cast<uint32_t>(window);
    auto engine = open_engine(c, model.get(), ep);
    ProgressBar bar("perplexity", c.quiet);
    uint32_t n_vocab = model_info(model.get()).n_vocab;
    double nll = 0;
    uint64_t n = 0;
    size_t step = static_cast<size_t>(window) - (bos ? 1 : 0);
    for (size_t i = 0; i < ids.size(); i += step) {
        std::vector<int32_t> part;
        if (bos) part.push_back(ti.bos);
        part.insert(part.end(), ids.begin() + static_cast<ptrdiff_t>(i),
                    ids.begin() + static_cast<ptrdiff_t>(std::min(ids.size(), i + step)));
        if (part.size() < 2) break;
        for (double lp : score_ids(engine.get(), n_vocab, part, 0, Keep::none).logprobs) nll -= lp, ++n;
        bar.show(i, ids.size());
    }
    double mean = nll / static_cast<double>(n);
    if (c.json)
        std::printf("%s\n",
                    Object().number("ppl", std::exp(mean)).number("nll", mean).integer("tokens", static_cast<int64_t>(n)).str().c_str());
    else
        std::printf("perplexity %.4f over %llu tokens (nll %.5f)\n", std::exp(mean), static_cast<unsigned long long>(n), mean);
    return 0;
}

}  // namespace cli
