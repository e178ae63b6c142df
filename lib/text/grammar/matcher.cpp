// SPDX-License-Identifier: Apache-2.0
// One text's progress: steps, going back, forced bytes.
#include <algorithm>

#include "text/grammar/constraint.h"

namespace inlay::text::grammar {

// Tables of one constraint: above this a new epoch begins. Four such constraints still fit the cap of 64 MiB.
constexpr size_t kTablesBytes = 16u << 20;

Matcher::Matcher(std::shared_ptr<const Constraint> c)
    : constraint_(std::move(c)), machine_(constraint_->memory()), history_(constraint_->memory()), history_threads_(constraint_->memory()) {
    reset();
}

void Matcher::reset() {
    std::lock_guard hold(constraint_->lock_);
    tables_ = constraint_->tables_;
    history_.clear();
    history_threads_.clear();
    machine_.fuel = constraint_->limits_.grammar_step_fuel;
    Thread t;
    t.set = tables_->start(0);
    machine_.reset(*tables_, {&t, 1});
}

void Matcher::move_to(std::shared_ptr<Tables> fresh) {
    auto carry = [&](SetId s) { return s == 0 ? 0 : fresh->intern(tables_->members(s)); };
    machine_.map_sets(carry);
    for (Thread &t : history_threads_) t.set = carry(t.set);
    tables_ = std::move(fresh);
}

void Matcher::enter(size_t) {
    if (constraint_->tables_->bytes() > kTablesBytes)
        constraint_->tables_ = make_shared_in<Tables>(constraint_->memory_, constraint_->memory_, constraint_->net_);
    if (tables_ != constraint_->tables_) move_to(constraint_->tables_);
}

void Matcher::tidy() {
    if (machine_.n_frames() < tidy_at_) return;
    machine_.compact(history_threads_);
    for (Step &s : history_) s.level.frames = machine_.top().frames, s.level.links = machine_.top().links;
    tidy_at_ = std::max<size_t>(4096, machine_.n_frames() * 2);
}

bool Matcher::accept_bytes(std::string_view bytes) {
    std::lock_guard hold(constraint_->lock_);
    // What was before, for the case that the text is refused half way or the step may be taken back.
    Step before{machine_.top(), static_cast<uint32_t>(history_threads_.size())};
    auto now = machine_.threads();
    history_threads_.insert(history_threads_.end(), now.begin(), now.end());
    history_.push_back(before);
    struct Undo {
        Matcher *m;
        ~Undo() {
            if (!m) return;
            Step s = m->history_.back();
            m->history_.pop_back();
            m->machine_.restore(s.level, std::span<const Thread>(m->history_threads_).subspan(s.first));
            m->history_threads_.resize(s.first);
        }
    } undo{this};
    for (size_t i = 0; i < bytes.size(); ++i) {
        enter(0);
        machine_.fuel = constraint_->limits_.grammar_step_fuel;
        if (!machine_.advance(*tables_, static_cast<uint8_t>(bytes[i]))) return false;
        machine_.collapse(1);
        if ((i & 1023) == 1023) tidy();
    }
    undo.m = nullptr;
    if (history_.size() > history_cap_) {
        size_t drop = history_.size() - history_cap_;
        uint32_t cut = drop < history_.size() ? history_[drop].first : static_cast<uint32_t>(history_threads_.size());
        history_.erase(history_.begin(), history_.begin() + static_cast<ptrdiff_t>(drop));
        history_threads_.erase(history_threads_.begin(), history_threads_.begin() + cut);
        for (Step &s : history_) s.first -= cut;
    }
    tidy();
    return true;
}

size_t Matcher::accepted_prefix(std::string_view bytes) {
    std::lock_guard hold(constraint_->lock_);
    Step before{machine_.top(), static_cast<uint32_t>(history_threads_.size())};
    auto now = machine_.threads();
    history_threads_.insert(history_threads_.end(), now.begin(), now.end());
    history_.push_back(before);
    struct Undo {
        Matcher *m;
        ~Undo() {
            Step s = m->history_.back();
            m->history_.pop_back();
            m->machine_.restore(s.level, std::span<const Thread>(m->history_threads_).subspan(s.first));
            m->history_threads_.resize(s.first);
        }
    } undo{this};
    for (size_t i = 0; i < bytes.size(); ++i) {
        enter(0);
        machine_.fuel = constraint_->limits_.grammar_step_fuel;
        if (!machine_.advance(*tables_, static_cast<uint8_t>(bytes[i]))) return i;
        machine_.collapse(1);
        if ((i & 1023) == 1023) tidy();
    }
    return bytes.size();
}

void Matcher::rollback(size_t n) {
    if (n == 0) return;
    if (n > history_.size()) fail(Code::invalid_argument, "cannot go back ", n, " steps, ", history_.size(), " are remembered");
    Step s = history_[history_.size() - n];
    machine_.restore(s.level, std::span<const Thread>(history_threads_).subspan(s.first, s.level.n));
    history_.resize(history_.size() - n);
    history_threads_.resize(s.first);
}

void Matcher::forced_bytes(String &out, size_t cap) {
    std::lock_guard hold(constraint_->lock_);
    enter(0);
    size_t pushed = 0;
    const Net &net = constraint_->net_;
    while (pushed < cap && !machine_.ended()) {
        int only = -1;
        machine_.fuel = constraint_->limits_.grammar_step_fuel;
        for (const Thread &t : machine_.threads())
            for (uint32_t s : tables_->members(t.set))
                for (const NetEdge &e : net.edges.of(s))
                    if (e.lo != e.hi || (only >= 0 && only != e.lo))
                        only = 256;
                    else
                        only = e.lo;
        if (only < 0 || only > 255 || !machine_.advance(*tables_, static_cast<uint8_t>(only))) break;
        out.push_back(static_cast<char>(only));
        ++pushed;
    }
    machine_.pop(pushed);
}

}  // namespace inlay::text::grammar
