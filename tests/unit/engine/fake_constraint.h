// SPDX-License-Identifier: Apache-2.0
// A language over token ids: what may follow depends on the last token, and after every third there is no choice.
#pragma once

#include <vector>

#include "base/hash.h"
#include "engine/backend.h"

namespace inlay_test {

class FakeConstraint final : public inlay::engine::Constraint {
public:
    explicit FakeConstraint(int32_t n_vocab) : n_(n_vocab), words_(static_cast<size_t>(n_vocab + 31) / 32) {}
    static bool allows(int32_t last, int32_t token, int32_t n) {
        uint64_t s = inlay::mix64(static_cast<uint64_t>(last), 3);
        if (s % 3 == 0) return token == 1 + static_cast<int32_t>(s / 3 % static_cast<uint64_t>(n - 1));
        return (static_cast<uint64_t>(token) + s) % 4 == 0;
    }
    const uint32_t *mask() override {
        ++masks;
        std::fill(words_.begin(), words_.end(), 0);
        for (int32_t t = 0; t < n_; ++t)
            if (allows(taken_.back(), t, n_)) words_[static_cast<size_t>(t) / 32] |= 1u << t % 32;
        return words_.data();
    }
    void accept(int32_t token) override {
        if (!allows(taken_.back(), token, n_) || guesses_ != 0) inlay::fail(inlay::Code::internal, "token ", token, " was not allowed");
        taken_.push_back(token);
    }
    inlay::Owned<Constraint> clone(inlay::Memory &m) const override { return inlay::make_owned<FakeConstraint>(m, *this); }
    bool guess(int32_t token) override {
        if (token == 0 || !allows(taken_.back(), token, n_)) return false;
        taken_.push_back(token);
        ++guesses_;
        return true;
    }
    void forget_guesses() noexcept override {
        taken_.resize(taken_.size() - guesses_);
        guesses_ = 0;
    }
    int masks = 0;

private:
    int32_t n_;
    std::vector<uint32_t> words_;
    std::vector<int32_t> taken_ = {1};
    size_t guesses_ = 0;
};

}  // namespace inlay_test
