// SPDX-License-Identifier: Apache-2.0
#include "sample/dense.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "sample/math.h"

namespace inlay::sample {

namespace {
constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace

int32_t first_equal(std::span<const float> x, float value, const float *tops) noexcept {
    size_t i = 0;
    if (tops)
        while (i < x.size() && tops[i / kBlock] != value) i += kBlock;
    for (; i + 64 <= x.size(); i += 64) {
        int32_t any = 0;
        for (size_t l = 0; l < 64; ++l) any |= x[i + l] == value;
        if (any) break;
    }
    for (; i < x.size(); ++i)
        if (x[i] == value) return static_cast<int32_t>(i);
    return -1;
}

namespace {

// e[i] = exp(x[i] - max) for one block.
void block_exp(const kernels::KernelTable &k, const float *x, int64_t n, float max, float *e) noexcept {
    float d[kBlock];
    for (int64_t i = 0; i < n; ++i) d[i] = x[i] - max;
    k.map_exp(d, e, n);
}

}  // namespace

double exp_sum(const kernels::KernelTable &k, std::span<const float> x, float shift, float scale, double *blocks) noexcept {
    k.exp_blocks(x.data(), static_cast<int64_t>(x.size()), shift, scale, blocks);
    double total = 0;
    for (size_t b = 0; b < (x.size() + kBlock - 1) / kBlock; ++b) total += blocks[b];
    return total;
}

void weights(const kernels::KernelTable &k, std::span<const Candidate> list, float max, float *out) noexcept {
    for (size_t i = 0; i < list.size(); ++i) out[i] = list[i].logit - max;
    k.map_exp(out, out, static_cast<int64_t>(list.size()));
}

size_t gather(const kernels::KernelTable &k, std::span<const float> x, float bound, Candidate *out, const float *tops) noexcept {
    if (!(bound > -kInf)) bound = std::numeric_limits<float>::lowest();
    constexpr size_t words = 64;
    const size_t stride = tops ? kBlock : words * 64;
    size_t n = 0;
    for (size_t at = 0; at < x.size(); at += stride) {
        if (tops && tops[at / kBlock] < bound) continue;
        uint64_t bits[words];
        size_t m = std::min(stride, x.size() - at);
        k.at_least(x.data() + at, static_cast<int64_t>(m), bound, bits);
        for (size_t w = 0; w * 64 < m; ++w)
            for (uint64_t b = bits[w]; b != 0; b &= b - 1) {
                size_t i = at + w * 64 + static_cast<size_t>(std::countr_zero(b));
                out[n++] = {x[i], static_cast<int32_t>(i)};
            }
    }
    return n;
}

size_t select_best(const kernels::KernelTable &table, std::span<const float> x, int64_t k, Candidate *out, const float *tops) noexcept {
    int64_t n = static_cast<int64_t>(x.size()), have = 0;
    if (int64_t blocks = (n + kBlock - 1) / kBlock; tops && k > 0 && 2 * k <= blocks) {
        // k blocks have a top that is no less than this, so the k best are no less either.
        for (int64_t b = 0; b < blocks; ++b) out[b] = {tops[b], static_cast<int32_t>(b)};
        std::nth_element(out, out + k - 1, out + blocks, better);
        have = static_cast<int64_t>(gather(table, x, out[k - 1].logit, out, tops));
        const int64_t kept = std::min(k, have);
        std::partial_sort(out, out + kept, out + have, better);
        return static_cast<size_t>(kept);
    }
    // A heap of k beats a full gather while k is a small part of the row.
    if (k > n / 16) {
        have = static_cast<int64_t>(gather(table, x, -kInf, out));
        if (have > k) {
            std::nth_element(out, out + k - 1, out + have, better);
            have = k;
        }
    } else {
        int64_t i = 0;
        for (; i < n && have < k; ++i)
            if (float v = x[static_cast<size_t>(i)]; v > -kInf) {
                out[have++] = {v, static_cast<int32_t>(i)};
                std::push_heap(out, out + have, better);
            }
        auto offer = [&](float v, int32_t id) {
            if (!(v > out[0].logit)) return;  // an equal one has a higher id: it loses
            std::pop_heap(out, out + k, better);
            out[k - 1] = {v, id};
            std::push_heap(out, out + k, better);
        };
        // Where the k best of a 32nd of the row begin, few of the rest are worth a look.
        for (int64_t end = std::min(n, i + k + n / 32); i < end; ++i) offer(x[static_cast<size_t>(i)], static_cast<int32_t>(i));
        if (have == k && i < n) {
            size_t rest = gather(table, x.subspan(static_cast<size_t>(i)), out[0].logit, out + k);
            for (size_t c = 0; c < rest; ++c) offer(out[static_cast<size_t>(k) + c].logit, out[static_cast<size_t>(k) + c].id + static_cast<int32_t>(i));
        }
    }
    std::sort(out, out + have, better);
    return static_cast<size_t>(have);
}

namespace {

// Depth below the best in 16ths of a nat. Clamped on bits, as depths are never negative: a choice between floats does not vectorise.
constexpr float kSlices = 16;
int32_t depth(float max, float v) noexcept {
    constexpr int32_t deepest = std::bit_cast<int32_t>(static_cast<float>(kDepths - 1));
    int32_t bits = std::bit_cast<int32_t>((max - v) * kSlices);
    return static_cast<int32_t>(std::bit_cast<float>(bits < deepest ? bits : deepest));
}

// The mass that the nucleus must reach: known exactly (low == high), or to lie in between.
struct Target {
    double low, high;
    bool below(double have) const noexcept { return have < low; }
    bool unsure(double have) const noexcept { return have >= low && have < high; }
};

// The slice in which the nucleus ends, `n` where it ends beyond; `have` gets the mass above it. -1: can't be told.
int32_t end_slice(const double *histogram, int32_t n, const Target &t, double &have) noexcept {
    have = 0;
    for (int32_t s = 0; s < n; ++s) {
        double next = have + (histogram[s] + histogram[s + kDepths]);
        if (t.unsure(next)) return -1;
        if (!t.below(next)) return s;
        have = next;
    }
    return n;
}

// Of a list that holds the whole slice s, its worst member inside the nucleus. False: can't be told.
bool end_in_slice(const kernels::KernelTable &k, const Candidate *list, size_t n, float max, int32_t s, double have, const Target &t,
                  Candidate *slice, Candidate &end) noexcept {
    size_t kept = 0;
    for (size_t i = 0; i < n; ++i) {
        slice[kept] = list[i];
        kept += depth(max, list[i].logit) == s;
    }
    std::sort(slice, slice + kept, better);
    if (kept > 0) end = slice[0];
    for (size_t i = 0; i < kept; ++i) {
        if (t.unsure(have)) return false;
        if (!t.below(have)) break;
        end = slice[i];
        float e = end.logit - max;
        k.map_exp(&e, &e, 1);
        have += static_cast<double>(e);
    }
    return true;
}

// Drops what is worse than `end`: of equals, those beyond its id.
size_t keep_to(Candidate *list, size_t n, const Candidate &end) noexcept {
    size_t kept = 0;
    for (size_t i = 0; i < n; ++i) {
        Candidate c = list[i];
        list[kept] = c;
        kept += (c.logit > end.logit) | ((c.logit == end.logit) & (c.id <= end.id));
    }
    return kept;
}

}  // namespace

// The mass by depth says in which slice the nucleus ends; only that slice is sorted.
size_t nucleus_plain(const kernels::KernelTable &k, std::span<const float> x, float max, double top_p, const NucleusScratch &w,
                     Candidate *out) noexcept {
    std::fill_n(w.histogram, 2 * kDepths, 0.0);
    for (size_t at = 0; at < x.size(); at += kBlock) {
        float e[kBlock];
        int32_t slice[kBlock];
        size_t m = std::min<size_t>(kBlock, x.size() - at);
        const float *row = x.data() + at;
        block_exp(k, row, static_cast<int64_t>(m), max, e);
        for (size_t i = 0; i < m; ++i) slice[i] = depth(max, row[i]);
        // Two histograms take turns: neighbours often share a slice, and an addition waits for the one before it.
        for (size_t i = 0; i < m; ++i) w.histogram[slice[i] + kDepths * static_cast<int32_t>(i & 1)] += static_cast<double>(e[i]);
    }
    double total = 0, have = 0;
    for (int d = 0; d < kDepths; ++d) total += w.histogram[d] + w.histogram[d + kDepths];
    Target t{top_p * total, top_p * total};
    int32_t s = end_slice(w.histogram, kDepths - 1, t, have);
    // A bound that is surely below the slice first: it leaves few to look at closely.
    size_t near = gather(k, x, s + 1 < kDepths ? max - static_cast<float>(s + 2) / kSlices : -kInf, out);
    Candidate end{max, static_cast<int32_t>(x.size())};
    end_in_slice(k, out, near, max, s, have, t, w.list, end);
    return keep_to(out, near, end);
}

namespace {

// How deep the nucleus reaches, judged by one block in 32: there, what is outside weighs less than `outside`. A guess
// that is too deep costs time, one that is too low the way over the whole row.
int32_t likely_depth(const kernels::KernelTable &k, std::span<const float> x, float max, double outside, double *histogram) noexcept {
    constexpr size_t stride = 32;
    std::fill_n(histogram, kDepths, 0.0);
    size_t seen = 0;
    for (size_t at = 0; at < x.size(); at += stride * kBlock) {
        float e[kBlock];
        size_t m = std::min<size_t>(kBlock, x.size() - at);
        block_exp(k, x.data() + at, static_cast<int64_t>(m), max, e);
        for (size_t i = 0; i < m; ++i) histogram[depth(max, x[at + i])] += static_cast<double>(e[i]);
        seen += m;
    }
    double share = static_cast<double>(seen) / static_cast<double>(x.size()), tail = 0;
    int32_t s = kDepths;
    while (s > 0 && tail + histogram[s - 1] < 0.5 * outside * share) tail += histogram[--s];
    return std::max(s + 8, 48);  // half a nat of caution; three nats are cheap
}

}  // namespace

// Only what can lie in the nucleus is summed by depth, as above: deeper, where the guess was too low. The mass is taken
// as its bounds say; where these can't tell, by its sum, which is off by the order of its additions alone; where that
// could matter, the whole row decides.
size_t nucleus(const kernels::KernelTable &k, std::span<const float> x, float max, double top_p, const NucleusScratch &w,
               Candidate *out, const Mass *mass, const float *tops) noexcept {
    constexpr double error = 1e-9;  // 262,144 additions of doubles are off by 3e-11 at most
    auto summed = [&] {
        double total = exp_sum(k, x, max, 1, w.blocks);
        return Mass{total, total};
    };
    Mass m = mass ? *mass : summed();
    for (int32_t slices = likely_depth(k, x, max, (1 - top_p) * m.low, w.histogram); slices < kDepths; slices *= 2) {
        size_t n = gather(k, x, max - static_cast<float>(slices + 2) / kSlices, out, tops);
        std::fill_n(w.histogram, slices, 0.0);
        std::fill_n(w.histogram + kDepths, slices, 0.0);
        for (size_t at = 0; at < n; at += kBlock) {
            float e[kBlock];
            int32_t place[kBlock];
            size_t some = std::min<size_t>(kBlock, n - at);
            const Candidate *list = out + at;
            for (size_t i = 0; i < some; ++i) e[i] = list[i].logit - max;
            k.map_exp(e, e, static_cast<int64_t>(some));
            for (size_t i = 0; i < some; ++i) place[i] = depth(max, list[i].logit);
            for (size_t i = 0; i < some; ++i)
                if (place[i] < slices) w.histogram[place[i] + kDepths * (list[i].id & 1)] += static_cast<double>(e[i]);
        }
        if (mass && n > 8192) m = summed(), mass = nullptr;  // so flat a row needs it, and looking twice at so many costs more
        for (;;) {
            Target t{top_p * m.low * (1 - error), top_p * m.high * (1 + error)};
            double have;
            int32_t s = end_slice(w.histogram, slices, t, have);
            Candidate end{max, static_cast<int32_t>(x.size())};
            if (s == slices) break;
            if (s >= 0 && end_in_slice(k, out, n, max, s, have, t, w.list, end)) return keep_to(out, n, end);
            if (!mass) return nucleus_plain(k, x, max, top_p, w, out);
            m = summed();
            mass = nullptr;
        }
    }
    return nucleus_plain(k, x, max, top_p, w, out);
}

}  // namespace inlay::sample
