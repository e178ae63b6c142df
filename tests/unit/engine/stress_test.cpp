// SPDX-License-Identifier: Apache-2.0
// 32 client threads against an engine that steps itself: submit, poll, cancel, drop, info, stats, times, pins, pause,
// embed and score, all at once; whole answers must be those of the request alone. Meant for -Db_sanitize=thread.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "asks.h"
#include "engine/model_backend.h"
#include "fake_backend.h"
#include "io/weights_file.h"
#include "support/shared.h"

using namespace inlay_test;

namespace {

struct Outcome {
    std::atomic<int> whole{0}, wrong{0}, cancelled{0}, busy{0}, errors{0};
};

// INLAY_STRESS_MS for longer or shorter.
std::chrono::milliseconds how_long() {
    const char *env = std::getenv("INLAY_STRESS_MS");
    return std::chrono::milliseconds(env ? std::atoi(env) : 4000);
}

void client(Engine &e, const std::vector<Ask> &asks, const std::vector<std::vector<Answer>> &want, uint64_t seed, std::chrono::steady_clock::time_point end,
            Outcome &out) {
    Dice d{seed};
    std::shared_ptr<Prefix> pin;
    while (std::chrono::steady_clock::now() < end) try {
            const size_t k = static_cast<size_t>(d(static_cast<int32_t>(asks.size())));
            auto r = submit(e, asks[k]);
            const int kind = d(6);
            if (kind == 0) continue;  // dropped: cancels
            if (kind == 1)
                for (int c = 0; c < r->choices(); ++c) r->choice(c)->cancel();
            if (d(4) == 0) e.stats();
            if (d(4) == 0) {
                Times t;
                e.times(t);
            }
            if (d(20) == 0 && asks[k].prompt.size() >= 16) pin = e.pin(asks[k].prompt, asks[k].salt);
            if (d(20) == 0) pin.reset();
            if (d(50) == 0) e.pause();
            if (d(50) == 0) {
                std::vector<float> v(e.embed_size(asks[k].prompt.size(), {}));
                e.embed(asks[k].prompt, {}, v);
            }
            if (d(50) == 0) {
                auto s = e.score(asks[k].prompt, 7);
                ScoreRow row;
                for (int i = 0; i < 3 && s->next(row, nullptr); ++i) {
                }
            }
            e.resume();
            bool all = true;
            for (int c = 0; c < r->choices(); ++c) {
                Answer got;
                auto one = r->choice(c);
                while (!take(*one, got)) {
                    if (kind == 2 && d(200) == 0) one->cancel();
                    one->info();
                    std::this_thread::yield();
                }
                if (got.finish == Finish::cancelled)
                    all = false;
                else
                    out.wrong += !(got == want[k][static_cast<size_t>(c)]);
            }
            ++(all ? out.whole : out.cancelled);
        } catch (const Error &x) {
            ++(x.code() == Code::busy ? out.busy : x.code() == Code::limit ? out.busy : out.errors);
            if (x.code() != Code::busy && x.code() != Code::limit) MESSAGE(std::string(x.text()));
        }
}

void stress(const std::vector<Ask> &asks, const std::vector<std::vector<Answer>> &want, std::shared_ptr<Engine> engine) {
    Outcome out;
    std::vector<std::thread> clients;
    const auto end = std::chrono::steady_clock::now() + how_long();
    for (uint64_t t = 0; t < 32; ++t) clients.emplace_back([&, t] { client(*engine, asks, want, t + 1, end, out); });
    for (auto &c : clients) c.join();
    MESSAGE(out.whole.load(), " whole answers, differing: ", out.wrong.load(), "; ", out.cancelled.load(), " cancelled, ", out.busy.load(), " refused");
    CHECK(out.wrong == 0);
    CHECK(out.errors == 0);
    CHECK(out.whole > 0);
    // It ends with requests in flight, while their clients poll.
    std::vector<std::shared_ptr<Request>> rs;
    for (int i = 0; i < 8; ++i) rs.push_back(submit(*engine, asks[static_cast<size_t>(i) % asks.size()]));
    std::vector<std::thread> pollers;
    for (auto &r : rs)
        pollers.emplace_back([r] {
            Answer a;
            while (!take(*r, a)) std::this_thread::yield();
        });
    engine.reset();
    for (auto &p : pollers) p.join();
}

}  // namespace

TEST_CASE("stress: 32 clients of a fake model") {
    std::vector<Ask> asks;
    std::vector<std::vector<Answer>> want;
    Memory mem;
    auto open = [&](EngineParams p, FakeOptions o) {
        p.n_pages = o.n_blocks;
        p.swap_pages = o.n_swap;
        return make_engine(mem, nullptr, make_owned<FakeBackend>(mem, o), {}, std::allocate_shared<FakeSpeech>(Alloc<FakeSpeech>(mem)), p, Limits{});
    };
    Dice d{3};
    for (int k = 0; k < 16; ++k) {
        asks.push_back(random_ask(d));
        want.emplace_back();
        for (int c = 0; c < asks.back().n; ++c) {
            Ask one = asks.back();
            one.n = 1;
            one.seed += static_cast<uint64_t>(c);
            one.prompt_logprobs = one.prompt_logprobs && c == 0;
            auto e = open(EngineParams{.prefix_cache = false}, {});
            auto r = submit(*e, one);
            while (e->step(0) != Code::done) {
            }
            want.back().emplace_back();
            REQUIRE(take(*r, want.back().back()));
        }
    }
    for (int32_t blocks : {24, 64})
        stress(asks, want,
               open(EngineParams{.background = true, .trace = true, .max_queue = 24, .lookup_tokens = 4}, FakeOptions{.n_blocks = blocks, .n_swap = 12}));
}

TEST_CASE("stress: 32 clients of a tiny model, two threads") {
    const std::string path = shared_path("data/golden/tiny/llama");
    if (path.empty()) {
        MESSAGE("SKIP: ../shared/data/golden/tiny is not there");
        return;
    }
    RuntimeOptions o;
    o.n_threads = 2;
    o.executor = ExecutorKind::pool;
    auto rt = make_runtime(o);
    auto file = io::open_checkpoint(rt->files(), rt->memory(), path, rt->limits(), rt->log());
    std::shared_ptr<const OpenedModel> model = make_shared_in<OpenedModel>(rt->memory(), rt, std::move(file), ModelOptions{});
    const uint64_t block = kv_bytes_per_token(rt->memory(), model->config(), kernels::KvType::f16) * 16;
    auto open = [&](EngineParams p, uint64_t blocks) {
        p.n_ctx = 128;
        return open_engine(model, nullptr, p, kernels::KvType::f16, blocks * block);
    };
    std::vector<Ask> asks;
    std::vector<std::vector<Answer>> want;
    Dice d{5};
    for (int k = 0; k < 8; ++k) {
        Ask a = random_ask(d, model->config().vocab);
        a.stop.clear();
        asks.push_back(a);
        want.emplace_back();
        for (int c = 0; c < a.n; ++c) {
            Ask one = a;
            one.n = 1;
            one.seed += static_cast<uint64_t>(c);
            one.prompt_logprobs = a.prompt_logprobs && c == 0;
            auto e = open(EngineParams{.prefix_cache = false}, 8);
            auto r = submit(*e, one);
            while (e->step(0) != Code::done) {
            }
            want.back().emplace_back();
            REQUIRE(take(*r, want.back().back()));
        }
    }
    stress(asks, want, open(EngineParams{.background = true, .max_queue = 24, .lookup_tokens = 4, .swap_bytes = 12 * block}, 20));
}
