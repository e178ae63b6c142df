// SPDX-License-Identifier: Apache-2.0
// What turns one pre-tokenized word into pieces (BPE, SentencePiece BPE, WordPiece, Unigram), and the scratch memory
// that one thread's encoding reuses. Models are immutable; all that changes lies in the scratch.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>

#include "base/containers.h"
#include "text/matcher.h"
#include "text/vocab.h"

namespace inlay::text {

struct Piece {
    int32_t id;
    uint32_t bytes;  // of the word, as the model saw it
};

// Words that came before, with their pieces: text repeats itself, and a hit costs one compare. Direct mapped, one
// cache line an entry; longer words and longer results are not kept.
class WordCache {
public:
    explicit WordCache(Memory &m) : entries_(Alloc<Entry>(m, MemTag::scratch)) {}
    // Belongs to one tokenizer at a time: `owner` is its unique number. As many entries as a text of `bytes` may use.
    void open(uint64_t owner, size_t bytes) {
        size_t entries = std::bit_ceil(std::clamp(bytes / 8, kFewest, kMost));
        if (owner == owner_ && entries_.size() >= entries) return;
        entries_.assign(std::max(entries, entries_.size()), Entry{});
        mask_ = entries_.size() - 1;
        owner_ = owner;
    }
    static constexpr size_t max_bytes = 20, max_pieces = 6;

