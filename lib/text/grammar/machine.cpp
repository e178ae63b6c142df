// SPDX-License-Identifier: Apache-2.0
// Reading bytes with a graph-structured stack.
#include "text/grammar/machine.h"

#include <algorithm>
#include <tuple>

#include "base/hash.h"

namespace inlay::text::grammar {

Machine::Machine(Memory &m) : threads_(m), frames_(m), links_(m), levels_(m), work_(m), slots_(m), used_(m) { slots_.assign(64, 0); }

void Machine::spend(uint64_t n) {
    if (fuel < n) fail(Code::limit, "grammar: a step needs more work than the limit allows");
    fuel -= n;
}

static uint64_t hash_of(const Thread &t, bool gated) noexcept {
    uint64_t h = mix64(t.set * 2ull + gated, t.frame);
    if (!(t.param == Param{})) h = mix64(h ^ t.param.bits, static_cast<uint64_t>(t.param.count) << 32 | t.param.hits);
    return h;
}

void Machine::add(const Thread &t, bool gated) {
    if (t.set == 0) return;
    if (work_.size() * 2 >= slots_.size()) {
        slots_.assign(slots_.size() * 2, 0);
        used_.clear();
        for (uint32_t i = 0; i < work_.size(); ++i) {
            size_t at = hash_of(work_[i].thread, work_[i].gated) & (slots_.size() - 1);
            while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
            slots_[at] = i + 1;
            used_.push_back(static_cast<uint32_t>(at));
        }
    }
    size_t at = hash_of(t, gated) & (slots_.size() - 1);
    for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
        const Work &w = work_[slots_[at] - 1];
        if (w.thread == t && w.gated == gated) return;
    }
    work_.push_back({t, gated});
    slots_[at] = static_cast<uint32_t>(work_.size());
    used_.push_back(static_cast<uint32_t>(at));
}

uint32_t Machine::frame_for(uint32_t rule, bool &fresh) {
    for (uint32_t f = level_frames_; f < frames_.size(); ++f)
        if (frames_[f].rule == rule) return fresh = false, f;
    frames_.push_back({kNone, rule, position_});
    fresh = true;
    return static_cast<uint32_t>(frames_.size() - 1);
}

void Machine::close(Tables &t) {
    const Net &net = t.net();
    for (size_t i = 0; i < work_.size(); ++i) {
        spend(1);
        Work w = work_[i];
        const StateSet s = t.set(w.thread.set);  // a copy: start() below may make new sets
        if (s.plain) continue;
        if (s.final) {
            if (w.thread.frame == 0) ended_ = true;
            // A frame made at this very position ends only by being empty; its caller has taken that way already.
            else if (frames_[w.thread.frame].level != position_)
                for (uint32_t l = frames_[w.thread.frame].links; l != kNone; l = links_[l].next) {
                    spend(1);
                    add({links_[l].ret, links_[l].parent, links_[l].param}, false);
                }
        }
        for (uint32_t k = 0; k < s.n_calls; ++k) {
            const SetCall c = t.calls(w.thread.set)[k];
            spend(1);
            if (c.tail) {
                add({t.start(c.rule), w.thread.frame, {}}, false);
                continue;
            }
            bool fresh;
            uint32_t f = frame_for(c.rule, fresh);
            bool have = false;
            for (uint32_t l = frames_[f].links; l != kNone && !have; l = links_[l].next) {
                spend(1);
                have = links_[l].ret == c.ret && links_[l].parent == w.thread.frame && links_[l].param == w.thread.param;
            }
            if (!have) {
                links_.push_back({c.ret, w.thread.frame, frames_[f].links, w.thread.param});
                frames_[f].links = static_cast<uint32_t>(links_.size() - 1);
            }
            if (fresh) add({t.start(c.rule), f, {}}, false);
        }
        if (!w.gated)
            for (uint32_t k = 0; k < s.n_gates; ++k) {
                const SetGate g = t.gates(w.thread.set)[k];
                spend(1);
                Param p;
                if (passes(net.gates[g.gate], net.rules[s.rule].params, w.thread.param, p)) add({g.to, w.thread.frame, p}, true);
            }
    }
}

