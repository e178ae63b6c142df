// SPDX-License-Identifier: Apache-2.0
// Figures of the engine on a real model: how far step(budget) overshoots, what a cached prefix saves, what scheduling and
// sampling cost beside the forward pass, what speculation by lookup gives.
//   bench_engine MODEL [budget|prefix|load|lookup] [threads]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "engine/model_backend.h"
#include "io/weights_file.h"

using namespace inlay;
using namespace inlay::engine;

namespace {

double now_us() { return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Bench {
    std::shared_ptr<Runtime> runtime;
    std::shared_ptr<const OpenedModel> model;

    std::shared_ptr<Engine> engine(int requests, int n_ctx, bool prefix = true, int lookup = 0) {
        EngineParams p;
        p.n_ctx = n_ctx;
        p.max_requests = requests;
        p.prefix_cache = prefix;
        p.lookup_tokens = lookup;
        p.max_queue = 1024;
        return open_engine(model, nullptr, p, kernels::KvType::f16, 0);
    }
    std::shared_ptr<Request> ask(Engine &e, int n_prompt, int n_answer, int salt, float temperature = 0, bool repeat = false) {
        std::vector<int32_t> ids;
        for (int i = 0; i < n_prompt; ++i) ids.push_back(repeat ? 1000 + i % 23 : 100 + (i * 7919 + salt * 104729) % 20000);
        RequestParams q(e.memory());
        q.max_tokens = n_answer;
        q.ignore_eos = true;
        q.sampling.temperature = temperature;
        q.sampling.top_p = temperature > 0 ? 0.95f : 1;
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

void budget(Bench &b) {
    auto e = b.engine(4, 2048, false);
    std::printf("overshoot of step(budget), us\n%10s %8s %8s %8s %8s %8s\n", "budget", "steps", "p50", "p90", "p99", "max");
    for (uint64_t us : {500, 2000, 8000}) {
        std::vector<double> over;
        std::vector<std::shared_ptr<Request>> rs;
        for (int i = 0; i < 3; ++i) rs.push_back(b.ask(*e, 512, 12, i));
        for (;;) {
            double t = now_us();
            Code c = e->step(us);
            double spent = now_us() - t;
            if (c == Code::done) break;
            if (c == Code::again) over.push_back(spent - static_cast<double>(us));
        }
        std::printf("%10llu %8zu %8.0f %8.0f %8.0f %8.0f\n", static_cast<unsigned long long>(us), over.size(), at(over, .5), at(over, .9),
                    at(over, .99), at(over, 1));
        int bins[12] = {};
        for (double o : over) ++bins[std::clamp(static_cast<int>(o / 100), 0, 11)];
        std::printf("  by 100 us:");
        for (int n : bins) std::printf(" %d", n);
        std::printf("\n");
    }
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

void load(Bench &b) {
    for (float t : {0.0f, 0.9f}) {
        auto e = b.engine(64, 512);
        std::vector<std::shared_ptr<Request>> rs;
        for (int i = 0; i < 64; ++i) rs.push_back(b.ask(*e, 32, 24, i, t));
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
        std::printf(
            "64 requests, temperature %.1f: %.1f ms a step, %.0f tokens/s; sampling %.2f %%, scheduling and the rest %.2f %%, %.1f "
            "allocations a step\n",
            static_cast<double>(t), wall / 1e4, static_cast<double>(s.completion_tokens - s0.completion_tokens) / wall * 1e6,
            100 * sample / step, 100 * (step - forward - sample) / step, static_cast<double>(e->memory().allocations() - allocations) / 10);
        Bench::finish(*e);
    }
}

void lookup(Bench &b) {
    for (int n : {0, 8}) {
        auto e = b.engine(1, 2048, false, n);
        auto r = b.ask(*e, 300, 200, 1, 0, true);
        Bench::finish(*e);
        RequestInfo i = r->info();
        std::printf("lookup %d: %.1f tokens/s in decode, %llu of %llu drafts accepted\n", n,
                    199e6 / static_cast<double>(i.latency_us - i.ttft_us), static_cast<unsigned long long>(i.accepted_tokens),
                    static_cast<unsigned long long>(i.draft_tokens));
    }
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 2) return std::fprintf(stderr, "usage: bench_engine MODEL [budget|prefix|load|lookup] [threads]\n"), 2;
    std::string what = argc > 2 ? argv[2] : "all";
    try {
        RuntimeOptions o;
        o.n_threads = argc > 3 ? std::atoi(argv[3]) : 0;
        Bench b;
        b.runtime = make_runtime(o);
        Runtime &rt = *b.runtime;
        auto file = io::open_checkpoint(rt.files(), rt.memory(), argv[1], rt.limits(), rt.log());
        b.model = make_shared_in<OpenedModel>(rt.memory(), b.runtime, std::move(file), ModelOptions{});
        if (what == "all" || what == "budget") budget(b);
        if (what == "all" || what == "prefix") prefix(b);
        if (what == "all" || what == "load") load(b);
        if (what == "all" || what == "lookup") lookup(b);
    } catch (const Error &e) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(e.text().size()), e.text().data());
        return 1;
    }
}
