// SPDX-License-Identifier: Apache-2.0
// Random schedules over the fake model of fake_backend.h: every answer equals the answer alone.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "asks.h"
#include "rig.h"

using namespace inlay_test;

namespace {

// One random schedule over `asks`; the answers must be `want` (choice by choice). Returns how many differ.
int schedule(const std::vector<Ask> &asks, const std::vector<std::vector<Answer>> &want, uint64_t seed, const std::vector<int32_t> &windows,
             Stats *total) {
    Dice d{seed};
    FakeOptions o;
    o.windows = windows;
    const int32_t groups = static_cast<int32_t>(windows.size());
    o.n_blocks = (8 + d(40)) * groups + d(groups);  // 8 of each hold any ask; not only whole ones
    o.rows_a_slice = 1 + d(50);
    o.head_rows = 1 + d(9);
    EngineParams p;
    p.max_batch_tokens = 4 + d(80);
    p.chunk = 1 + d(p.max_batch_tokens);
    p.max_requests = 1 + d(8);
    p.policy = static_cast<Policy>(d(3));
    p.prefix_cache = d(4) != 0;
    p.lookup_tokens = d(2) ? 0 : 1 + d(8);
    std::optional<FakeOptions> draft;
    o.n_swap = d(2) ? 0 : 1 + d(20) * groups;
    if (d(3) == 0) draft = FakeOptions{.n_blocks = 2 + d(40), .rows_a_slice = 1 + d(20), .head_rows = 1 + d(5), .twisted = true};
    Rig rig(p, o, draft);
    struct Live {
        std::shared_ptr<Request> r;
        size_t ask;
        std::vector<Answer> got;
        std::vector<bool> over;
        bool cancelled = false;
    };
    std::vector<Live> live;
    std::vector<std::shared_ptr<Prefix>> pins;
    size_t next = 0, done = 0;
    int bad = 0;
    for (int guard = 0; done < asks.size() && guard < 100000; ++guard) {
        if (next < asks.size() && (d(3) == 0 || live.empty())) {
            const Ask &a = asks[next];
            Live l{rig.submit(a), next, std::vector<Answer>(static_cast<size_t>(a.n)), std::vector<bool>(static_cast<size_t>(a.n)), false};
            live.push_back(std::move(l));
            ++next;
        }
        if (!live.empty() && d(60) == 0) {
            Live &l = live[static_cast<size_t>(d(static_cast<int32_t>(live.size())))];
            for (int k = 0; k < l.r->choices(); ++k) l.r->choice(k)->cancel();
            l.cancelled = true;
        }
        if (p.prefix_cache && d(40) == 0) {
            const Ask &a = asks[static_cast<size_t>(d(static_cast<int32_t>(asks.size())))];
            if (d(3) == 0)
                pins.clear();
            else if (a.prompt.size() >= 16)
                try {
                    pins.push_back(rig.engine->pin(a.prompt, a.salt));
                } catch (const Error &e) {
                    CHECK(e.code() == Code::limit);
                }
        }
        rig.engine->step(d(2) ? 0 : 1);
        for (size_t i = 0; i < live.size();) {
            Live &l = live[i];
            bool all = true;
            for (int k = 0; k < l.r->choices(); ++k) all &= Rig::take(*l.r->choice(k), l.got[static_cast<size_t>(k)]);
            if (!all) {
                ++i;
                continue;
            }
            for (int k = 0; k < l.r->choices(); ++k) {
                Answer &g = l.got[static_cast<size_t>(k)];
                const Answer &w = want[l.ask][static_cast<size_t>(k)];
                const Ask &a = asks[l.ask];
                if (l.cancelled && (a.best_of > 0 || a.beams > 1)) {
                    bad += g.finish == Finish::none;  // whichever were drawn so far
                } else if (l.cancelled) {             // a beginning of it
                    bad += g.ids.size() > w.ids.size() || !std::equal(g.ids.begin(), g.ids.end(), w.ids.begin());
                } else {
                    bad += !(g == w);
                }
            }
            ++done;
            live.erase(live.begin() + static_cast<long>(i));
        }
    }
    CHECK(done == asks.size());
    pins.clear();
    while (rig.engine->step(0) != Code::done) {
    }
    Stats s = rig.engine->stats();
    CHECK(s.n_blocks_free + s.n_blocks_cached == s.n_blocks);
    CHECK(s.n_running == 0);
    CHECK(s.n_swap_blocks_free == s.n_swap_blocks);
    CHECK(rig.backend->broken == 0);
    if (total) {
        total->preempted += s.preempted;
        total->cached_tokens += s.cached_tokens;
        total->accepted_tokens += s.accepted_tokens;
        total->draft_tokens += s.draft_tokens;
        total->pauses += s.pauses;
        total->swapped_out += s.swapped_out;
        total->swapped_in += s.swapped_in;
        total->forced_tokens += s.forced_tokens;
    }
    return bad;
}

}  // namespace

TEST_CASE("random schedules: every answer is the answer alone") {
    // INLAY_SCHEDULES=10000 for the long form (meson suite `long`).
    const char *env = std::getenv("INLAY_SCHEDULES");
    int n = env ? std::atoi(env) : 400, bad = 0;
    Stats total;
    std::vector<Ask> asks;
    std::vector<std::vector<Answer>> want;
    // What groups of layers see of the past: the asks have up to 90 tokens.
    const std::vector<int32_t> kinds[] = {{0}, {24}, {0, 9}, {0, 18, 9, 33}};
    FakeOptions whole;
    for (int i = 0; i < n; ++i) {
        if (i % 50 == 0) {
            whole.windows = kinds[i / 50 % 4];
            Dice d{static_cast<uint64_t>(i) + 1};
            asks.clear();
            want.clear();
            for (int k = 0; k < 12; ++k) {
                asks.push_back(d(4) ? random_ask(d) : ranked_ask(d));
                asks.back().constrained = d(4) == 0;
                want.emplace_back();
                if (asks.back().best_of > 0 || asks.back().beams > 1) {
                    Rig alone(EngineParams{.prefix_cache = false}, whole);
                    want.back() = alone.solo_all(asks.back());
                    continue;
                }
                for (int c = 0; c < asks.back().n; ++c) {
                    Ask one = asks.back();
                    one.n = 1;
                    one.seed += static_cast<uint64_t>(c);
                    one.prompt_logprobs = one.prompt_logprobs && c == 0;
                    Rig alone(EngineParams{.prefix_cache = false}, whole);
                    want.back().push_back(alone.solo(one));
                }
            }
        }
        bad += schedule(asks, want, static_cast<uint64_t>(i) + 7, whole.windows, &total);
    }
    MESSAGE(n, " schedules, answers differing: ", bad, "; preemptions ", total.preempted, ", cached tokens ", total.cached_tokens,
            ", drafts accepted ", total.accepted_tokens, " of ", total.draft_tokens, ", pauses ", total.pauses, ", blocks swapped ",
            total.swapped_out, " out, ", total.swapped_in, " in");
    CHECK(bad == 0);
    CHECK(total.preempted > 0);
    CHECK(total.swapped_in > 0);
    CHECK(total.cached_tokens > 0);
    CHECK(total.accepted_tokens > 0);
    CHECK(total.forced_tokens > 0);
}
