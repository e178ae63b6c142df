// SPDX-License-Identifier: Apache-2.0
// Figures of the engine on a real model: how far step(budget) overshoots, what a cached prefix saves, what scheduling and
// sampling cost beside the forward pass, what one draw costs, what speculation by lookup gives.
//   bench_engine MODEL [budget|prefix|load|draw|lookup] [threads]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "engine/model_backend.h"
#include "io/weights_file.h"
#include "sample/chain.h"

using namespace inlay;
using namespace inlay::engine;

namespace {

double now_us() { return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Sampling {
    const char *name = "greedy";
    float temperature = 0, top_p = 1, min_p = 0;
    int32_t top_k = 0;
    float repetition = 1;
};
const Sampling kSamplings[] = {{},
                               {"temperature 0.8", 0.8f, 1, 0, 0, 1},
                               {"top-p 0.9", 1, 0.9f, 0, 0, 1},
                               {"top-p 0.9, temperature 0.8, top-k 40", 0.8f, 0.9f, 0, 40, 1},
                               {"min-p 0.05, temperature 0.8", 0.8f, 1, 0.05f, 0, 1},
                               {"top-p 0.95, temperature 0.8, repetition 1.1", 0.8f, 0.95f, 0, 0, 1.1f}};
void set(sample::Params &p, const Sampling &s) {
    p.temperature = s.temperature;
    p.top_p = s.top_p;
    p.min_p = s.min_p;
    p.top_k = s.top_k;
    p.repetition_penalty = s.repetition;
}

// Ordinary text: after it a model is as sure as it mostly is; after random ids it is not sure of anything.
constexpr char kText[] =
    "The harbour lay quiet that morning, and the fishermen who had come in before dawn were mending their nets on the stones. A boy of ten "
    "walked along the wall with a basket of bread, stopping at each boat to ask whether anyone wanted to buy. Most of them knew him, for his "
    "mother had kept the bakery at the corner of the market since the old baker died, and they paid him with coins or with fish, whichever "
    "was nearer to hand. When the basket was empty he sat down beside the lighthouse and looked out at the water. Far away, where the grey of "
    "the sea met the grey of the sky, a ship with three masts was coming closer, and";

struct Bench {
    std::shared_ptr<Runtime> runtime;
    std::shared_ptr<const OpenedModel> model;
    std::vector<int32_t> words;  // of kText

    std::shared_ptr<Engine> engine(int requests, int n_ctx, bool prefix = true, int lookup = 0, uint64_t kv_bytes = 0) {
        EngineParams p;
        p.n_ctx = n_ctx;
        p.max_requests = requests;
        p.prefix_cache = prefix;
        p.lookup_tokens = lookup;
        p.max_queue = 1024;
        return open_engine(model, nullptr, p, kernels::KvType::f16, kv_bytes);
    }
    std::shared_ptr<Request> ask(Engine &e, int n_prompt, int n_answer, int salt, const Sampling &s = {}, bool repeat = false,
                                 bool text = false) {
        std::vector<int32_t> ids;
        if (text)
            for (int i = 0; i < n_prompt; ++i) ids.push_back(words[static_cast<size_t>(i + salt) % words.size()]);
        else
            for (int i = 0; i < n_prompt; ++i) ids.push_back(repeat ? 1000 + i % 23 : 100 + (i * 7919 + salt * 104729) % 20000);
        RequestParams q(e.memory());
        q.max_tokens = n_answer;
        q.ignore_eos = true;
        set(q.sampling, s);
        q.sampling.seed = static_cast<uint64_t>(salt);
        return e.submit(ids, std::move(q));
    }
    static void finish(Engine &e) {
        while (e.step(0) != Code::done) {
        }
    }
};

double at(std::vector<double> &v, double q) {
    std::sort(v.begin(), v.end());
    return v.empty() ? 0 : v[static_cast<size_t>(q * static_cast<double>(v.size() - 1))];
}

// One situation of step(budget): every call is timed; what a late one spent its time on comes from the counters.
struct Late {
    double over, forward, sample, draft, rest;  // us
};
struct Overshoot {
    std::vector<double> over;
    std::vector<Late> late;

    void run(Engine &e, uint64_t us) {
        for (;;) {
            Stats s0 = e.stats();
            double t = now_us();
            Code c = e.step(us);
            double spent = now_us() - t;
            if (c == Code::done) break;
            over.push_back(std::max(0.0, spent - static_cast<double>(us)));
            if (over.back() <= 400) continue;
            Stats s = e.stats();
            auto d = [](uint64_t a, uint64_t b) { return static_cast<double>(b - a) / 1e3; };
            double f = d(s0.forward_ns, s.forward_ns), q = d(s0.sample_ns, s.sample_ns), g = d(s0.draft_ns, s.draft_ns);
            late.push_back({over.back(), f, q, g, spent - f - q - g});
        }
    }
    void print(const char *name) {
        std::printf("%-28s %7zu %7.0f %7.0f %7.0f %7.0f  ", name, over.size(), at(over, .5), at(over, .99), at(over, .999), at(over, 1));
        int bins[9] = {};
        for (double o : over) ++bins[o <= 0 ? 0 : o <= 100 ? 1 : o <= 200 ? 2 : o <= 300 ? 3 : o <= 400 ? 4 : o <= 500 ? 5 : o <= 1000 ? 6 : o <= 2000 ? 7 : 8];
        for (int n : bins) std::printf(" %6d", n);
        std::printf("\n");
        std::sort(late.begin(), late.end(), [](const Late &x, const Late &y) { return x.over > y.over; });
        for (size_t i = 0; i < late.size() && i < 3; ++i)
            std::printf("    late by %.0f us: forward %.0f, sampling %.0f, drafts %.0f, the rest %.0f\n", late[i].over, late[i].forward, late[i].sample,
                        late[i].draft, late[i].rest);
        std::fflush(stdout);
    }
};

void budget(Bench &b) {
    const uint64_t us = 2000;
    std::printf("overshoot of step(%llu us)                                                in us: calls by overshoot\n%-28s %7s %7s %7s %7s %7s   ",
                static_cast<unsigned long long>(us), "", "calls", "p50", "p99", "p99.9", "max");
    for (const char *n : {"0", "<=100", "<=200", "<=300", "<=400", "<=500", "<=1000", "<=2000", "more"}) std::printf(" %6s", n);
    std::printf("\n");
    Overshoot all;
    auto situation = [&](const char *name, int lookup, auto &&submit) {
        auto e = b.engine(64, 10240, true, lookup, uint64_t{640} << 20);
        std::vector<std::shared_ptr<Request>> rs;
        submit(*e, rs);
        Overshoot o;
        o.run(*e, us);
        o.print(name);
        all.over.insert(all.over.end(), o.over.begin(), o.over.end());
    };
    // What the machine itself does to a thread that only looks at the clock.
    Overshoot idle;
    for (int i = 0; i < 2000; ++i) {
        double t = now_us();
        thread::parallel_for(b.runtime->executor(), b.runtime->n_threads(), [&](int64_t, int) {
            while (now_us() < t + static_cast<double>(us)) {
            }
        });
        idle.over.push_back(std::max(0.0, now_us() - t - static_cast<double>(us)));
    }
    idle.print("no work, only the clock");
    using Requests = std::vector<std::shared_ptr<Request>>;
    const Sampling drawn = {"top-p 0.95, temperature 0.9", 0.9f, 0.95f, 0, 0, 1};
    situation("prefill, 3 x 512", 0, [&](Engine &e, Requests &rs) {
        for (int i = 0; i < 3; ++i) rs.push_back(b.ask(e, 512, 1, i));
    });
    situation("decode, 1 sequence", 0, [&](Engine &e, Requests &rs) { rs.push_back(b.ask(e, 16, 100, 1)); });
    situation("decode, 8 sequences", 0, [&](Engine &e, Requests &rs) {
        for (int i = 0; i < 8; ++i) rs.push_back(b.ask(e, 16, 40, i, drawn, false, true));
    });
    situation("64 sequences", 0, [&](Engine &e, Requests &rs) {
        for (int i = 0; i < 64; ++i) rs.push_back(b.ask(e, 8, 8, i, drawn, false, true));
    });
    // A draw from a row that is sure of nothing takes the better part of a millisecond, and is not cut.
    situation("64 sequences after noise", 0, [&](Engine &e, Requests &rs) {
        for (int i = 0; i < 64; ++i) rs.push_back(b.ask(e, 8, 8, i, drawn));
    });
    situation("prompt of 10000, then 20", 0, [&](Engine &e, Requests &rs) { rs.push_back(b.ask(e, 10000, 20, 1)); });
    situation("lookup, 2 sequences", 8, [&](Engine &e, Requests &rs) {
        for (int i = 0; i < 2; ++i) rs.push_back(b.ask(e, 300, 60, 1, {}, true));
    });
    all.print("all");
}

void prefix(Bench &b) {
    auto e = b.engine(2, 2048);
    for (int round = 0; round < 3; ++round) {
        auto cold = b.ask(*e, 1000, 1, round + 1);
        Bench::finish(*e);
        auto warm = b.ask(*e, 1000, 1, round + 1);
        Bench::finish(*e);
        RequestInfo c = cold->info(), w = warm->info();
        std::printf("1000-token prompt: cold %.1f ms, cached %.1f ms (%d tokens from the cache) = %.1f %%\n",
                    static_cast<double>(c.ttft_us) / 1e3, static_cast<double>(w.ttft_us) / 1e3, w.cached_tokens,
                    100.0 * static_cast<double>(w.ttft_us) / static_cast<double>(c.ttft_us));
    }
}

void load(Bench &b, bool text) {
    for (const Sampling &t : kSamplings) {
        auto e = b.engine(64, 512);
        std::vector<std::shared_ptr<Request>> rs;
        for (int i = 0; i < 64; ++i) rs.push_back(b.ask(*e, 32, 24, i, t, false, text));
        for (;;) {  // past the prompts
            e->step(0);
            if (e->stats().last_batch_tokens <= 64 && e->stats().n_waiting == 0) break;
        }
        Stats s0 = e->stats();
        uint64_t allocations = e->memory().allocations();
        double start = now_us();
        for (int i = 0; i < 10; ++i) e->step(0);
        double wall = now_us() - start;
        Stats s = e->stats();
        double step = static_cast<double>(s.step_ns - s0.step_ns), forward = static_cast<double>(s.forward_ns - s0.forward_ns),
               sample = static_cast<double>(s.sample_ns - s0.sample_ns);
        std::printf("64 requests, %s, %s: %.1f ms a step, %.0f tokens/s; sampling %.2f %%, scheduling and the rest %.2f %%, %.1f allocations a step\n",
                    text ? "text" : "noise", t.name, wall / 1e4, static_cast<double>(s.completion_tokens - s0.completion_tokens) / wall * 1e6,
                    100 * sample / step, 100 * (step - forward - sample) / step, static_cast<double>(e->memory().allocations() - allocations) / 10);
        Bench::finish(*e);
    }
}

// One draw from rows as the model gives them, on one thread.
void draw(Bench &b, bool text) {
    auto e = b.engine(1, 512);
    std::vector<int32_t> ids;
    for (int i = 0; i < 64; ++i) ids.push_back(text ? b.words[static_cast<size_t>(i) + 32] : 100 + i * 7919 % 20000);
    auto score = e->score(ids, 0);
    std::vector<std::vector<float>> rows;
    ScoreRow row;
    for (std::vector<float> x(static_cast<size_t>(e->n_vocab())); score->next(row, x.data());) rows.push_back(x);
    sample::Workspace w(e->memory(), e->n_vocab(), &b.runtime->kernels());
    for (const Sampling &s : kSamplings) {
        sample::Params p(e->memory());
        set(p, s);
        std::vector<double> us;
        for (int round = 0; round < 4; ++round)
            for (size_t i = 0; i < rows.size(); ++i) {
                double t = now_us();
                sample::draw(rows[i], p, {ids, 0}, {}, {}, i, w);
                us.push_back(now_us() - t);
            }
        std::printf("draw, %s, %s: p50 %.0f us, p99 %.0f us\n", text ? "text" : "noise", s.name, at(us, .5), at(us, .99));
    }
}

void lookup(Bench &b) {
    for (int n : {0, 8}) {
        auto e = b.engine(1, 2048, false, n);
        auto r = b.ask(*e, 300, 200, 1, {}, true);
        Bench::finish(*e);
        RequestInfo i = r->info();
        std::printf("lookup %d: %.1f tokens/s in decode, %llu of %llu drafts accepted\n", n,
                    199e6 / static_cast<double>(i.latency_us - i.ttft_us), static_cast<unsigned long long>(i.accepted_tokens),
                    static_cast<unsigned long long>(i.draft_tokens));
    }
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 2) return std::fprintf(stderr, "usage: bench_engine MODEL [budget|prefix|load|draw|lookup] [threads]\n"), 2;
    std::string what = argc > 2 ? argv[2] : "all";
    try {
        RuntimeOptions o;
        o.n_threads = argc > 3 ? std::atoi(argv[3]) : 0;
        Bench b;
        b.runtime = make_runtime(o);
        Runtime &rt = *b.runtime;
        auto file = io::open_checkpoint(rt.files(), rt.memory(), argv[1], rt.limits(), rt.log());
        b.model = make_shared_in<OpenedModel>(rt.memory(), b.runtime, std::move(file), ModelOptions{});
        Vector<int32_t> words((Alloc<int32_t>(rt.memory())));
        text::EncodeScratch scratch(rt.memory());
        b.model->need_tokenizer().encode(scratch, kText, {}, words);
        b.words.assign(words.begin(), words.end());
        if (what == "all" || what == "budget") budget(b);
        if (what == "all" || what == "prefix") prefix(b);
        if (what == "all" || what == "load")
            for (bool text : {true, false}) load(b, text);
        if (what == "all" || what == "draw")
            for (bool text : {true, false}) draw(b, text);
        if (what == "all" || what == "lookup") lookup(b);
    } catch (const Error &e) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(e.text().size()), e.text().data());
        return 1;
    }
}
