// SPDX-License-Identifier: Apache-2.0
// The merge loop that byte-level BPE and SentencePiece BPE share: join the neighbours of lowest rank, leftmost first,
// until no pair is left. Short words scan an array for the minimum; longer ones use a heap over a linked list; very long
// ones go through all places of one rank at a time, from the left, which walks memory in order (measured on 8 MB of one
// letter: 40 ns a byte, the heap 400).
#pragma once

#include <algorithm>

#include "text/token_model.h"

namespace inlay::text {

constexpr uint32_t kNoRank = 0xffffffffu;
struct Merge {
    uint32_t rank = kNoRank;  // kNoRank: these two do not join
    int32_t id = kNoToken;
};

// `pair(a, b)` gives the Merge of two neighbouring symbols. symbols[0..n) are linked in order; afterwards the list
// from symbols[0] on holds the result (symbol 0 is never swallowed by another).
template <class Pair>
void merge_long(Vector<Symbol> &symbols, Vector<MergeCandidate> &heap, const Pair &pair) {
    auto later = [](const MergeCandidate &a, const MergeCandidate &b) { return a.rank != b.rank ? a.rank > b.rank : a.left > b.left; };
    auto consider = [&](uint32_t left) {
        if (left == kNoSymbol || symbols[left].next == kNoSymbol) return;
        const Symbol &a = symbols[left], &b = symbols[a.next];
        Merge m = pair(a, b);
        if (m.rank == kNoRank) return;
        heap.push_back({m.rank, left, b.end, b.begin, m.id});
        std::push_heap(heap.begin(), heap.end(), later);
    };
    heap.clear();
    for (uint32_t i = 0; i + 1 < symbols.size(); ++i) {
        Merge m = pair(symbols[i], symbols[i + 1]);
        if (m.rank != kNoRank) heap.push_back({m.rank, i, symbols[i + 1].end, symbols[i + 1].begin, m.id});
    }
    std::make_heap(heap.begin(), heap.end(), later);
    while (!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end(), later);
        MergeCandidate c = heap.back();
        heap.pop_back();
        Symbol &a = symbols[c.left];
        // Stale when the left one was swallowed (end = begin), has grown, or its neighbour has.
        if (a.end != c.middle || a.begin == a.end || a.next == kNoSymbol || symbols[a.next].end != c.end) continue;
        Symbol &b = symbols[a.next];
        a.id = c.id;
        a.end = b.end;
        a.next = b.next;
        if (b.next != kNoSymbol) symbols[b.next].prev = c.left;
        b.begin = b.end;
        consider(a.prev);
        consider(c.left);
    }
}

template <class Pair>
void merge_short(Vector<Symbol> &symbols, const Pair &pair) {
    constexpr size_t kMax = 32;
    Merge merges[kMax + 1];  // of symbols i and i + 1
    size_t n = symbols.size();
    for (size_t i = 0; i + 1 < n; ++i) merges[i] = pair(symbols[i], symbols[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; ++i)
            if (merges[i].rank < merges[best].rank) best = i;
        if (merges[best].rank == kNoRank) break;
        symbols[best].id = merges[best].id;
        symbols[best].end = symbols[best + 1].end;
        // The pair (best + 1, best + 2) is now (best, best + 1) and is asked for anew below; the ones behind move up.
        for (size_t i = best + 1; i + 1 < n; ++i) {
            symbols[i] = symbols[i + 1];
            merges[i] = merges[i + 1];
        }
        --n;
        if (best > 0) merges[best - 1] = pair(symbols[best - 1], symbols[best]);
        if (best + 1 < n) merges[best] = pair(symbols[best], symbols[best + 1]);
    }
    for (size_t i = 0; i < n; ++i) {
        symbols[i].prev = i == 0 ? kNoSymbol : static_cast<uint32_t>(i - 1);
        symbols[i].next = i + 1 == n ? kNoSymbol : static_cast<uint32_t>(i + 1);
    }
    symbols.resize(n, Symbol{});
}

// Rank by rank. That is the same as pair by pair as long as no join makes a pair of the same or a lower rank, which
// holds for vocabularies whose merges were learned in their order. False as soon as it does not: then the heap must do it.
template <class Pair>
bool merge_by_rank(Vector<Symbol> &symbols, RankBuckets &buckets, const Pair &pair) {
    buckets.clear();
    for (uint32_t i = 0; i + 1 < symbols.size(); ++i)
        if (Merge m = pair(symbols[i], symbols[i + 1]); m.rank != kNoRank) buckets.push(m.rank, i);
    for (uint32_t rank; (rank = buckets.open()) != kNoRank;) {
        for (uint32_t left : buckets.opened()) {
            Symbol &a = symbols[left];
            if (a.begin == a.end || a.next == kNoSymbol) continue;
            Symbol &b = symbols[a.next];
            Merge m = pair(a, b);
            if (m.rank != rank) continue;  // one of the two has changed since
            a.id = m.id;
            a.end = b.end;
            a.next = b.next;
            if (b.next != kNoSymbol) symbols[b.next].prev = left;
            b.begin = b.end;
            for (uint32_t i : {a.prev, left}) {
                if (i == kNoSymbol || symbols[i].next == kNoSymbol) continue;
                Merge next = pair(symbols[i], symbols[symbols[i].next]);
                if (next.rank == kNoRank) continue;
                if (next.rank <= rank) return false;
                buckets.push(next.rank, i);
            }
        }
    }
    return true;
}

// Leaves the result linked from symbols[0] on. `start()` fills the symbols; it may be called twice.
template <class Start, class Pair>
void merge_symbols(EncodeScratch &s, const Start &start, const Pair &pair) {
    start();
    if (s.symbols.empty()) return;
    s.symbols.back().next = kNoSymbol;
    if (s.symbols.size() <= 32) return merge_short(s.symbols, pair);
    if (s.symbols.size() > 512) {
        if (merge_by_rank(s.symbols, s.buckets, pair)) return;
        start();
        s.symbols.back().next = kNoSymbol;
    }
    merge_long(s.symbols, s.heap, pair);
}

}  // namespace inlay::text
