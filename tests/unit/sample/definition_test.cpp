// SPDX-License-Identifier: Apache-2.0
// Draws against section 10 of docs/numerics.md written as plain loops: every token equal, whatever the sampler skips.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "cpu/tier.h"
#include "kernels/table.h"
#include "sample/chain.h"
#include "sample/math.h"

using namespace inlay;
using namespace inlay::sample;

namespace {

const float kInf = INFINITY;

const kernels::KernelTable &scalar() {
    static const kernels::KernelTable t = kernels::build_table({});
    return t;
}

std::vector<float> noise(size_t n, uint64_t seed, float scale) {
    std::vector<float> x(n);
    for (size_t i = 0; i < n; ++i) {
        PhiloxBlock b = philox(seed, 9, i);
        x[i] = scale * (uniform_float(b.w[0]) + uniform_float(b.w[1]) + uniform_float(b.w[2]) - 1.5f);
    }
    return x;
}

}  // namespace

TEST_CASE("a draw is what section 10 of docs/numerics.md says") {
    // The definition in plain loops: every number in the order that is written there.
    auto by_hand = [](const std::vector<float> &logits, float temperature, int32_t k, float top_p, float min_p, bool temperature_first, uint64_t seed,
                      uint64_t position) {
        std::vector<Candidate> list;
        for (size_t i = 0; i < logits.size(); ++i)
            if (logits[i] > -kInf) list.push_back({logits[i], static_cast<int32_t>(i)});
        bool whole = true;
        auto greatest = [&] { return std::max_element(list.begin(), list.end(), [](auto &a, auto &b) { return a.logit < b.logit; })->logit; };
        auto weight = [&](const Candidate &c, float m) {
            float d = c.logit - m, e;
            scalar().map_exp(&d, &e, 1);
            return static_cast<double>(e);
        };
        auto warm = [&] {
            float m = greatest();
            if (temperature != 1)
                for (Candidate &c : list) c.logit = (c.logit - m) / temperature;
        };
        if (temperature_first) warm();
        if (k > 0 && static_cast<size_t>(k) < list.size()) {
            std::sort(list.begin(), list.end(), better);
            list.resize(static_cast<size_t>(k));
            whole = false;
        }
        if (top_p < 1) {
            float m = greatest();
            std::vector<Candidate> by = list;
            std::sort(by.begin(), by.end(), better);
            double total = 0, have = 0;
            size_t n = 0;
            if (whole) {  // by depth in 16ths of a nat, two sums a depth by parity of id
                std::vector<double> sums(2 * kDepths);
                auto depth = [&](const Candidate &c) { return std::min<int64_t>(kDepths - 1, static_cast<int64_t>(std::min(1e6f, (m - c.logit) * 16))); };
                for (const Candidate &c : list) sums[static_cast<size_t>(depth(c) + kDepths * (c.id & 1))] += weight(c, m);
                for (size_t d = 0; d < kDepths; ++d) total += sums[d] + sums[d + kDepths];
                double need = static_cast<double>(top_p) * total;
                int64_t d = 0;
                for (; d + 1 < kDepths; ++d) {
                    double slice = sums[static_cast<size_t>(d)] + sums[static_cast<size_t>(d + kDepths)];
                    if (have + slice >= need) break;
                    have += slice;
                }
                while (n < by.size() && depth(by[n]) < d) ++n;
                while (n < by.size() && depth(by[n]) == d && have < need) have += weight(by[n++], m);
                by.resize(n);
                std::sort(by.begin(), by.end(), [](auto &a, auto &b) { return a.id < b.id; });
            } else {
                for (const Candidate &c : by) total += weight(c, m);
                double need = static_cast<double>(top_p) * total;
                while (n < by.size() && have < need) have += weight(by[n++], m);
                by.resize(n);
            }
            list = by;
            whole = false;
        }
        if (min_p > 0) {
            float bound = static_cast<float>(static_cast<double>(greatest()) + log64(static_cast<double>(min_p)));
            std::erase_if(list, [&](const Candidate &c) { return c.logit < bound; });
            whole = false;
        }
        if (!temperature_first) warm();
        PhiloxBlock random = philox(seed, 0, position);
        double u = uniform_double(random.w[0], random.w[1]), total = 0, at = 0;
        float m = greatest();
        // Blocks of 256: of places in the row, 8 sums each; or of places in the list, one chain each.
        std::vector<double> blocks, e(whole ? logits.size() : list.size());
        for (size_t i = 0; i < list.size(); ++i) e[whole ? static_cast<size_t>(list[i].id) : i] = weight(list[i], m);
        for (size_t b = 0; b < e.size(); b += 256) {
            double sum[8] = {}, chain = 0;
            for (size_t i = b; i < std::min(e.size(), b + 256); ++i) sum[i % 8] += e[i], chain += e[i];
            blocks.push_back(whole ? ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7])) : chain);
            total += blocks.back();
        }
        size_t b = 0;
        while (b + 1 < blocks.size() && at + blocks[b] <= u * total) at += blocks[b++];
        int32_t chosen = -1;
        for (size_t i = b * 256; i < std::min(e.size(), b * 256 + 256) && !(at > u * total); ++i)
            if (e[i] > 0) at += e[i], chosen = whole ? static_cast<int32_t>(i) : list[i].id;
        return chosen;
    };
    Memory mem;
    kernels::KernelTable best = kernels::build_table(cpu::detect_tiers());
    int differ = 0, draws = 0;
    for (size_t n : {300, 5000, 40000}) {
        Workspace w(mem, static_cast<int32_t>(n), &best);
        for (uint64_t i = 0; i < (n == 300 ? 400 : n == 5000 ? 200 : 60); ++i) {  // the definition is slow under sanitizers
            std::vector<float> row = noise(n, i, i % 3 == 0 ? 3.0f : 14.0f);
            if (n == 40000)  // as models have them: some far above the crowd, in few blocks or in many
                for (size_t k = 0; k < (i % 2 ? 8 : 300); ++k) row[(k * 977 + i) % n] += 6 + static_cast<float>(k % 9);
            if (i % 4 == 0)
                for (float &v : row) v = std::round(v);
            if (i % 5 == 0) row[i % n] = -kInf;
            Params p(mem);
            p.seed = i;
            p.temperature = i % 7 == 0 ? 1.0f : 0.3f + 0.1f * static_cast<float>(i % 11);
            if (i % 2) p.top_k = static_cast<int32_t>(1 + i % 50);
            if (i % 3) p.top_p = 0.05f + 0.9f * static_cast<float>(i % 13) / 13;
            if (i % 8 == 1) p.min_p = 0.02f;
            bool first = i % 6 == 5;
            if (first) p.order.assign(temperature_first_order(), temperature_first_order() + kStages);
            for (uint64_t at = 0; at < (n < 40000 ? 5 : 2); ++at, ++draws)
                differ += draw(row, p, {}, {}, {}, at, w).token != by_hand(row, p.temperature, p.top_k, p.top_p, p.min_p, first, p.seed, at);
        }
    }
    CHECK(draws == 3120);
    CHECK(differ == 0);
}
