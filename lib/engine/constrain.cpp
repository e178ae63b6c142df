// SPDX-License-Identifier: Apache-2.0
// A compiled grammar as an answer's constraint: the matcher goes along with the tokens, the masks say which may come
// next. With a trigger everything is free until the trigger's text was written; the constraint begins right behind it.
#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/model_backend.h"
#include "text/grammar/masks.h"

namespace inlay::engine {
namespace {

namespace grammar = text::grammar;

class GrammarConstraint final : public Constraint {
public:
    GrammarConstraint(Memory &m, const OpenedModel &model, std::shared_ptr<const grammar::Constraint> c, std::string_view trigger, bool control)
        : model_(&model),
          masks_(&c->masks_for(model.token_trie(control))),
          matcher_(std::move(c)),
          trigger_(make_string(m, trigger)),
          tail_(m),
          words_(m),
          bits_(m),
          waiting_(!trigger.empty()),
          control_(control) {
        words_.resize(masks_->words());
        bits_.resize(words_.size() * 2);
    }
    GrammarConstraint(const GrammarConstraint &) = default;

    const uint32_t *mask() override {
        if (waiting_) return nullptr;
        if (current_ && guesses_ == 0) return bits_.data();  // made when the token before was taken
        if (broken_)
            std::fill(words_.begin(), words_.end(), 0);
        else
            masks_->fill(matcher_, words_);
        if (!broken_ && matcher_.can_end())
            for (int32_t id : model_->need_tokenizer().end_ids())
                if (static_cast<size_t>(id) < words_.size() * 64) words_[static_cast<size_t>(id) / 64] |= 1ull << (id & 63);
        if constexpr (std::endian::native == std::endian::little)
            std::memcpy(bits_.data(), words_.data(), words_.size() * 8);
        else
            for (size_t i = 0; i < words_.size(); ++i)
                bits_[2 * i] = static_cast<uint32_t>(words_[i]), bits_[2 * i + 1] = static_cast<uint32_t>(words_[i] >> 32);
        current_ = guesses_ == 0;
        return bits_.data();
    }

    // While the trigger is awaited every guess is as good as another.
    bool guess(int32_t token) override {
        const text::Tokenizer &t = model_->need_tokenizer();
        if (broken_ || t.is_end(token) || guesses_ >= 60) return false;  // a matcher remembers 64 steps
        if (waiting_) return true;
        if (t.is_control(token) || !matcher_.accept_bytes(t.token_bytes(token))) return false;
        ++guesses_;
        return true;
    }
    void forget_guesses() noexcept override {
        matcher_.rollback(static_cast<size_t>(guesses_));
        guesses_ = 0;
    }

    void accept(int32_t token) override {
        current_ = false;
        const text::Tokenizer &t = model_->need_tokenizer();
        if (t.is_end(token)) return;
        std::string_view bytes = t.token_bytes(token);
        if (!waiting_) {
            if (t.is_control(token)) {
                tail_.clear();
                if (control_) grammar::append_control(tail_, token);
                if (!control_ || !matcher_.accept_bytes(tail_)) broken_ = true;
            } else if (!matcher_.accept_bytes(bytes)) {
                broken_ = true;
            }
            return;
        }
        tail_.append(bytes);
        size_t at = tail_.find(trigger_);
        if (at == String::npos) {
            if (tail_.size() >= trigger_.size()) tail_.erase(0, tail_.size() - trigger_.size() + 1);
            return;
        }
        waiting_ = false;
        broken_ = !matcher_.accept_bytes(std::string_view(tail_).substr(at + trigger_.size()));
    }

    Owned<Constraint> clone(Memory &m) const override { return make_owned<GrammarConstraint>(m, *this); }

private:
    const OpenedModel *model_;
    grammar::Masks *masks_;  // the matcher keeps their constraint alive
    grammar::Matcher matcher_;
    String trigger_, tail_;  // tail_: the last bytes, one fewer than the trigger
    Vector<uint64_t> words_;
    Vector<uint32_t> bits_;
    int32_t guesses_ = 0;  // steps of the matcher beyond what was accepted
    bool waiting_, control_, broken_ = false, current_ = false;
};

}  // namespace

Owned<Constraint> constrain(const OpenedModel &model, std::shared_ptr<const grammar::Constraint> c, std::string_view trigger, bool control) {
    model.need_tokenizer();
    Memory &m = model.runtime().memory();
    return make_owned<GrammarConstraint>(m, m, model, std::move(c), trigger, control);
}

std::shared_ptr<const grammar::TokenTrie> OpenedModel::token_trie(bool control) const {
    std::lock_guard hold(trie_lock_);
    std::shared_ptr<const grammar::TokenTrie> &trie = control ? control_trie_ : trie_;
    if (!trie) {
        const text::Tokenizer &t = need_tokenizer();
        Memory &m = runtime_->memory();
        // As wide as the model's logits; rows without a token stay empty.
        size_t n = std::max<size_t>(static_cast<size_t>(t.n_vocab()),
                                    has_config() && config().vocab > 0 ? static_cast<size_t>(config().vocab) : 0);
        Vector<std::string_view> bytes(n, std::string_view(), Alloc<std::string_view>(m));
        Deque<String> written(m);
        for (int32_t id = 0; id < t.n_vocab(); ++id) {
            if (t.is_end(id)) continue;
            std::string_view &to = bytes[static_cast<size_t>(id)];
            if (!t.is_control(id)) {
                to = t.token_bytes(id);
                // A byte token could spell what stands for a control token; no text needs it.
                if (control && to.find(static_cast<char>(grammar::kControlByte)) != std::string_view::npos) to = {};
            } else if (control) {
                String &s = written.emplace_back(m);
                grammar::append_control(s, id);
                to = s;
            }
        }
        trie = grammar::TokenTrie::build(m, bytes);
    }
    return trie;
}

}  // namespace inlay::engine