    bool get(std::string_view word, uint64_t h, Vector<Piece> &out) const {
        const Entry &e = entries_[h & mask_];
        if (e.hash != h || e.size != word.size() || std::char_traits<char>::compare(e.key, word.data(), word.size()) != 0) return false;
        for (int i = 0; i < e.n; ++i) out.push_back({e.ids[i], e.bytes[i]});
        return true;
    }
    void put(std::string_view word, uint64_t h, const Piece *pieces, size_t n) {
        if (word.size() > max_bytes || n > max_pieces || n == 0) return;
        Entry &e = entries_[h & mask_];
        e.hash = h;
        e.size = static_cast<uint8_t>(word.size());
        e.n = static_cast<uint8_t>(n);
        std::char_traits<char>::copy(e.key, word.data(), word.size());
        for (size_t i = 0; i < n; ++i) {
            e.ids[i] = pieces[i].id;
            e.bytes[i] = static_cast<uint8_t>(pieces[i].bytes);
        }
    }

private:
    struct Entry {
        uint64_t hash = 0;
        uint8_t size = 255, n = 0;
        char key[max_bytes] = {};
        uint8_t bytes[max_pieces] = {};
        int32_t ids[max_pieces] = {};
    };
    // Up to 2 MiB, which covers what megabytes of prose repeat and stays near a core's L2.
    static constexpr size_t kFewest = 64, kMost = 32768;
    Vector<Entry> entries_;
    uint64_t owner_ = 0;
    size_t mask_ = 0;
};

// A symbol of the merging models: a stretch of the word, linked to its neighbours.
struct Symbol {
    int32_t id;
    uint32_t begin, end;
    uint32_t prev, next;  // kNoSymbol at the ends
    bool frozen;          // never joins a neighbour
};
constexpr uint32_t kNoSymbol = 0xffffffffu;

// A candidate pair: the symbols at `left` and behind it. Stale when either has changed since (end no longer fits).
struct MergeCandidate {
    uint32_t rank;
    uint32_t left;
    uint32_t end;
    uint32_t middle;
    int32_t id;
};

// Places waiting to be joined, by the rank of their pair.
class RankBuckets {
public:
    explicit RankBuckets(Memory &m)
        : heads_(Alloc<uint32_t>(m, MemTag::scratch)),
          ranks_(Alloc<uint32_t>(m, MemTag::scratch)),
          opened_(Alloc<uint32_t>(m, MemTag::scratch)),
          entries_(Alloc<Entry>(m, MemTag::scratch)) {}
    void clear() {
        std::fill(heads_.begin(), heads_.end(), kNone);
        ranks_.clear();
        entries_.clear();
        free_ = kNone;
    }
    void push(uint32_t rank, uint32_t place) {
        if (rank >= heads_.size()) heads_.resize(std::bit_ceil(rank + size_t{1}), kNone);
        if (heads_[rank] == kNone) {
            ranks_.push_back(rank);
            std::push_heap(ranks_.begin(), ranks_.end(), std::greater<>());
        }
        uint32_t at = free_;
        if (at == kNone) {
            at = static_cast<uint32_t>(entries_.size());
            entries_.push_back({});
        } else {
            free_ = entries_[at].next;
        }
        entries_[at] = {place, heads_[rank]};
        heads_[rank] = at;
    }
    // Takes the lowest rank and its places, in order; kNone when there is none.
    uint32_t open() {
        opened_.clear();
        if (ranks_.empty()) return kNone;
        std::pop_heap(ranks_.begin(), ranks_.end(), std::greater<>());
        uint32_t rank = ranks_.back();
        ranks_.pop_back();
        for (uint32_t at = heads_[rank], next; at != kNone; at = next) {
            next = entries_[at].next;
            opened_.push_back(entries_[at].place);
            entries_[at].next = free_;
            free_ = at;
        }
        heads_[rank] = kNone;
        std::reverse(opened_.begin(), opened_.end());
        if (!std::is_sorted(opened_.begin(), opened_.end())) std::sort(opened_.begin(), opened_.end());
        return rank;
    }
    const Vector<uint32_t> &opened() const noexcept { return opened_; }

private:
    static constexpr uint32_t kNone = 0xffffffffu;
    struct Entry {
        uint32_t place = 0, next = kNone;
    };
    Vector<uint32_t> heads_, ranks_, opened_;
    Vector<Entry> entries_;
    uint32_t free_ = kNone;
};

// What normalising reads and writes: two texts in turn, and for each byte of them (and their end) the offset it came
// from, kept only when spans are asked for.
struct NormBuffers {
    explicit NormBuffers(Memory &m)
        : text(Alloc<char>(m, MemTag::scratch)),
          text2(Alloc<char>(m, MemTag::scratch)),
          origin(Alloc<uint32_t>(m, MemTag::scratch)),
          origin2(Alloc<uint32_t>(m, MemTag::scratch)) {}
    String text, text2;
    Vector<uint32_t> origin, origin2;
};

// One thread's working memory; may serve any number of tokenizers in turn.
struct EncodeScratch {
    explicit EncodeScratch(Memory &m)
        : memory(m),
          segment(m),
          stretch(m),
          word(Alloc<char>(m, MemTag::scratch)),
          pieces(Alloc<Piece>(m, MemTag::scratch)),
          symbols(Alloc<Symbol>(m, MemTag::scratch)),
          heap(Alloc<MergeCandidate>(m, MemTag::scratch)),
          buckets(m),
          cache(m),
          code_points(Alloc<char32_t>(m, MemTag::scratch)),
          scores(Alloc<double>(m, MemTag::scratch)),
          back(Alloc<Piece>(m, MemTag::scratch)),
          fallback(Alloc<Piece>(m, MemTag::scratch)),
          hits(Alloc<Matcher::Hit>(m, MemTag::scratch)),
          added(Alloc<Matcher::Hit>(m, MemTag::scratch)),
          late(Alloc<Matcher::Hit>(m, MemTag::scratch)) {}
    Memory &memory;
    NormBuffers segment, stretch;  // between added tokens of the raw text; between those of the normalised text
    String word;                   // one word, mapped
    Vector<Piece> pieces;
    Vector<Symbol> symbols;
    Vector<MergeCandidate> heap;
    RankBuckets buckets;
    WordCache cache;
    Vector<char32_t> code_points;
    Vector<double> scores;  // Unigram's lattice
    Vector<Piece> back, fallback;
    Vector<Matcher::Hit> hits, added, late;  // user-defined pieces in one word; added tokens in the raw and the normalised text
};

class TokenModel {
public:
    virtual ~TokenModel() = default;
    // Appends the pieces of `word`; their bytes add up to word.size().
    virtual void encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const = 0;
};

}  // namespace inlay::text
