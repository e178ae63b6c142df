// SPDX-License-Identifier: Apache-2.0
// An engine over the fake model, with what tests do with it all the time.
#pragma once

#include <doctest/doctest.h>

#include <optional>

#include "asks.h"
#include "fake_backend.h"

namespace inlay_test {

struct Rig {
    Memory mem;
    FakeBackend *backend = nullptr;
    std::shared_ptr<Engine> engine;
    explicit Rig(EngineParams p = {}, FakeOptions o = {}, std::optional<FakeOptions> draft = {}) {
        Owned<Backend> second;
        if (draft) {
            p.draft_pages = draft->n_blocks;
            second = make_owned<FakeBackend>(mem, *draft);
        }
        auto b = make_owned<FakeBackend>(mem, o);
        backend = b.get();
        p.n_pages = o.causal ? o.n_blocks : 0;
        p.swap_pages = o.n_swap;
        engine = make_engine(mem, nullptr, std::move(b), std::move(second), std::allocate_shared<FakeSpeech>(Alloc<FakeSpeech>(mem)), p, Limits{});
    }
    std::shared_ptr<Request> submit(const Ask &a) { return inlay_test::submit(*engine, a); }
    static bool take(Request &r, Answer &a) { return inlay_test::take(r, a); }
    Answer solo(const Ask &ask) {
        auto r = submit(ask);
        while (engine->step(0) != Code::done) {}
        Answer a;
        CHECK(take(*r, a));
        return a;
    }
    std::vector<Answer> solo_all(const Ask &ask) {  // all n choices
        auto r = submit(ask);
        while (engine->step(0) != Code::done) {}
        std::vector<Answer> all(static_cast<size_t>(ask.n));
        for (int k = 0; k < ask.n; ++k) CHECK(take(*r->choice(k), all[static_cast<size_t>(k)]));
        return all;
    }
};

inline std::string refusal(Rig &rig, const Ask &a, Code want) {
    try {
        rig.submit(a);
    } catch (const Error &e) {
        CHECK(e.code() == want);
        return std::string(e.text());
    }
    return "";
}

}  // namespace inlay_test
