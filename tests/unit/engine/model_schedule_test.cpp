// SPDX-License-Identifier: Apache-2.0
// Real arithmetic, random schedules: the tiny models of the reference data, over arrivals, lengths, priorities, cancels,
// preemptions, forks, prefix hits, chunk and batch sizes, speculation, 1 to 4 threads. Every token and every log
// probability must be bit for bit that of the request alone.
#include <doctest/doctest.h>

#include <cstdlib>

#include "asks.h"
#include "engine/model_backend.h"
#include "io/weights_file.h"
#include "support/shared.h"

using namespace inlay_test;

namespace {

std::shared_ptr<const OpenedModel> open_tiny(const std::string &path, int threads) {
    RuntimeOptions o;
    o.n_threads = threads;
    o.executor = ExecutorKind::pool;
    auto rt = make_runtime(o);
    auto file = io::open_checkpoint(rt->files(), rt->memory(), path, rt->limits(), rt->log());
    return make_shared_in<OpenedModel>(rt->memory(), rt, std::move(file), ModelOptions{});
}

std::shared_ptr<Engine> open(const std::shared_ptr<const OpenedModel> &m, EngineParams p, uint64_t blocks) {
    p.n_ctx = std::min(m->config().ctx, 128);
    const uint64_t bytes = kv_bytes_per_token(m->runtime().memory(), m->config(), kernels::KvType::f16) * 16 * blocks;
    return open_engine(m, nullptr, p, kernels::KvType::f16, bytes);
}

}  // namespace

TEST_CASE("random schedules on tiny models: the bits of the solo run") {
    // INLAY_MODEL_SCHEDULES=10000 for the long form.
    const char *env = std::getenv("INLAY_MODEL_SCHEDULES");
    const int n = env ? std::atoi(env) : 18;
    int bad = 0, tried = 0, answers = 0;
    uint32_t widest = 0;
    Stats total;
    // The last three have windows of 16 tokens in every other layer, mistral in all.
    const char *names[] = {"llama", "qwen3_moe", "mistral", "gemma3_text", "gemma2", "gpt_oss"};
    for (const char *name : names) {
        const std::string path = shared_path(std::string("data/golden/tiny/") + name);
        if (path.empty()) {
            MESSAGE("SKIP: ../shared/data/golden/tiny is not there");
            return;
        }
        // A model lies in its runtime's memory: the runtimes go last.
        std::vector<std::shared_ptr<Runtime>> runtimes;
        std::vector<std::shared_ptr<const OpenedModel>> models;
        for (int threads = 1; threads <= 4; ++threads) {
            models.push_back(open_tiny(path, threads));
            runtimes.push_back(models.back()->runtime_handle());
        }
        Dice d{7};
        std::vector<Ask> asks;
        std::vector<std::vector<Answer>> want;
        for (int k = 0; k < 10; ++k) {
            Ask a = random_ask(d, models[0]->config().vocab);
            a.stop.clear();  // the tiny ones have no tokenizer
            a.logprobs = 3;
            want.emplace_back();
            for (int c = 0; c < a.n; ++c) {
                Ask one = a;
                one.n = 1;
                one.seed += static_cast<uint64_t>(c);
                one.prompt_logprobs = a.prompt_logprobs && c == 0;
                auto e = open(models[0], EngineParams{.prefix_cache = false}, 8);
                auto r = submit(*e, one);
                while (e->step(0) != Code::done) {
                }
                want.back().emplace_back();
                REQUIRE(take(*r, want.back().back()));
                REQUIRE(want.back().back().ids.size() == static_cast<size_t>(a.max_tokens));
            }
            asks.push_back(std::move(a));
        }
        for (int i = 0; i < n / 6; ++i, ++tried) {
            Dice s{static_cast<uint64_t>(i) + 1000};
            EngineParams p;
            p.max_batch_tokens = 8 + s(200);
            p.chunk = 1 + s(p.max_batch_tokens);
            p.max_requests = 1 + s(64);
            p.policy = static_cast<Policy>(s(3));
            p.prefix_cache = s(4) != 0;
            p.lookup_tokens = s(2) ? 0 : 4;
            p.swap_bytes = s(2) ? 0 : static_cast<uint64_t>(1 + s(12)) << 14;
            const bool wide = s(8) == 0;  // room for 64 at once
            auto e = open(models[static_cast<size_t>(s(4))], p, static_cast<uint64_t>(8 + s(30) + (wide ? 500 : 0)));
            std::vector<std::shared_ptr<Request>> rs;
            // Each ask once; in wide schedules some of them many times.
            std::vector<size_t> turns;
            for (size_t k = 0; k < asks.size(); ++k) turns.push_back(k);
            if (wide)
                for (int more = 20 + s(60); more > 0; --more) turns.push_back(static_cast<size_t>(s(static_cast<int32_t>(asks.size()))));
            std::vector<bool> cancelled(turns.size());
            for (size_t next = 0; next < turns.size() || e->step(s(2) ? 0 : 50) != Code::done;) {
                while (next < turns.size() && s(wide ? 12 : 2)) {
                    rs.push_back(submit(*e, asks[turns[next++]]));
                    if (!wide) break;
                }
                if (!rs.empty() && s(50) == 0) {
                    size_t k = static_cast<size_t>(s(static_cast<int32_t>(rs.size())));
                    for (int c = 0; c < rs[k]->choices(); ++c) rs[k]->choice(c)->cancel();
                    cancelled[k] = true;
                }
                if (next < turns.size()) e->step(s(2) ? 0 : 50);
                widest = std::max(widest, e->stats().n_running);
            }
            for (size_t k = 0; k < turns.size(); ++k)
                for (int c = 0; c < asks[turns[k]].n; ++c) {
                    Answer got;
                    CHECK(take(*rs[k]->choice(c), got));
                    const Answer &w = want[turns[k]][static_cast<size_t>(c)];
                    ++answers;
                    if (cancelled[k])
                        bad += !std::equal(got.ids.begin(), got.ids.end(), w.ids.begin()) ||
                               !std::equal(got.logprobs.begin(), got.logprobs.end(), w.logprobs.begin());
                    else
                        bad += !(got == w);
                }
            Stats st = e->stats();
            total.preempted += st.preempted;
            total.cached_tokens += st.cached_tokens;
            total.accepted_tokens += st.accepted_tokens;
            total.pauses += st.pauses;
            total.swapped_in += st.swapped_in;
        }
    }
    MESSAGE(tried, " schedules, ", answers, " answers, differing: ", bad, "; at most ", widest, " at once; preemptions ", total.preempted,
            ", blocks swapped back ", total.swapped_in, ", cached tokens ", total.cached_tokens, ", drafts accepted ", total.accepted_tokens, ", pauses ",
            total.pauses);
    CHECK(bad == 0);
}
