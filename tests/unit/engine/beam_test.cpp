// SPDX-License-Identifier: Apache-2.0
// Beam search against Hugging Face's rules written over whole distributions without cache, batch or forks; best-of against
// its draws one by one; constraints that leave no choice or cut guesses against the same request token by token.
#include <algorithm>
#include <cmath>

#include "rig.h"

using namespace inlay_test;

namespace {

std::vector<double> log_softmax(const std::vector<float> &x) {
    double m = *std::max_element(x.begin(), x.end()), s = 0;
    for (float v : x) s += std::exp(v - m);
    std::vector<double> p;
    for (float v : x) p.push_back(v - m - std::log(s));
    return p;
}

struct Found {
    std::vector<int32_t> ids;
    double score;
    bool ended;
};

// BeamSearchScorer.process() and finalize(), one prompt.
std::vector<Found> search(Rig &rig, const Ask &a) {
    struct Open {
        std::vector<int32_t> ids;
        double sum;
    };
    std::vector<Open> open = {{{}, 0}};
    std::vector<Found> kept;
    size_t width = static_cast<size_t>(a.beams);
    auto add = [&](const std::vector<int32_t> &ids, double sum, bool ended) {
        kept.push_back({ids, sum / std::pow(static_cast<double>(ids.size()), static_cast<double>(a.length_penalty)), ended});
        std::stable_sort(kept.begin(), kept.end(), [](auto &x, auto &y) { return x.score > y.score; });
        if (kept.size() > width) kept.pop_back();
    };
    for (int32_t step = 1;; ++step) {
        struct Next {
            double sum;
            size_t parent;
            int32_t token;
        };
        std::vector<Next> all;
        for (size_t b = 0; b < open.size(); ++b) {
            std::vector<int32_t> ids = a.prompt;
            ids.insert(ids.end(), open[b].ids.begin(), open[b].ids.end());
            std::vector<float> row(static_cast<size_t>(rig.engine->n_vocab()));
            auto score = rig.engine->score(ids, 0);
            for (ScoreRow r; score->next(r, row.data());) {
            }
            auto p = log_softmax(row);
            int32_t last = open[b].ids.empty() ? 1 : open[b].ids.back();
            for (int32_t t = 0; t < rig.engine->n_vocab(); ++t) {
                if (a.constrained && !FakeConstraint::allows(last, t, rig.engine->n_vocab())) continue;
                if (t == 0 && static_cast<int32_t>(open[b].ids.size()) < a.min_tokens) continue;
                all.push_back({open[b].sum + p[static_cast<size_t>(t)], b, t});
            }
        }
        std::stable_sort(all.begin(), all.end(), [](auto &x, auto &y) { return x.sum > y.sum; });
        if (all.size() > 2 * width) all.resize(2 * width);
        std::vector<Open> next;
        for (size_t rank = 0; rank < all.size() && next.size() < width; ++rank) {
            std::vector<int32_t> ids = open[all[rank].parent].ids;
            ids.push_back(all[rank].token);
            if (all[rank].token == 0 && !a.ignore_eos) {
                if (rank < width) add(ids, all[rank].sum, true);
            } else {
                next.push_back({ids, all[rank].sum});
            }
        }
        double length = a.early == EarlyStopping::never && a.length_penalty > 0 ? a.max_tokens : step;
        bool done = kept.size() == width &&
                    (a.early == EarlyStopping::at_once || kept.back().score >= all[0].sum / std::pow(length, static_cast<double>(a.length_penalty)));
        if (done || next.empty()) return kept;
        open = next;
        if (step == a.max_tokens) break;
    }
    for (auto &o : open) add(o.ids, o.sum, false);
    return kept;
}

Ask beam_ask(uint64_t seed) {
    Dice d{seed};
    Ask a = ranked_ask(d);
    while (a.beams == 0) a = ranked_ask(d);
    a.logprobs = 0;
    a.n = a.beams;
    a.constrained = d(3) == 0;
    return a;
}

}  // namespace

TEST_CASE("beam search finds what a search over whole distributions finds") {
    int ended = 0, at_length = 0, constrained = 0;
    Rig slow(EngineParams{.prefix_cache = false}), rig;
    for (uint64_t seed = 0; seed < 120; ++seed) {
        Ask a = beam_ask(seed);
        auto want = search(slow, a);
        auto got = rig.solo_all(a);
        constrained += a.constrained;
        for (size_t i = 0; i < got.size(); ++i) {
            if (i >= want.size()) {
                CHECK(got[i].finish == Finish::dead_end);
                continue;
            }
            CHECK(got[i].ids == want[i].ids);
            CHECK(got[i].finish == (want[i].ended ? Finish::stop : Finish::length));
            double sum = 0;
            for (double l : got[i].logprobs) sum += l;
            CHECK(std::fabs(sum / std::pow(static_cast<double>(got[i].ids.size()), static_cast<double>(a.length_penalty)) - want[i].score) < 1e-5);
            (want[i].ended ? ended : at_length) += 1;
        }
    }
    CHECK(ended > 20);
    CHECK(at_length > 20);
    CHECK(constrained > 20);
    Stats s = rig.engine->stats();
    CHECK(s.n_running == 0);
    CHECK(s.n_blocks_free + s.n_blocks_cached == s.n_blocks);
    CHECK(rig.backend->broken == 0);
}

