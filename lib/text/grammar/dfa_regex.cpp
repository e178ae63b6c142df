// SPDX-License-Identifier: Apache-2.0
// Regular expressions to automata (subset construction with ^ and $ as conditions on the position), and automata to
// bytes.
#include <algorithm>

#include "base/hash.h"
#include "text/grammar/dfa.h"
#include "text/grammar/regex.h"

namespace inlay::text::grammar {
namespace {

struct Nfa {
    explicit Nfa(Memory &m) : eps(m), moves(m), eps_at(m), moves_at(m) {}
    enum class When : uint8_t { always, begin, end };
    struct Eps {
        uint32_t from, to;
        When when;
    };
    struct Move {
        uint32_t from, to, set;  // set: of the Ast, or a literal code point with the top bit
    };
    uint32_t n = 0;
    Vector<Eps> eps;
    Vector<Move> moves;
    Vector<uint32_t> eps_at, moves_at;
    void freeze() {
        auto sort = [&](auto &list, Vector<uint32_t> &at) {
            std::stable_sort(list.begin(), list.end(), [](auto &a, auto &b) { return a.from < b.from; });
            at.assign(n + 1, 0);
            for (auto &x : list) ++at[x.from + 1];
            for (uint32_t i = 0; i < n; ++i) at[i + 1] += at[i];
        };
        sort(eps, eps_at);
        sort(moves, moves_at);
    }
};

constexpr uint32_t kLiteral = 0x80000000u;

class Builder {
public:
    Builder(Memory &m, const Ast &ast, const Limits &limits) : memory_(m), ast_(ast), limits_(limits), nfa_(m), work_(m) {}

    Nfa run(uint32_t expr, bool search) {
        uint32_t s = state(), t = state();
        start = s, last = t;
        if (search) {
            uint32_t in = state(), out = state();
            nfa_.eps.push_back({s, in, Nfa::When::always});
            nfa_.moves.push_back({s, s, kAny});
            lay(expr, in, out);
            // After `out` anything may follow, but a match that needed $ ends here: its way is cut by the condition.
            nfa_.eps.push_back({out, t, Nfa::When::always});
            nfa_.moves.push_back({t, t, kAny});
        } else
            lay(expr, s, t);
        nfa_.freeze();
        return std::move(nfa_);
    }
    uint32_t start = 0, last = 0;
    static constexpr uint32_t kAny = 0x7fffffff;

private:
    struct Work {
        uint32_t expr, from, to;
    };
    uint32_t state() {
        if (nfa_.n >= limits_.regex_states) fail(Code::limit, "regex: more than ", limits_.regex_states, " states");
        return nfa_.n++;
    }
    void eps(uint32_t s, uint32_t t, Nfa::When w = Nfa::When::always) { nfa_.eps.push_back({s, t, w}); }