bool Machine::finish_level(Tables &t) {
    // However the level ends, the work list is empty again; one that fails leaves nothing behind.
    struct Guard {
        Machine &m;
        bool done = false;
        ~Guard() {
            for (uint32_t at : m.used_) m.slots_[at] = 0;
            m.used_.clear();
            m.work_.clear();
            if (!done && !m.levels_.empty()) m.pop(0);
        }
    } guard{*this};
    close(t);
    uint32_t first = static_cast<uint32_t>(threads_.size());
    for (const Work &w : work_) {
        if (!t.set(w.thread.set).reads) continue;
        // Threads of one frame and parameter read on as one; of one rule, too: a tail call runs another rule's states, with
        // other gates, in its caller's frame.
        bool joined = false;
        if (work_.size() <= 16)
            for (size_t i = first; i < threads_.size() && !joined; ++i)
                if (threads_[i].frame == w.thread.frame && threads_[i].param == w.thread.param &&
                    t.set(threads_[i].set).rule == t.set(w.thread.set).rule) {
                    threads_[i].set = t.join(threads_[i].set, w.thread.set);
                    joined = true;
                }
        if (!joined) threads_.push_back(w.thread);
    }
    if (work_.size() > 16) {
        auto key = [&](const Thread &x) {
            return std::tuple(x.frame, x.param.bits, x.param.count, x.param.hits, t.set(x.set).rule, x.set);
        };
        std::sort(threads_.begin() + first, threads_.end(), [&](const Thread &a, const Thread &b) { return key(a) < key(b); });
        size_t out = first;
        for (size_t i = first; i < threads_.size(); ++i) {
            if (out > first && threads_[out - 1].frame == threads_[i].frame && threads_[out - 1].param == threads_[i].param &&
                t.set(threads_[out - 1].set).rule == t.set(threads_[i].set).rule)
                threads_[out - 1].set = t.join(threads_[out - 1].set, threads_[i].set);
            else
                threads_[out++] = threads_[i];
        }
        threads_.resize(out);
    }
    uint32_t n = static_cast<uint32_t>(threads_.size()) - first;
    if (n == 0 && !ended_ && !levels_.empty()) return false;
    guard.done = true;
    levels_.push_back({first, n, static_cast<uint32_t>(frames_.size()), static_cast<uint32_t>(links_.size()), ended_});
    return true;
}

void Machine::reset(Tables &t, std::span<const Thread> seed) {
    threads_.clear();
    links_.clear();
    levels_.clear();
    frames_.clear();
    frames_.push_back({kNone, 0, 0});
    ++position_;
    level_frames_ = 1;
    ended_ = false;
    for (const Thread &x : seed) add(x, false);
    finish_level(t);
}

void Machine::reset_raw(const Thread &t) {
    threads_.clear();
    links_.clear();
    levels_.clear();
    frames_.clear();
    frames_.push_back({kNone, 0, 0});
    push_raw(t);
}

void Machine::push_raw(const Thread &t) {
    ++position_;
    threads_.push_back(t);
    levels_.push_back({static_cast<uint32_t>(threads_.size() - 1), 1, static_cast<uint32_t>(frames_.size()),
                       static_cast<uint32_t>(links_.size()), false});
}

