// SPDX-License-Identifier: Apache-2.0
// What tests ask of an engine and what they got, as values that can be compared.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "fake_constraint.h"

namespace inlay_test {

using namespace inlay;
using namespace inlay::engine;

struct Ask {
    std::vector<int32_t> prompt;
    int32_t max_tokens = 10, priority = 0, n = 1, min_tokens = 0, logprobs = -1, keep = 0;
    float temperature = 0, repetition = 1;
    uint64_t seed = 0, salt = 0;
    bool ignore_eos = true, prompt_logprobs = false, host = false;
    uint32_t timeout_ms = 0;
    Overflow overflow = Overflow::stop;
    std::vector<std::string> stop;
    std::vector<int32_t> stop_tokens;
    int32_t best_of = 0, beams = 0;
    float length_penalty = 1, top_p = 1;
    EarlyStopping early = EarlyStopping::likely;
    bool constrained = false;  // by FakeConstraint
};
struct Answer {
    std::vector<int32_t> ids, prompt_ids;
    std::vector<double> logprobs, prompt_logprobs;
    std::string text;
    Finish finish = Finish::none;
    bool operator==(const Answer &) const = default;
};

inline std::shared_ptr<Request> submit(Engine &engine, const Ask &a) {
    Memory &mem = engine.memory();
    RequestParams p(mem);
    p.max_tokens = a.max_tokens;
    p.priority = a.priority;
    p.n = a.n;
    p.ignore_eos = a.ignore_eos;
    p.prompt_logprobs = a.prompt_logprobs;
    p.host_sampler = a.host;
    p.cache_salt = a.salt;
    p.timeout_ms = a.timeout_ms;
    p.overflow = a.overflow;
    p.keep = a.keep;
    p.want_logprobs = a.logprobs >= 0;
    for (auto &s : a.stop) p.stop.push_back(make_string(mem, s));
    p.stop_tokens.assign(a.stop_tokens.begin(), a.stop_tokens.end());
    p.sampling.temperature = a.temperature;
    p.sampling.seed = a.seed;
    p.sampling.logprobs = a.logprobs;
    p.sampling.min_tokens = a.min_tokens;
    p.sampling.repetition_penalty = a.repetition;
    p.sampling.top_p = a.top_p;
    p.best_of = a.best_of;
    p.beam_width = a.beams;
    p.length_penalty = a.length_penalty;
    p.early_stopping = a.early;
    if (a.constrained) p.constraint = make_owned<FakeConstraint>(mem, engine.n_vocab());
    return engine.submit(a.prompt, std::move(p));
}

// Takes what is there; true once the request has ended.
inline bool take(Request &r, Answer &a) {
    Event e;
    for (;;) {
        Code c = r.poll(e);
        if (c == Code::again) return false;
        if (c == Code::done) return true;
        if (e.kind == EventKind::token) a.ids.push_back(e.token), a.logprobs.push_back(e.logprob), a.text += e.text;
        if (e.kind == EventKind::prompt_logprob) a.prompt_ids.push_back(e.token), a.prompt_logprobs.push_back(e.logprob);
        if (e.kind == EventKind::finish) a.finish = e.finish, a.text += e.text;
    }
}

struct Dice {
    uint64_t seed, n = 0;
    int32_t operator()(int32_t k) { return static_cast<int32_t>(philox(seed, 5, n++).w[0] % static_cast<uint32_t>(k)); }
};

inline Ask random_ask(Dice &d, int32_t n_vocab = 50) {
    Ask a;
    int n = 1 + d(60), kind = d(3);
    for (int i = 0; i < n; ++i) a.prompt.push_back(i < 37 && kind < 2 ? kind + i % 7 : 1 + d(n_vocab - 2));
    a.max_tokens = 1 + d(30);
    a.priority = d(3);
    a.temperature = d(2) ? 0.0f : 0.9f;
    a.repetition = d(4) ? 1.0f : 1.3f;
    a.seed = static_cast<uint64_t>(d(100));
    a.ignore_eos = d(3) != 0;
    a.min_tokens = d(5) ? 0 : std::min(3, a.max_tokens);
    a.logprobs = d(3) ? -1 : 2;
    a.prompt_logprobs = d(9) == 0;
    a.n = d(6) ? 1 : 2 + d(3);
    if (d(6) == 0) a.stop.push_back(d(2) ? "<4><1" : "7>");
    a.salt = static_cast<uint64_t>(d(2));
    return a;
}

// One that ranks what it found: the best of several draws, or of beams. Short, so that any cache of the schedules holds it.
inline Ask ranked_ask(Dice &d) {
    Ask a;
    for (int i = 0, n = 1 + d(20); i < n; ++i) a.prompt.push_back(1 + d(48));
    a.max_tokens = 1 + d(10);
    a.n = 1 + d(2);
    a.ignore_eos = d(2) != 0;
    a.min_tokens = d(4) ? 0 : std::min(2, a.max_tokens);
    a.length_penalty = d(2) ? 1.0f : 0.5f * static_cast<float>(d(5) - 1);
    a.logprobs = d(2) ? -1 : 0;
    a.seed = static_cast<uint64_t>(d(100));
    a.temperature = 1;
    if (d(3) == 0) {
        a.best_of = a.n + 1 + d(2);
    } else {
        a.beams = 2 + d(3);
        a.early = static_cast<EarlyStopping>(d(3));
    }
    return a;
}

}  // namespace inlay_test