TEST_CASE("the best of several draws are those with the most probable tokens") {
    Rig rig, alone;
    for (uint64_t seed = 0; seed < 30; ++seed) {
        Ask a{{1, 2, static_cast<int32_t>(3 + seed)}, 12};
        a.temperature = 1;
        a.seed = seed;
        a.ignore_eos = false;
        a.logprobs = 0;
        a.n = 2;
        a.best_of = 5;
        a.length_penalty = seed % 2 ? 1.0f : 0.0f;
        auto got = rig.solo_all(a);
        std::vector<std::pair<double, Answer>> all;
        for (uint64_t k = 0; k < 5; ++k) {
            Ask one = a;
            one.n = 1;
            one.best_of = 0;
            one.seed = seed + k;
            Answer w = alone.solo(one);
            double sum = 0;
            for (double l : w.logprobs) sum += l;
            all.emplace_back(sum / (seed % 2 ? static_cast<double>(w.ids.size()) : 1), w);
        }
        std::stable_sort(all.begin(), all.end(), [](auto &x, auto &y) { return x.first > y.first; });
        CHECK(got[0] == all[0].second);
        CHECK(got[1] == all[1].second);
    }
}

TEST_CASE("nothing is handed out before the search is over; cancel ends it whole") {
    Rig rig;
    for (bool beams : {false, true}) {
        Ask a{{5, 6, 7}, 30};
        a.temperature = 1;
        a.n = 2;
        (beams ? a.beams : a.best_of) = 4;
        auto r = rig.submit(a);
        Event e;
        for (int i = 0; i < 10; ++i) {
            rig.engine->step(0);
            CHECK(r->poll(e) == Code::again);
            CHECK(r->info().finish == Finish::none);
        }
        CHECK(r->choices() == 2);
        r->choice(1)->cancel();
        while (rig.engine->step(0) != Code::done) {}
        Answer x, y;
        CHECK(Rig::take(*r, x));
        CHECK(Rig::take(*r->choice(1), y));
        CHECK(x.finish == Finish::cancelled);
        CHECK(y.finish == Finish::cancelled);
        Stats s = rig.engine->stats();
        CHECK(s.n_blocks_free + s.n_blocks_cached == s.n_blocks);
    }
}

TEST_CASE("beams that cannot be are refused with the figure") {
    Rig rig({}, FakeOptions{.n_blocks = 10});
    Ask a{{1, 2, 3}, 60};
    a.beams = 4;
    a.temperature = 1;
    a.max_tokens = 61;
    CHECK(refusal(rig, a, Code::limit) == "4 beams of 64 tokens need 16 KV blocks, the cache has 10 (160 tokens)");
    a.beams = 2;
    a.n = 3;
    CHECK(refusal(rig, a, Code::invalid_argument) == "beam_width is 2, below n, 3");
    a.n = 1;
    a.top_p = 0.9f;
    CHECK(refusal(rig, a, Code::unsupported) == "beam_width 2 with a sampler: beams follow the model's own probabilities");
    a.top_p = 1;
    a.beams = 0;
    a.best_of = 9;
    CHECK(refusal(rig, a, Code::invalid_argument) == "best_of is 9, range 0 to 8");
}

TEST_CASE("tokens without a choice are taken unsampled, guesses obey the constraint: the same answers") {
    EngineParams fast;
    fast.lookup_tokens = 8;
    uint64_t forced = 0, accepted = 0, plain_steps = 0, forward_steps = 0, fast_steps = 0;
    for (uint64_t seed = 0; seed < 60; ++seed) {
        Dice d{seed};
        Ask a = random_ask(d);
        a.constrained = true;
        a.prompt_logprobs = false;
        a.stop.clear();
        a.logprobs = 0;  // log probabilities need every row: token by token
        Rig plain, forward, quick(fast), draft({}, {}, FakeOptions{.twisted = true});
        auto want = plain.solo_all(a);
        CHECK(plain.engine->stats().forced_tokens == 0);
        CHECK(quick.solo_all(a) == want);
        a.logprobs = -1;
        for (Answer &w : want) std::fill(w.logprobs.begin(), w.logprobs.end(), 0);
        CHECK(forward.solo_all(a) == want);
        CHECK(quick.solo_all(a) == want);
        CHECK(draft.solo_all(a) == want);
        forced += forward.engine->stats().forced_tokens;
        accepted += draft.engine->stats().accepted_tokens;
        plain_steps += plain.engine->stats().steps;
        forward_steps += forward.engine->stats().steps;
        fast_steps += draft.engine->stats().steps;
    }
    CHECK(forced > 100);
    CHECK(accepted > 50);
    CHECK(forward_steps * 5 < plain_steps * 4);
    CHECK(fast_steps < forward_steps);
}