    void lay(uint32_t expr, uint32_t from, uint32_t to) {
        work_.push_back({expr, from, to});
        while (!work_.empty()) {
            Work w = work_.back();
            work_.pop_back();
            const Expr &e = ast_.nodes[w.expr];
            uint32_t s = w.from, t = w.to;
            switch (e.kind) {
                case ExprKind::empty:
                    eps(s, t);
                    break;
                case ExprKind::begin:
                    eps(s, t, Nfa::When::begin);
                    break;
                case ExprKind::end:
                    eps(s, t, Nfa::When::end);
                    break;
                case ExprKind::chars:
                    nfa_.moves.push_back({s, t, e.a});
                    break;
                case ExprKind::bytes: {
                    std::string_view text(ast_.text.data() + e.a, e.b);
                    for (size_t i = 0; i < text.size();) {
                        uint32_t c;
                        i += static_cast<size_t>(decode_utf8(text, i, c));
                        uint32_t next = i == text.size() ? t : state();
                        nfa_.moves.push_back({s, next, c | kLiteral});
                        s = next;
                    }
                    break;
                }
                case ExprKind::seq:
                    for (uint32_t i = 0; i < e.b; ++i) {
                        uint32_t next = i + 1 == e.b ? t : state();
                        work_.push_back({ast_.kids[e.a + i], s, next});
                        s = next;
                    }
                    break;
                case ExprKind::alt:
                    for (uint32_t i = 0; i < e.b; ++i) work_.push_back({ast_.kids[e.a + i], s, t});
                    break;
                case ExprKind::repeat: {
                    uint32_t lo = e.b, hi = e.c;
                    if (hi == 0) {
                        eps(s, t);
                        break;
                    }
                    for (uint32_t i = 0; i < lo; ++i) {
                        uint32_t next = state();
                        work_.push_back({e.a, s, next});
                        s = next;
                    }
                    if (hi == kInfinite) {
                        uint32_t q = state();
                        eps(s, q);
                        work_.push_back({e.a, q, q});
                        eps(q, t);
                    } else {
                        for (uint32_t i = lo; i < hi; ++i) {
                            eps(s, t);
                            uint32_t next = state();
                            work_.push_back({e.a, s, next});
                            s = next;
                        }
                        eps(s, t);
                    }
                    break;
                }
                default:
                    break;
            }
        }
    }

    Memory &memory_;
    const Ast &ast_;
    const Limits &limits_;
    Nfa nfa_;
    Vector<Work> work_;
};

class Subsets {
public:
    Subsets(Memory &m, const Ast &ast, const Nfa &nfa, const Limits &limits)
        : memory_(m),
          ast_(ast),
          nfa_(nfa),
          limits_(limits),
          members_(m),
          at_(m),
          ends_(m),
          names_(m),
          mark_(nfa.n, 0, Alloc<uint32_t>(m)),
          set_(m),
          stack_(m) {
        at_.push_back(0);
    }

    Dfa run(uint32_t start, uint32_t last) {
        last_ = last;
        Dfa out(memory_);
        set_.assign(1, start);
        close(true);
        add();
        struct Piece {
            uint32_t at;
            bool open;
            uint32_t to;
        };
        Vector<Piece> pieces(memory_);
        Vector<uint32_t> live(memory_);
        for (uint32_t i = 0; i + 1 < at_.size(); ++i) {
            out.begin_state(ends_[i]);
            pieces.clear();
            auto put = [&](uint32_t lo, uint32_t hi, uint32_t to) {
                spend(1);
                pieces.push_back({lo, true, to});
                pieces.push_back({hi + 1, false, to});
            };
            for (uint32_t k = at_[i]; k < at_[i + 1]; ++k) {
                uint32_t s = members_[k];
                for (uint32_t x = nfa_.moves_at[s]; x < nfa_.moves_at[s + 1]; ++x) {
                    const Nfa::Move &mv = nfa_.moves[x];
                    if (mv.set == Builder::kAny)
                        put(0, 0xD7FF, mv.to), put(0xE000, kMaxCodePoint, mv.to);
                    else if (mv.set & kLiteral)
                        put(mv.set & ~kLiteral, mv.set & ~kLiteral, mv.to);
                    else
                        for (const Interval &v : ast_.sets[mv.set].items()) put(v.lo, v.hi, mv.to);
                }
            }
            std::sort(pieces.begin(), pieces.end(), [](const Piece &a, const Piece &b) { return a.at < b.at; });
            live.clear();
            for (size_t j = 0; j < pieces.size();) {
                uint32_t from = pieces[j].at;
                for (; j < pieces.size() && pieces[j].at == from; ++j) {
                    if (pieces[j].open)
                        live.push_back(pieces[j].to);
                    else
                        live.erase(std::find(live.begin(), live.end(), pieces[j].to));
                }
                if (live.empty() || j == pieces.size()) continue;
                spend(live.size());
                set_.assign(live.begin(), live.end());
                close(false);
                uint32_t to = add();
                out.arc(from, pieces[j].at - 1, to);
            }
        }
        out.clean();
        return out;
    }

private:
    void spend(uint64_t n) {
        if (n > fuel_) fail(Code::limit, "regex: too much work to make it deterministic");
        fuel_ -= n;
    }

