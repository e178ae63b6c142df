// SPDX-License-Identifier: Apache-2.0
#include "kv/prefix_index.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace inlay::kv {

namespace {

// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), over whole words.
struct SipHash {
    uint64_t v0, v1, v2, v3;
    SipHash(uint64_t k0, uint64_t k1)
        : v0(k0 ^ 0x736f6d6570736575u), v1(k1 ^ 0x646f72616e646f6du ^ 0xee), v2(k0 ^ 0x6c7967656e657261u), v3(k1 ^ 0x7465646279746573u) {}
    static uint64_t rotl(uint64_t x, int b) { return x << b | x >> (64 - b); }
    void round() {
        v0 += v1, v1 = rotl(v1, 13), v1 ^= v0, v0 = rotl(v0, 32);
        v2 += v3, v3 = rotl(v3, 16), v3 ^= v2;
        v0 += v3, v3 = rotl(v3, 21), v3 ^= v0;
        v2 += v1, v1 = rotl(v1, 17), v1 ^= v2, v2 = rotl(v2, 32);
    }
    void word(uint64_t m) {
        v3 ^= m;
        round(), round();
        v0 ^= m;
    }
    PrefixKey finish(uint64_t bytes) {
        word(bytes << 56);
        v2 ^= 0xee;
        for (int i = 0; i < 4; ++i) round();
        PrefixKey k;
        k.lo = v0 ^ v1 ^ v2 ^ v3;
        v1 ^= 0xdd;
        for (int i = 0; i < 4; ++i) round();
        k.hi = v0 ^ v1 ^ v2 ^ v3;
        return k;
    }
};

}  // namespace

PrefixIndex::PrefixIndex(Memory &m, BlockPool &pool, uint64_t secret)
    : pool_(pool), k0_(secret), k1_(mix64(secret, 0x5bd1e9955bd1e995u)),
      slots_(std::bit_ceil(static_cast<size_t>(pool.n_blocks()) * 2 + 1), -1, Alloc<int32_t>(m)),
      entries_(static_cast<size_t>(pool.n_blocks()), Entry{}, Alloc<Entry>(m)) {}

size_t PrefixIndex::home_of(const PrefixKey &key, int32_t group) const noexcept {
    return static_cast<size_t>(key.lo + static_cast<uint64_t>(group) * 0x9e3779b97f4a7c15u) & (slots_.size() - 1);
}

size_t PrefixIndex::slot_of(const PrefixKey &key, int32_t group) const noexcept {
    auto holds = [&](int32_t page) {
        const Entry &e = entries_[static_cast<size_t>(page)];
        return e.key == key && e.group == group;
    };
    size_t at = home_of(key, group);
    while (slots_[at] >= 0 && !holds(slots_[at])) at = (at + 1) & (slots_.size() - 1);
    return at;
}

PrefixKey PrefixIndex::root(uint64_t salt) const noexcept {
    SipHash h(k0_, k1_);
    h.word(salt);
    return h.finish(8);
}

PrefixKey PrefixIndex::child(const PrefixKey &parent, std::span<const int32_t> tokens) const noexcept {
    SipHash h(k0_, k1_);
    h.word(parent.lo);
    h.word(parent.hi);
    for (size_t i = 0; i + 1 < static_cast<size_t>(kBlockTokens); i += 2)
        h.word(static_cast<uint32_t>(tokens[i]) | static_cast<uint64_t>(static_cast<uint32_t>(tokens[i + 1])) << 32);
    return h.finish(16 + 4 * kBlockTokens);
}

int32_t PrefixIndex::find(const PrefixKey &key, const PrefixKey &parent, std::span<const int32_t> tokens, int32_t group) const noexcept {
    int32_t page = slots_[slot_of(key, group)];
    if (page < 0) return -1;
    const Entry &e = entries_[static_cast<size_t>(page)];
    return e.parent == parent && std::equal(e.tokens.begin(), e.tokens.end(), tokens.begin()) ? page : -1;
}

bool PrefixIndex::insert(const PrefixKey &key, const PrefixKey &parent, std::span<const int32_t> tokens, int32_t group, int32_t page) noexcept {
    size_t slot = slot_of(key, group);
    if (slots_[slot] >= 0) return false;
    slots_[slot] = page;
    ++size_;
    Entry &e = entries_[static_cast<size_t>(page)];
    e.key = key;
    e.parent = parent;
    e.group = group;
    std::copy_n(tokens.begin(), kBlockTokens, e.tokens.begin());
    pool_.set_indexed(page, true);
    return true;
}

void PrefixIndex::forget(int32_t page) noexcept {
    if (!pool_.indexed(page)) return;
    pool_.set_indexed(page, false);
    --size_;
    // Linear probing without tombstones: what follows moves up when its own place is not after the hole.
    auto entry = [&](int32_t p) -> const Entry & { return entries_[static_cast<size_t>(p)]; };
    size_t mask = slots_.size() - 1, hole = slot_of(entry(page).key, entry(page).group);
    slots_[hole] = -1;
    for (size_t at = (hole + 1) & mask; slots_[at] >= 0; at = (at + 1) & mask) {
        const Entry &e = entry(slots_[at]);
        if (((at - home_of(e.key, e.group)) & mask) < ((at - hole) & mask)) continue;
        slots_[hole] = slots_[at];
        slots_[at] = -1;
        hole = at;
    }
}

void PrefixIndex::clear() noexcept {
    for (int32_t b = 0; b < pool_.n_blocks(); ++b) forget(b);
}

void PrefixIndex::check() const {
    int32_t indexed = 0;
    for (int32_t b = 0; b < pool_.n_blocks(); ++b) indexed += pool_.indexed(b);
    require(indexed == size(), "prefix index: ", size(), " entries, ", indexed, " pages marked");
    for (size_t at = 0; at < slots_.size(); ++at)
        if (int32_t page = slots_[at]; page >= 0) {
            const Entry &e = entries_[static_cast<size_t>(page)];
            require(pool_.indexed(page) && slot_of(e.key, e.group) == at, "prefix index: page ", page, " is not found by its key");
        }
}

}  // namespace inlay::kv