bool Machine::advance(Tables &t, uint8_t byte) {
    const Level from = levels_.back();
    ++position_;
    level_frames_ = static_cast<uint32_t>(frames_.size());
    ended_ = false;
    if (from.n == 1) {  // the common case: one thread, and nothing to close
        Thread x = threads_[from.first];
        x.set = t.next(x.set, byte);
        if (x.set == 0) return false;
        if (t.set(x.set).plain) {
            spend(1);
            uint32_t first = static_cast<uint32_t>(threads_.size());
            threads_.push_back(x);
            levels_.push_back({first, 1, static_cast<uint32_t>(frames_.size()), static_cast<uint32_t>(links_.size()), false});
            return true;
        }
        add(x, false);
    } else
        for (uint32_t i = 0; i < from.n; ++i) {
            Thread x = threads_[from.first + i];
            x.set = t.next(x.set, byte);
            add(x, false);
        }
    if (work_.empty()) return false;
    return finish_level(t);
}

bool Machine::push(Tables &t, std::span<const Thread> seeds) {
    ++position_;
    level_frames_ = static_cast<uint32_t>(frames_.size());
    ended_ = false;
    for (const Thread &x : seeds) add(x, false);
    return finish_level(t);
}

bool Machine::push_return(Tables &t, uint32_t frame) {
    ++position_;
    level_frames_ = static_cast<uint32_t>(frames_.size());
    ended_ = frame == 0;
    for (uint32_t l = frames_[frame].links; l != kNone; l = links_[l].next) add({links_[l].ret, links_[l].parent, links_[l].param}, false);
    return finish_level(t);
}

void Machine::pop(size_t n) {
    levels_.resize(levels_.size() - n);
    const Level &l = levels_.back();
    threads_.resize(l.first + l.n);
    frames_.resize(l.frames);
    links_.resize(l.links);
}

void Machine::collapse(size_t below) {
    if (below == 0) return;
    Level l = levels_.back();
    levels_.resize(levels_.size() - 1 - below);
    uint32_t to = levels_.empty() ? 0 : levels_.back().first + levels_.back().n;
    std::copy(threads_.begin() + l.first, threads_.begin() + l.first + l.n, threads_.begin() + to);
    threads_.resize(to + l.n);
    l.first = to;
    levels_.push_back(l);
}

void Machine::restore(const Level &level, std::span<const Thread> threads) {
    levels_.clear();
    threads_.assign(threads.begin(), threads.end());
    frames_.resize(level.frames);
    links_.resize(level.links);
    Level l = level;
    l.first = 0;
    levels_.push_back(l);
}

void Machine::compact(std::span<Thread> also) {
    Vector<uint32_t> name(frames_.size(), kNone, frames_.get_allocator());
    Vector<uint32_t> stack(name.get_allocator()), order(name.get_allocator());
    auto visit = [&](uint32_t f) {
        if (name[f] == kNone) name[f] = 0, stack.push_back(f);
    };
    visit(0);
    for (const Thread &t : threads_) visit(t.frame);
    for (const Thread &t : also) visit(t.frame);
    while (!stack.empty()) {
        uint32_t f = stack.back();
        stack.pop_back();
        for (uint32_t l = frames_[f].links; l != kNone; l = links_[l].next) visit(links_[l].parent);
    }
    Vector<Frame> frames(frames_.get_allocator());
    Vector<Link> links(links_.get_allocator());
    for (uint32_t f = 0; f < frames_.size(); ++f)
        if (name[f] != kNone) name[f] = static_cast<uint32_t>(frames.size()), frames.push_back(frames_[f]);
    for (Frame &f : frames) {
        uint32_t head = kNone;
        for (uint32_t l = f.links; l != kNone; l = links_[l].next) {
            Link copy = links_[l];
            copy.parent = name[copy.parent];
            copy.next = head;
            links.push_back(copy);
            head = static_cast<uint32_t>(links.size() - 1);
        }
        f.links = head;
    }
    frames_ = std::move(frames);
    links_ = std::move(links);
    for (Thread &t : threads_) t.frame = name[t.frame];
    for (Thread &t : also) t.frame = name[t.frame];
    levels_.back().frames = static_cast<uint32_t>(frames_.size());
    levels_.back().links = static_cast<uint32_t>(links_.size());
}

}  // namespace inlay::text::grammar