    void reach(bool begin, bool end) {
        ++stamp_;
        stack_.assign(set_.begin(), set_.end());
        set_.clear();
        while (!stack_.empty()) {
            uint32_t s = stack_.back();
            stack_.pop_back();
            if (mark_[s] == stamp_) continue;
            mark_[s] = stamp_;
            spend(1);
            set_.push_back(s);
            for (uint32_t x = nfa_.eps_at[s]; x < nfa_.eps_at[s + 1]; ++x) {
                const Nfa::Eps &e = nfa_.eps[x];
                if (e.when == Nfa::When::always || (e.when == Nfa::When::begin && begin) || (e.when == Nfa::When::end && end))
                    stack_.push_back(e.to);
            }
        }
        std::sort(set_.begin(), set_.end());
    }

    // Into set_: what is reached at this position; ends: whether the text may end here.
    void close(bool begin) {
        Vector<uint32_t> seeds(set_.begin(), set_.end(), set_.get_allocator());
        reach(begin, true);
        accepting_ = std::binary_search(set_.begin(), set_.end(), last_);
        set_.assign(seeds.begin(), seeds.end());
        reach(begin, false);
    }

    uint32_t add() {
        uint64_t h = hash_bytes(set_.data(), set_.size() * 4, accepting_);
        for (auto [it, end] = names_.equal_range(h); it != end; ++it) {
            uint32_t i = it->second;
            if (ends_[i] == accepting_ && at_[i + 1] - at_[i] == set_.size() &&
                std::equal(set_.begin(), set_.end(), members_.begin() + at_[i]))
                return i;
        }
        uint32_t id = static_cast<uint32_t>(ends_.size());
        if (id >= limits_.regex_states) fail(Code::limit, "regex: more than ", limits_.regex_states, " states");
        members_.insert(members_.end(), set_.begin(), set_.end());
        at_.push_back(static_cast<uint32_t>(members_.size()));
        ends_.push_back(accepting_);
        names_.emplace(h, id);
        return id;
    }

    Memory &memory_;
    const Ast &ast_;
    const Nfa &nfa_;
    const Limits &limits_;
    Vector<uint32_t> members_, at_;
    Vector<uint8_t> ends_;
    std::unordered_multimap<uint64_t, uint32_t, SeededHash, std::equal_to<>, Alloc<std::pair<const uint64_t, uint32_t>>> names_;
    Vector<uint32_t> mark_;
    Vector<uint32_t> set_, stack_;
    uint32_t stamp_ = 0, last_ = 0;
    bool accepting_ = false;
    uint64_t fuel_ = 5'000'000;
};

}  // namespace

Dfa regex_dfa(Memory &m, std::string_view pattern, bool search, const Limits &limits) {
    Ast ast(m);
    bool anchors;
    uint32_t e = parse_regex(ast, pattern, limits, anchors);
    Builder b(m, ast, limits);
    Nfa nfa = b.run(e, search);
    return Subsets(m, ast, nfa, limits).run(b.start, b.last);
}

namespace {

// Writes arcs as bytes. Ways into one state share their tails: a character of three bytes costs one edge where another
// arc has gone to the same state before.
class ByteWriter {
public:
    explicit ByteWriter(Memory &m) : g_(m), runs_(m), chains_(m), escapes_(m) {}

