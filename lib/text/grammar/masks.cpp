// SPDX-License-Identifier: Apache-2.0
// Walks over the vocabulary, and what is kept of them.
#include "text/grammar/masks.h"

#include <algorithm>
#include <bit>

namespace inlay::text::grammar {

// What is kept for one constraint and vocabulary; past it everything is forgotten and found again.
constexpr size_t kKeptBytes = 24u << 20;
// Text beyond a frame's end that one place may keep; an expression like [a-z]*.* has such text behind every byte.
constexpr size_t kBeyondBytes = 1u << 20;
// Sets that a search for plain text may see: each costs at most some hundred table look-ups.
constexpr size_t kUniversalSets = 1024;
// Thread steps of one mask. 50 steps' worth: a mask looks at some thousand short texts.
constexpr uint64_t kMaskFuel = 50;

Masks::Masks(const Constraint &c, std::shared_ptr<const TokenTrie> trie)
    : constraint_(&c),
      trie_(std::move(trie)),
      scratch_(constraint_->memory()),
      entries_(constraint_->memory()),
      path_(constraint_->memory()),
      fast_(constraint_->memory()),
      accepted_(constraint_->memory()),
      loops_(constraint_->memory()),
      universal_(constraint_->memory()),
      plain_bytes_{Plains(constraint_->memory()), Plains(constraint_->memory()), Plains(constraint_->memory()), Plains(constraint_->memory()),
                   Plains(constraint_->memory()), Plains(constraint_->memory()), Plains(constraint_->memory()), Plains(constraint_->memory())},
      reached_(constraint_->memory()),
      seen_(constraint_->memory()) {
    path_.resize(trie_->max_bytes() + 2);
    fast_.resize(path_.size());
    accepted_.resize(words());
    struct Edge {
        Plain from;
        uint8_t lo, hi;
        Plain to;
    };
    static constexpr Edge edges[] = {{between, 0x20, '"' - 1, between}, {between, '"' + 1, '\\' - 1, between}, {between, '\\' + 1, 0x7F, between},
                                     {between, 0xC2, 0xDF, one_more},   {between, 0xE0, 0xE0, after_e0},       {between, 0xE1, 0xEC, two_more},
                                     {between, 0xED, 0xED, after_ed},   {between, 0xEE, 0xEF, two_more},       {between, 0xF0, 0xF0, after_f0},
                                     {between, 0xF1, 0xF3, three_more}, {between, 0xF4, 0xF4, after_f4},       {one_more, 0x80, 0xBF, between},
                                     {two_more, 0x80, 0xBF, one_more},  {three_more, 0x80, 0xBF, two_more},    {after_e0, 0xA0, 0xBF, one_more},
                                     {after_ed, 0x80, 0x9F, one_more},  {after_f0, 0x90, 0xBF, two_more},      {after_f4, 0x80, 0x8F, two_more}};
    const Net &net = constraint_->net();
    for (const Edge &e : edges)
        for (uint32_t b = e.lo; b <= e.hi; ++b)
            if (b == e.lo || net.class_of[b] != net.class_of[b - 1]) plain_bytes_[e.from].push_back({static_cast<uint8_t>(b), e.to});
    for (uint32_t b = 0; b < 256; ++b) class_groups_[net.class_of[b]] |= 1ull << TokenTrie::group_of(static_cast<uint8_t>(b));
}

// Can all plain text be read from this set, however long, without leaving sets that only read? So it is inside of a string,
// also where an automaton watches it (a key that is none of some names, a pattern that is not anchored).
bool Masks::universal(Tables &t, SetId s) {
    auto known = [&](SetId x) -> uint8_t & {
        if (x >= universal_.size()) universal_.resize(std::max<size_t>(t.n_sets(), x + 1), 0);
        return universal_[x];
    };
    if (known(s) != 0) return known(s) == 2;
    known(s) = 1;
    if (t.next(s, 'a') == 0 || t.next(s, ' ') == 0 || t.next(s, 0xC3) == 0) return false;  // quickly no
    ++stamp_;
    reached_.clear();
    auto reach = [&](SetId x, Plain at) {
        if (x == 0 || (at == between && (!t.set(x).plain || (known(x) == 1 && x != s)))) return false;
        if (at == between && known(x) == 2) return true;
        const size_t i = static_cast<size_t>(x) * n_plain + at;
        if (i >= seen_.size()) seen_.resize(std::max(t.n_sets() * n_plain, i + 1), 0);
        if (seen_[i] == stamp_) return true;
        seen_[i] = stamp_;
        reached_.push_back({x, at});
        return reached_.size() <= kUniversalSets;
    };
    // The set that is asked for may end or call besides: the walk's business, not the text's.
    for (const PlainByte &b : plain_bytes_[between])
        if (!reach(t.next(s, b.byte), b.to)) return false;
    for (size_t i = 0; i < reached_.size(); ++i)
        for (const PlainByte &b : plain_bytes_[reached_[i].at])
            if (!reach(t.next(reached_[i].set, b.byte), b.to)) return false;
    for (const Reached &r : reached_)
        if (r.at == between) known(r.set) = 2;
    known(s) = 2;
    return true;
}

// The groups of bytes that lead from a set to itself: text of them alone can be read whole. 59 groups; the top bits say
// that the set was looked at, and whether it only reads.
uint64_t Masks::find_loops(Tables &t, SetId s) {
    const Net &net = t.net();
    uint64_t not_all = 0;
    for (uint32_t c = 0; c < net.n_classes; ++c)
        if (t.next(s, net.class_byte[c]) != s) not_all |= class_groups_[c];
    if (s >= loops_.size()) loops_.resize(std::max<size_t>(t.n_sets(), s + 1), 0);
    return loops_[s] = (~not_all & (kOnlyReads - 1)) | kLookedAt | (t.set(s).plain ? kOnlyReads : 0);
}

// Calls visit(node, ended) for every node whose bytes can be read; `ended`: frame 0 may end right behind them; or
// whole(node) for a subtree all of whose tokens can be read. Most nodes are read by one thread in sets that only read:
// of those nothing but the set is kept, the rest stands at the depth where such reading began.
template <class Visit, class Whole>
void Masks::walk(Tables &t, Machine &m, const TokenTrie &trie, Visit &&visit, Whole &&whole) {
    size_t base = m.depth();
    auto enter = [&](uint32_t d) {
        auto top = m.threads();
        path_[d] = {0, static_cast<uint32_t>(m.depth()), {}, m.ended()};
        fast_[d] = {0, d};
        if (top.size() == 1) fast_[d].set = top[0].set, path_[d].frame = top[0].frame, path_[d].param = top[0].param;
    };
    enter(0);
    uint32_t n = trie.n_nodes();
    for (uint32_t i = 1; i < n;) {
        const uint32_t d = trie.depth(i);
        const Fast from = fast_[d - 1];
        bool ok;
        if (from.set) {
            const SetId s = t.next(from.set, trie.byte(i));
            if (s == 0) {
                i = trie.end(i);
                continue;
            }
            const uint64_t l = loops(t, s);
            if (l & kOnlyReads) {
                if ((trie.below(i) & ~l) == 0 || (trie.pure(i) && universal(t, s))) {
                    whole(i);
                    i = trie.end(i);
                    continue;
                }
                fast_[d] = {s, from.root};
                visit(i, false);
                ++i;
                continue;
            }
            const Depth &p = path_[from.root];
            if (m.depth() > p.levels) m.pop(m.depth() - p.levels);
            Thread x{s, p.frame, p.param};
            ok = m.push(t, {&x, 1});
        } else {
            const Depth &p = path_[d - 1];
            if (m.depth() > p.levels) m.pop(m.depth() - p.levels);
            ok = m.advance(t, trie.byte(i));
        }
        if (!ok) {
            i = trie.end(i);
            continue;
        }
        enter(d);
        visit(i, path_[d].ended);
        ++i;
    }
    if (m.depth() > base) m.pop(m.depth() - base);
}

// Counts between which no gate changes its mind, however long the token, count as one.
Param Masks::canonical(const Tables &t, const Thread &thread) const {
    Param p = thread.param;
    const FrameParams &f = t.net().rules[t.set(thread.set).rule].params;
    if (!f.counted) return p;
    uint64_t reach = static_cast<uint64_t>(p.count) + trie_->max_bytes() + 1;
    auto above = std::upper_bound(f.thresholds.begin(), f.thresholds.end(), p.count);
    if (above == f.thresholds.end() || *above > reach) p.count = above == f.thresholds.begin() ? 0 : *(above - 1);
    return p;
}

bool Masks::continues(Tables &t, SetId s, int more, uint8_t lo, uint8_t hi, SetId &after) {
    SetId last = 0;
    for (uint32_t b = lo; b <= hi; ++b) {
        SetId to = t.next(s, static_cast<uint8_t>(b));
        if (to == 0) return false;
        if (more == 1) {
            if (after == 0) after = to;
            if (to != after) return false;
        } else if (to != last) {
            if (!continues(t, to, more - 1, 0x80, 0xBF, after)) return false;
            last = to;
        }
    }
    return true;
}

// The one set that every plain character leads to from here, or 0.
SetId Masks::after_character(Tables &t, SetId s) {
    SetId after = 0;
    struct Lead {
        uint8_t lo, hi;
        int more;
        uint8_t next_lo, next_hi;
    };
    static constexpr Lead leads[] = {{0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF}, {0xE1, 0xEC, 2, 0x80, 0xBF},
                                     {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF}, {0xF0, 0xF0, 3, 0x90, 0xBF},
                                     {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F}};
    if (!continues(t, s, 1, 0x20, '"' - 1, after) || !continues(t, s, 1, '"' + 1, '\\' - 1, after) ||
        !continues(t, s, 1, '\\' + 1, 0x7F, after))
        return 0;
    for (const Lead &l : leads) {
        SetId done = 0;
        for (uint32_t b = l.lo; b <= l.hi; ++b) {
            SetId to = t.next(s, static_cast<uint8_t>(b));
            if (to == 0) return 0;
            if (to != done && !continues(t, to, l.more, l.next_lo, l.next_hi, after)) return 0;
            done = to;
        }
    }
    return after;
}

// How many plain characters fit from here, when each leads back to here: the inside of a string.
uint32_t Masks::plain_room(Tables &t, const Thread &x) {
    if (!trie_->rest()) return 0;
    if (t.next(x.set, 'a') == 0 || t.next(x.set, ' ') == 0 || t.next(x.set, 0xC3) == 0) return 0;  // quickly no
    if (universal(t, x.set)) return TokenTrie::kPlainLengths;
    uint32_t rule = t.set(x.set).rule;
    if (!t.set(x.set).plain)  // what ends here must not go on with a plain character
        for (uint32_t b = 0x20; b < 256; ++b)
            if (b != '"' && b != '\\' && t.net().follows(rule, static_cast<uint8_t>(b))) return 0;
    SetId after = after_character(t, x.set);
    if (after == 0) return 0;
    StateSet a = t.set(after);
    if (after == x.set) return a.n_calls || a.n_gates ? 0 : TokenTrie::kPlainLengths;
    if (a.reads || a.n_calls || a.final) return 0;
    uint64_t room = 0;
    for (const SetGate &g : t.gates(after)) {
        const Gate &gate = t.net().gates[g.gate];
        const StateSet &to = t.set(g.to);
        if (g.to == x.set && gate.add_count == 1 && gate.clear == 0 && gate.need == 0) {
            room = gate.count_hi == ~0u ? TokenTrie::kPlainLengths
                                        : static_cast<uint64_t>(gate.count_hi) + 2 - std::min(x.param.count, gate.count_hi + 1);
        } else if (!to.final || to.reads || to.n_calls || to.n_gates)
            return 0;
    }
    for (uint32_t b = 0x20; b < 256; ++b)
        if (b != '"' && b != '\\' && t.net().follows(rule, static_cast<uint8_t>(b))) return 0;
    return static_cast<uint32_t>(std::min<uint64_t>(room, TokenTrie::kPlainLengths));
}

const Masks::Entry &Masks::entry(Tables &t, const Thread &thread, bool rest) {
    Thread x{thread.set, 0, canonical(t, thread)};
    Key key{x.set, x.param, rest};
    auto it = entries_.find(key);
    if (it != entries_.end()) return it->second;
    Memory &m = constraint_->memory();
    Entry e(m);
    uint32_t rule = t.set(x.set).rule;
    e.plain = rest ? TokenTrie::kPlainLengths : plain_room(t, thread);
    const TokenTrie &trie = e.plain ? *trie_->rest() : *trie_;
    String pool(m);
    struct Piece {
        uint32_t at, n, id;
    };
    Vector<Piece> pieces(m);
    Vector<uint32_t> ends(m);
    scratch_.reset_raw(x);
    std::fill(accepted_.begin(), accepted_.end(), 0);
    auto take = [&](std::span<const uint32_t> ids) {
        for (uint32_t id : ids) accepted_[id / 64] |= 1ull << (id & 63);
    };
    walk(
        t, scratch_, trie,
        [&](uint32_t node, bool ended) {
            take(trie.tokens(node));
            if (ended && trie.end(node) > node + 1) ends.push_back(node);
        },
        [&](uint32_t node) { take(trie.tokens_below(node)); });
    if (!ends.empty()) {
        String text(m);
        for (uint32_t node : ends) {
            uint32_t depth = trie.depth(node);
            for (uint32_t i = node + 1; i < trie.end(node) && !e.whole;) {
                uint32_t d = trie.depth(i) - depth;
                if (d == 1 && !t.net().follows(rule, trie.byte(i))) {
                    i = trie.end(i);
                    continue;
                }
                text.resize(d - 1);
                text.push_back(static_cast<char>(trie.byte(i)));
                for (uint32_t id : trie.tokens(i)) {
                    if (accepted_[id / 64] >> (id & 63) & 1) continue;
                    pieces.push_back({static_cast<uint32_t>(pool.size()), d, id});
                    pool.append(text);
                    if (pool.size() > kBeyondBytes) e.whole = true;
                }
                ++i;
            }
        }
    }
    if (!e.whole && !pieces.empty()) {
        Vector<TokenTrie::Entry> list(m);
        for (const Piece &p : pieces) list.push_back({std::string_view(pool).substr(p.at, p.n), p.id});
        e.beyond = make_shared_in<TokenTrie>(m, m, list, trie_->n_ids());
    }
    size_t n = 0;
    for (uint64_t w : accepted_) n += static_cast<size_t>(std::popcount(w));
    if (n > words() * 2)
        e.dense.assign(accepted_.begin(), accepted_.end());  // the mask is the smaller one
    else if (n > 0) {
        e.tokens.reserve(n);
        for (uint32_t i = 0; i < accepted_.size(); ++i)
            for (uint64_t w = accepted_[i]; w != 0; w &= w - 1) e.tokens.push_back(i * 64 + static_cast<uint32_t>(std::countr_zero(w)));
    }
    kept_ += 128 + e.tokens.capacity() * 4 + e.dense.size() * 8 + (e.beyond ? e.beyond->n_nodes() * 11 + pieces.size() * 4 : 0);
    return entries_.emplace(key, std::move(e)).first->second;
}

Masks &Constraint::masks_for(const std::shared_ptr<const TokenTrie> &trie) const {
    std::lock_guard hold(lock_);
    for (const std::shared_ptr<Masks> &x : masks_)
        if (&x->trie() == trie.get()) return *x;
    masks_.push_back(make_shared_in<Masks>(memory_, *this, trie));
    return *masks_.back();
}

int Masks::fill(Matcher &matcher, std::span<uint64_t> mask) {
    require(&matcher.constraint() == constraint_ && mask.size() >= words(), "a mask of another constraint or size");
    std::lock_guard hold(constraint_->lock_);
    matcher.enter(0);
    if (tables_ != matcher.tables_ || kept_ > kKeptBytes) {
        entries_.clear();
        kept_ = 0;
        universal_.clear();
        seen_.clear();
        loops_.clear();
        tables_ = matcher.tables_;
    }
    Tables &t = *tables_;
    Machine &m = matcher.machine_;
    m.fuel = scratch_.fuel = constraint_->limits().grammar_step_fuel * kMaskFuel;
    std::fill(mask.begin(), mask.end(), 0);
    auto set = [&](uint32_t id) { mask[id / 64] |= 1ull << (id & 63); };
    // Whatever happens, the matcher's levels are as before afterwards.
    struct Back {
        Machine &m;
        size_t depth;
        ~Back() {
            if (m.depth() > depth) m.pop(m.depth() - depth);
        }
    } back{m, m.depth()};
    Vector<Thread> threads(m.threads().begin(), m.threads().end(), Alloc<Thread>(constraint_->memory()));
    // Where one thread takes all plain tokens, the others need not be asked for them.
    bool all_plain = false;
    for (const Thread &x : threads) all_plain |= threads.size() > 1 && trie_->rest() && universal(t, x.set);
    for (const Thread &x : threads) {
        const Entry &e = entry(t, x, all_plain);
        if (e.whole) {
            m.push_raw(x);
            walk(
                t, m, *trie_,
                [&](uint32_t node, bool) {
                    for (uint32_t id : trie_->tokens(node)) set(id);
                },
                [&](uint32_t node) {
                    for (uint32_t id : trie_->tokens_below(node)) set(id);
                });
            m.pop();
            continue;
        }
        if (e.plain) {
            auto plain = trie_->plain(e.plain);
            for (size_t i = 0; i < plain.size(); ++i) mask[i] |= plain[i];
        }
        for (size_t i = 0; i < e.dense.size(); ++i) mask[i] |= e.dense[i];
        for (uint32_t id : e.tokens) set(id);
        if (e.beyond && x.frame != 0 && m.push_return(t, x.frame)) {
            walk(
                t, m, *e.beyond,
                [&](uint32_t node, bool) {
                    for (uint32_t id : e.beyond->tokens(node)) set(id);
                },
                [&](uint32_t node) {
                    for (uint32_t id : e.beyond->tokens_below(node)) set(id);
                });
            m.pop();
        }
    }
    // None, one, many: no more is asked, and counting 262,144 bits would cost more than all the rest.
    int n = 0;
    for (size_t i = 0; i < words() && n < 2; ++i)
        if (mask[i] != 0) n += (mask[i] & (mask[i] - 1)) != 0 ? 2 : 1;
    return std::min(n, 2);
}

}  // namespace inlay::text::grammar
