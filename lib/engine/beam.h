// SPDX-License-Identifier: Apache-2.0
// Beam search: the tokens that each beam could go on with, the ended hypotheses, and when the search is over. The rules
// are those of Hugging Face's BeamSearchScorer, with sums in double: an end token among the first `width` candidates ends a
// hypothesis, its score is sum of log probabilities / tokens^length_penalty (the end token counts), and the `width` best
// are kept; of equal scores the one found first is the better.
#pragma once

#include <algorithm>

#include "engine/request.h"
#include "sample/math.h"

namespace inlay::engine {

// What a choice is while it is a beam.
struct Beam {
    explicit Beam(Memory &m) : best(m), logprobs(m) {}
    struct Next {
        int32_t token;
        double logprob;
    };
    Vector<Next> best;         // what may follow, best first; empty: nothing
    Vector<double> logprobs;   // of the answer's tokens
    double sum = 0;            // of these
    bool live = false;         // one of the beams now
    bool waiting = false;      // `best` is known, the others' is not yet
};

struct Hypothesis {
    explicit Hypothesis(Memory &m) : tokens(m), logprobs(m) {}
    Vector<int32_t> tokens;  // of the answer
    Vector<double> logprobs;
    double score = 0;
    bool ended = false;  // by an end token
};

struct Beams {
    explicit Beams(Memory &m) : best(Alloc<Hypothesis>(m)), places(m), next(m) {}
    struct Place {
        double sum, logprob;
        int32_t parent, token;
    };
    int32_t width = 1, n_end = 0;  // n_end: tokens that end
    Vector<Hypothesis> best;       // best first
    Vector<Place> places, next;    // scratch

    static double score(double sum, int32_t n, float penalty) noexcept {
        return sum / (penalty == 1 ? static_cast<double>(n) : sample::pow64(static_cast<double>(n), static_cast<double>(penalty)));
    }
    void add(Hypothesis &&h) {
        auto at = std::find_if(best.begin(), best.end(), [&](const Hypothesis &o) { return h.score > o.score; });
        if (at == best.end() && static_cast<int32_t>(best.size()) >= width) return;
        best.insert(at, std::move(h));
        if (static_cast<int32_t>(best.size()) > width) best.pop_back();
    }
    // `sum`: of the best candidate, of n tokens; at most n_most could become of it.
    bool over(double sum, int32_t n, int32_t n_most, float penalty, EarlyStopping early) const noexcept {
        if (static_cast<int32_t>(best.size()) < width) return false;
        if (early == EarlyStopping::at_once) return true;
        bool later = early == EarlyStopping::never && penalty > 0;
        return best.back().score >= score(sum, later ? n_most : n, penalty);
    }
};

}  // namespace inlay::engine