    ByteGraph write(const Dfa &d, bool json, bool angles = false) {
        angles_ = angles;
        g_.n_states = d.n_states();
        for (uint32_t s = 0; s < d.n_states(); ++s) {
            if (d.accepts(s)) g_.finals.push_back(s);
            for (const Dfa::Arc &a : d.arcs(s)) {
                if (json)
                    json_arc(s, a);
                else
                    plain(s, a.to, a.lo, a.hi);
            }
        }
        return std::move(g_);
    }

private:
    // The state whose one edge leads to `to`.
    uint32_t via(uint8_t lo, uint8_t hi, uint32_t to) {
        auto [it, fresh] = chains_.emplace(static_cast<uint64_t>(to) << 16 | lo << 8 | hi, g_.n_states);
        if (fresh) g_.edges.push_back({g_.n_states++, to, lo, hi});
        return it->second;
    }
    uint32_t via(char c, uint32_t to) { return via(static_cast<uint8_t>(c), static_cast<uint8_t>(c), to); }

    void plain(uint32_t from, uint32_t to, uint32_t lo, uint32_t hi) {
        runs_.clear();
        utf8_runs(lo, hi, runs_);
        for (const ByteRun &r : runs_) {
            uint32_t next = to;
            for (int i = r.n - 1; i > 0; --i) next = via(r.lo[i], r.hi[i], next);
            g_.edges.push_back({from, next, r.lo[0], r.hi[0]});
        }
    }

    // Behind a backslash: the escapes of the characters in `which` (bits 0-31 controls, 32 the quote, 33 the backslash, 34 "<").
    uint32_t escapes(uint64_t which, uint32_t to) {
        auto [it, fresh] = escapes_.emplace(std::pair(to, which), g_.n_states);
        if (!fresh) return it->second;
        const uint32_t s = g_.n_states++;
        static constexpr std::string_view hex = "0123456789abcdef";
        auto one = [&](char c, uint32_t next) { g_.edges.push_back({s, next, static_cast<uint8_t>(c), static_cast<uint8_t>(c)}); };
        for (uint32_t c = 0; c < 35; ++c) {
            if (!(which >> c & 1)) continue;
            const char name = c == 32   ? '"'
                              : c == 33 ? '\\'
                              : c == 8  ? 'b'
                              : c == 9  ? 't'
                              : c == 10 ? 'n'
                              : c == 12 ? 'f'
                              : c == 13 ? 'r'
                                        : 0;
            if (name) {
                one(name, to);
                continue;
            }
            const uint32_t code = c == 34 ? '<' : c;
            auto unicode = [&](char digit) { one('u', via('0', via('0', via(hex[code >> 4], via(digit, to))))); };
            unicode(hex[code & 15]);
            if (hex[code & 15] >= 'a') unicode(static_cast<char>(hex[code & 15] - 32));
        }
        return s;
    }

    void json_arc(uint32_t s, const Dfa::Arc &a) {
        uint64_t which = 0;
        uint32_t lo = a.lo;
        for (; lo < 0x20 && lo <= a.hi; ++lo) which |= 1ull << lo;
        for (uint32_t c : {static_cast<uint32_t>('"'), static_cast<uint32_t>('<'), static_cast<uint32_t>('\\')})
            if (lo <= c && c <= a.hi && (c != '<' || angles_)) {
                which |= 1ull << (c == '"' ? 32 : c == '<' ? 34 : 33);
                if (lo < c) plain(s, a.to, lo, c - 1);
                lo = c + 1;
            }
        if (lo <= a.hi) plain(s, a.to, lo, a.hi);
        if (which) g_.edges.push_back({s, escapes(which, a.to), '\\', '\\'});
    }

    ByteGraph g_;
    Vector<ByteRun> runs_;
    HashMap<uint64_t, uint32_t> chains_;
    Map<std::pair<uint32_t, uint64_t>, uint32_t> escapes_;
    bool angles_ = false;
};

}  // namespace

ByteGraph to_utf8(Memory &m, const Dfa &d) { return ByteWriter(m).write(d, false); }
ByteGraph to_json_string(Memory &m, const Dfa &d, bool angles) { return ByteWriter(m).write(d, true, angles); }

}  // namespace inlay::text::grammar
