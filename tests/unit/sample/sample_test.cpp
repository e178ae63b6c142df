// SPDX-License-Identifier: Apache-2.0
// Each sampler against a plain restatement of its definition in double, on small rows whose answer is known, and the
// promises of the whole chain: neighbours, order of calls and history outside the window change nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "cpu/tier.h"
#include "kernels/table.h"
#include "sample/chain.h"
#include "sample/logprobs.h"
#include "sample/math.h"

using namespace inlay;
using namespace inlay::sample;

namespace {

const float kInf = INFINITY;

const kernels::KernelTable &scalar() {
    static const kernels::KernelTable t = kernels::build_table({});
    return t;
}

// The CPU's own kernels: their bits are the scalar ones' (tests/kernels), and 100,000 draws take a tenth of the time.
const kernels::KernelTable &fast() {
    static const kernels::KernelTable t = kernels::build_table(cpu::detect_tiers());
    return t;
}

struct Fixture {
    Memory mem;
    Workspace w;
    explicit Fixture(int32_t n) : w(mem, n, &fast()) {}
    Pick one(const std::vector<float> &row, const Params &p, uint64_t pos, std::vector<int32_t> hist = {}, int64_t n_prompt = 0,
             Restriction r = {}, State s = {}) {
        return draw(row, p, History{hist, n_prompt}, r, s, pos, w);
    }
    std::map<int32_t, double> frequencies(const std::vector<float> &row, const Params &p, int n, std::vector<int32_t> hist = {},
                                          int64_t n_prompt = 0) {
        std::map<int32_t, double> f;
        for (int i = 0; i < n; ++i) f[one(row, p, static_cast<uint64_t>(i), hist, n_prompt).token] += 1.0 / n;
        return f;
    }
};

std::vector<double> softmax(const std::vector<float> &x, double t = 1) {
    double m = *std::max_element(x.begin(), x.end()), s = 0;
    std::vector<double> p;
    for (float v : x) p.push_back(std::exp((v - m) / t)), s += p.back();
    for (double &v : p) v /= s;
    return p;
}
std::set<int32_t> support(const std::map<int32_t, double> &f) {
    std::set<int32_t> s;
    for (auto &[id, v] : f) s.insert(id);
    return s;
}
std::string refusal(const Params &p) {
    try {
        validate(p, 100, Limits{});
    } catch (const Error &e) {
        return std::string(e.text());
    }
    return "";
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

TEST_CASE("exp and log against libm in double") {
    double worst64 = 0, worstlog = 0;
    for (double x = -600; x < 600; x += 0.737) worst64 = std::max(worst64, std::fabs(exp64(x) / std::exp(x) - 1));
    for (double x = 1e-9; x < 1e9; x *= 1.0173)
        worstlog = std::max(worstlog, std::fabs(log64(x) - std::log(x)) / std::max(1e-3, std::fabs(std::log(x))));
    CHECK(worst64 < 1e-14);
    CHECK(worstlog < 1e-14);
    CHECK(log64(1) == 0);
}

TEST_CASE("greedy takes the arg max, the lowest id among equals") {
    Fixture f(300);
    std::vector<float> row = noise(300, 1, 3);
    row[77] = row[211] = 50;
    Params p(f.mem);
    p.temperature = 0;
    CHECK(f.one(row, p, 5).token == 77);
    row[3] = 50;
    CHECK(f.one(row, p, 5).token == 3);
}

TEST_CASE("NaN and +inf are numeric, nothing left is a dead end") {
    Fixture f(40);
    Params p(f.mem);
    std::vector<float> row = noise(40, 2, 3);
    row[39] = NAN;
    CHECK(f.one(row, p, 0).outcome == Outcome::numeric);
    row[39] = kInf;
    CHECK(f.one(row, p, 0).outcome == Outcome::numeric);
    row[39] = -kInf;
    CHECK(f.one(row, p, 0).outcome == Outcome::ok);
    std::vector<uint32_t> mask(2, 0);
    CHECK(f.one(row, p, 0, {}, 0, Restriction{mask.data(), {}}).outcome == Outcome::dead_end);
    mask[1] = 1u << 7;  // only 39, which is -inf
    CHECK(f.one(row, p, 0, {}, 0, Restriction{mask.data(), {}}).outcome == Outcome::dead_end);
    mask[0] = 1u << 5;
    for (float t : {0.0f, 1.0f}) {
        p.temperature = t;
        CHECK(f.one(row, p, 0, {}, 0, Restriction{mask.data(), {}}).token == 5);
    }
    std::fill(row.begin(), row.end(), -kInf);
    CHECK(f.one(row, p, 0).outcome == Outcome::dead_end);
}

TEST_CASE("plain sampling follows the softmax, dense and listed alike") {
    Fixture f(1000);
    std::vector<float> row(1000, -30);
    row[3] = 1, row[500] = 0.5f, row[501] = -1, row[999] = 2;
    auto want = softmax(row);
    for (int k : {0, 4}) {
        for (float t : {1.0f, 0.7f, 1.9f}) {
            Params p(f.mem);
            p.top_k = k;
            p.temperature = t;
            p.seed = 11;
            auto got = f.frequencies(row, p, 20000);
            auto w = softmax(row, t);
            for (int id : {3, 500, 501, 999}) CHECK(std::fabs(got[id] - w[static_cast<size_t>(id)]) < 0.012);
        }
    }
}

TEST_CASE("top-k, top-p, min-p, epsilon keep exactly the defined set") {
    Fixture f(5000);
    for (uint64_t seed : {1, 2, 3}) {
        std::vector<float> row = noise(5000, seed, 6);
        auto prob = softmax(row);
        std::vector<int> by(5000);
        for (int i = 0; i < 5000; ++i) by[static_cast<size_t>(i)] = i;
        std::sort(by.begin(), by.end(), [&](int a, int b) {
            return row[static_cast<size_t>(a)] > row[static_cast<size_t>(b)] ||
                   (row[static_cast<size_t>(a)] == row[static_cast<size_t>(b)] && a < b);
        });
        Params p(f.mem);
        p.seed = seed;
        p.top_k = 7;
        p.temperature = 50;  // flat: every survivor shows up
        CHECK(support(f.frequencies(row, p, 3000)) == std::set<int32_t>(by.begin(), by.begin() + 7));
        p.top_k = 0;
        for (float tp : {0.02f, 0.05f}) {
            p.top_p = tp;
            double s = 0;
            size_t n = 0;
            while (s < tp) s += prob[static_cast<size_t>(by[n++])];
            CHECK(support(f.frequencies(row, p, 6000)) == std::set<int32_t>(by.begin(), by.begin() + static_cast<long>(n)));
        }
        p.top_p = 1;
        p.min_p = 0.5f;
        std::set<int32_t> want;
        for (int i : by)
            if (prob[static_cast<size_t>(i)] >= 0.5 * prob[static_cast<size_t>(by[0])]) want.insert(i);
        CHECK(support(f.frequencies(row, p, 6000)) == want);
        p.min_p = 0;
        p.epsilon_cutoff = static_cast<float>(prob[static_cast<size_t>(by[9])] * 0.9999);
        want.clear();
        for (int i : by)
            if (prob[static_cast<size_t>(i)] >= p.epsilon_cutoff) want.insert(i);
        CHECK(want.size() >= 10);
        CHECK(support(f.frequencies(row, p, 6000)) == want);
    }
}

TEST_CASE("the nucleus ends where a full sort says, ties and all") {
    for (uint64_t seed = 0; seed < 40; ++seed) {
        std::vector<float> row = noise(3000, seed, seed % 2 ? 20.0f : 3.0f);
        if (seed % 3 == 0)
            for (float &v : row) v = std::round(v);  // many ties
        for (size_t i = 0; i < row.size(); i += 7) row[i] = -kInf;
        std::vector<Candidate> all, scratch(row.size()), got(row.size());
        float max = -kInf;
        double total = 0;
        for (size_t i = 0; i < row.size(); ++i)
            if (row[i] > -kInf) all.push_back({row[i], static_cast<int32_t>(i)}), max = std::max(max, row[i]);
        std::sort(all.begin(), all.end(), better);
        for (auto &c : all) total += std::exp(static_cast<double>(c.logit) - max);
        std::vector<double> histogram(2 * kDepths), blocks(row.size() / 256 + 1);
        NucleusScratch w{histogram.data(), blocks.data(), scratch.data()};
        for (double p : {1e-6, 0.1, 0.5, 0.9, 0.999}) {
            size_t n = nucleus(scalar(), row, max, p, w, got.data());
            Candidate end = *std::max_element(got.begin(), got.begin() + static_cast<long>(n), better);
            double have = 0;  // all but the last are below p, all together reach it (up to the rounding of exp)
            for (size_t i = 0; i < n; ++i) have += std::exp(static_cast<double>(all[i].logit) - max);
            CHECK(all[n - 1].id == end.id);
            CHECK(have >= (p - 1e-6) * total);
            CHECK(have - std::exp(static_cast<double>(end.logit) - max) <= (p + 1e-6) * total);
        }
    }
}

TEST_CASE("the nucleus from the top alone is the one of the whole row") {
    int32_t differ = 0, rows = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
        size_t n = seed % 4 == 3 ? 40000 : 700 + seed * 13;
        // From flat to certain; some as models have them: a broad crowd and a few far above it.
        std::vector<float> row = noise(n, seed, 0.5f * static_cast<float>(1 << seed % 7));
        if (seed % 3 == 0)
            for (size_t i = 0; i < 5; ++i) row[i * 97 + 3] += 8;
        if (seed % 5 == 0)
            for (float &v : row) v = std::round(v * 2) / 2;
        if (seed % 6 == 0)
            for (size_t i = 0; i < row.size(); i += 5) row[i] = -kInf;
        float max = *std::max_element(row.begin(), row.end());
        std::vector<Candidate> scratch(n), a(n), b(n);
        std::vector<double> histogram(2 * kDepths), blocks(n / 256 + 1);
        NucleusScratch w{histogram.data(), blocks.data(), scratch.data()};
        for (double p : {1e-6, 0.05, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999999}) {
            size_t na = nucleus(scalar(), row, max, p, w, a.data()), nb = nucleus_plain(scalar(), row, max, p, w, b.data());
            ++rows;
            differ += na != nb || !std::equal(a.begin(), a.begin() + static_cast<long>(na), b.begin(),
                                              [](const Candidate &x, const Candidate &y) { return x.id == y.id && x.logit == y.logit; });
        }
    }
    CHECK(rows == 1600);
    CHECK(differ == 0);
}

TEST_CASE("top-p over a flat row reaches its mass") {
    Fixture f(3000);
    std::vector<float> row(3000, 0.25f);
    Params p(f.mem);
    p.top_p = 0.5f;
    auto got = f.frequencies(row, p, 4000);
    for (auto &[id, v] : got) CHECK(id < 1500);
    CHECK(got.size() > 1000);
}

TEST_CASE("typical keeps the closest to the entropy, not the likeliest") {
    Fixture f(4);
    // H is near ln of the second's surprise: with p = .5 .2 .2 .1 the entropy is 1.22 nats, surprises .69 1.61 1.61 2.30.
    std::vector<float> row = {std::log(0.5f), std::log(0.2f), std::log(0.2f), std::log(0.1f)};
    Params p(f.mem);
    p.typical_p = 0.35f;
    CHECK(support(f.frequencies(row, p, 500)) == std::set<int32_t>{1, 2});
    p.typical_p = 0.5f;
    CHECK(support(f.frequencies(row, p, 500)) == std::set<int32_t>{0, 1, 2});
}

TEST_CASE("top-n-sigma, xtc, eta") {
    Fixture f(6);
    std::vector<float> row = {0, 0, 0, 0, 3, 6};  // mean 1.5, sigma sqrt(5.25) = 2.29
    Params p(f.mem);
    p.temperature = 20;
    p.top_n_sigma = 1;
    CHECK(support(f.frequencies(row, p, 300)) == std::set<int32_t>{5});
    p.top_n_sigma = 2;
    CHECK(support(f.frequencies(row, p, 300)) == std::set<int32_t>{4, 5});
    p.top_n_sigma = -1;

    std::vector<float> x = {std::log(0.4f), std::log(0.3f), std::log(0.2f), std::log(0.06f), std::log(0.03f), std::log(0.01f)};
    p.temperature = 1;
    p.xtc_probability = 1;
    p.xtc_threshold = 0.15f;
    auto got = f.frequencies(x, p, 20000);
    CHECK(got.count(0) == 0);
    CHECK(got.count(1) == 0);
    CHECK(std::fabs(got[2] - 0.2 / 0.3) < 0.015);
    p.xtc_probability = 0.5f;
    got = f.frequencies(x, p, 20000);
    CHECK(std::fabs(got[0] - 0.2) < 0.015);

    p.xtc_probability = 0;
    p.eta_cutoff = 0.05f;  // sqrt(0.05) * exp(-H): H = 1.40, 0.055 > 0.05
    got = f.frequencies(x, p, 3000);
    CHECK(support(got) == std::set<int32_t>{0, 1, 2, 3});
}

TEST_CASE("penalties: what each window sees") {
    Fixture f(8);
    std::vector<float> row = {2, 2, -2, 1, 0, 0, 0, 0};
    Params p(f.mem);
    p.temperature = 0;
    std::vector<int32_t> hist = {0, 2, 1, 1};  // prompt 0 2, output 1 1
    p.repetition_penalty = 4;
    CHECK(f.one(row, p, 4, hist, 2).token == 3);
    p.penalty_last_n = 2;  // sees 1 1 alone
    CHECK(f.one(row, p, 4, hist, 2).token == 0);
    p.repetition_penalty = 1;
    p.frequency_penalty = 0.4f;  // 1: 2 - 0.8
    CHECK(f.one(row, p, 4, hist, 2).token == 0);
    std::vector<float> row2 = {0, 2, 0, 1.3f, 0, 0, 0, 0};
    CHECK(f.one(row2, p, 4, hist, 2).token == 3);
    p.frequency_penalty = 0;
    p.presence_penalty = 0.6f;  // 2 - 0.6 stays ahead of 1.3
    CHECK(f.one(row2, p, 4, hist, 2).token == 1);
    p.presence_penalty = 0.8f;
    CHECK(f.one(row2, p, 4, hist, 2).token == 3);
    CHECK(f.one(row2, p, 4, {}, 0).token == 1);
    CHECK(f.one(row2, p, 4, hist, 4).token == 1);  // all prompt
    p.penalize_prompt = true;
    CHECK(f.one(row2, p, 4, hist, 4).token == 3);
}

TEST_CASE("DRY punishes the token that would extend a repeat, by its length") {
    Fixture f(10);
    std::vector<float> row(10, 0);
    row[4] = 1.9f;
    row[5] = 1.0f;
    Params p(f.mem);
    p.temperature = 0;
    p.dry_multiplier = 1;
    p.dry_base = 2;
    p.dry_allowed_length = 2;
    // "1 2 3 4 … 1 2 3": 4 would extend a repeat of 3: cost 2^(3-2) = 2
    CHECK(f.one(row, p, 7, {1, 2, 3, 4, 9, 1, 2, 3}, 8).token == 5);
    // "2 3" is 2 long: cost 1 leaves 4 at 0.9, below 5
    CHECK(f.one(row, p, 7, {8, 2, 3, 4, 9, 7, 2, 3}, 8).token == 5);
    // 1 long: below the allowed length
    CHECK(f.one(row, p, 7, {8, 1, 3, 4, 9, 7, 2, 3}, 8).token == 4);
    p.dry_breakers.push_back(2);  // the repeat stops at the breaker: "3" alone
    CHECK(f.one(row, p, 7, {1, 2, 3, 4, 9, 1, 2, 3}, 8).token == 4);
}

TEST_CASE("bias, bans, allowed ids, forbidden end tokens") {
    Fixture f(100);
    std::vector<float> row = noise(100, 3, 1);
    Params p(f.mem);
    p.temperature = 0;
    p.logit_bias.push_back({42, 50});
    CHECK(f.one(row, p, 0).token == 42);
    p.logit_bias[0].value = -100;
    row[42] = 30;
    CHECK(f.one(row, p, 0).token != 42);
    p.logit_bias.clear();
    p.banned.push_back(42);
    CHECK(f.one(row, p, 0).token != 42);
    p.banned.clear();
    std::vector<int32_t> eog = {42};
    CHECK(f.one(row, p, 0, {}, 0, Restriction{nullptr, eog}).token != 42);
    p.allowed = {7, 8};
    int32_t t = f.one(row, p, 0).token;
    CHECK(t == (row[7] >= row[8] ? 7 : 8));
    p.temperature = 3;
    CHECK(support(f.frequencies(row, p, 200)) == std::set<int32_t>{7, 8});
}

TEST_CASE("mirostat 2 steers the surprise towards tau") {
    Fixture f(2000);
    std::vector<float> row(2000);
    for (size_t i = 0; i < row.size(); ++i) row[i] = -1.1f * std::log(static_cast<float>(i + 1));
    auto prob = softmax(row);
    for (int version : {1, 2}) {
        Params p(f.mem);
        p.mirostat = version;
        p.mirostat_tau = 4;
        State s;
        double bits = 0;
        int n = 4000, used = 0;
        for (int i = 0; i < n; ++i) {
            Pick k = f.one(row, p, static_cast<uint64_t>(i), {}, 0, {}, s);
            REQUIRE(k.outcome == Outcome::ok);
            s = k.next;
            if (i >= 500) bits += -std::log2(prob[static_cast<size_t>(k.token)]), ++used;
        }
        // The controller holds the surprise inside the kept set at tau; over the whole row it is a little higher.
        CHECK(bits / used > 3.5);
        CHECK(bits / used < 5.2);
    }
}

TEST_CASE("dynamic temperature is cooler for a sure row") {
    Fixture f(50);
    std::vector<float> row(50, 0);
    row[0] = 4;
    Params cold(f.mem), plain(f.mem);
    cold.temperature = plain.temperature = 1;
    cold.dynatemp_range = 0.9f;
    row[0] = 8;
    CHECK(f.frequencies(row, cold, 4000)[0] > f.frequencies(row, plain, 4000)[0]);
}

TEST_CASE("the order of stages is the caller's") {
    Fixture f(3);
    std::vector<float> row = {std::log(0.6f), std::log(0.3f), std::log(0.1f)};
    Params p(f.mem);
    p.temperature = 3;
    p.top_p = 0.85f;
    CHECK(support(f.frequencies(row, p, 500)) == std::set<int32_t>{0, 1});  // truncated at temperature 1
    p.order = {Stage::temperature, Stage::top_p};
    CHECK(support(f.frequencies(row, p, 500)) == std::set<int32_t>{0, 1, 2});
    p.order = {Stage::temperature};
    p.top_k = 1;
    CHECK(support(f.frequencies(row, p, 500)) == std::set<int32_t>{0, 1, 2});
}

TEST_CASE("a draw depends on nothing but its arguments") {
    Fixture f(4096), g(4096);
    Params p(f.mem);
    p.seed = 77;
    p.top_p = 0.9f;
    p.repetition_penalty = 1.2f;
    p.dry_multiplier = 0.8f;
    std::vector<int32_t> hist = {5, 6, 7, 5, 6, 7, 5, 6};
    std::vector<float> a = noise(4096, 4, 9), b = noise(4096, 5, 9);
    std::vector<int32_t> first, second;
    for (uint64_t i = 0; i < 200; ++i) {
        first.push_back(f.one(a, p, i, hist, 3).token);
        f.one(b, p, i * 7, {1, 2, 3}, 1);  // another request in between
    }
    for (uint64_t i = 200; i-- > 0;) second.insert(second.begin(), g.one(a, p, i, hist, 3).token);
    CHECK(first == second);
    p.seed = 78;
    std::vector<int32_t> other;
    for (uint64_t i = 0; i < 200; ++i) other.push_back(f.one(a, p, i, hist, 3).token);
    CHECK(other != first);
}

TEST_CASE("a draw allocates nothing once the workspace stands") {
    Fixture f(32000);
    std::vector<float> row = noise(32000, 6, 9);
    Params p(f.mem);
    p.top_k = 40;
    p.top_p = 0.95f;
    p.min_p = 0.05f;
    p.repetition_penalty = 1.1f;
    uint64_t before = f.mem.allocations();
    for (uint64_t i = 0; i < 50; ++i) f.one(row, p, i, {1, 2, 3}, 1);
    p.top_k = 0;
    p.min_p = 0;
    for (uint64_t i = 0; i < 50; ++i) f.one(row, p, i, {1, 2, 3}, 1);
    CHECK(f.mem.allocations() == before);
}

TEST_CASE("every tier draws the same tokens") {
    Memory mem;
    kernels::KernelTable best = kernels::build_table(cpu::detect_tiers());
    Workspace a(mem, 5000), b(mem, 5000, &best);
    int differ = 0;
    for (int kind = 0; kind < 6; ++kind) {
        Params p(mem);
        p.seed = 3;
        if (kind == 1) p.top_p = 0.9f;
        if (kind == 2) p.typical_p = 0.8f;
        if (kind == 3) p.mirostat = 2;
        if (kind == 4) p.min_p = 0.1f, p.xtc_probability = 0.5f, p.temperature = 1.7f;
        if (kind == 5) p.top_k = 50, p.top_p = 0.8f, p.dynatemp_range = 0.5f;
        for (uint64_t i = 0; i < 200; ++i) {
            std::vector<float> row = noise(5000, i + 50, 12);
            differ += draw(row, p, {}, {}, {}, i, a).token != draw(row, p, {}, {}, {}, i, b).token;
            double x = log_sum(scalar(), row), y = log_sum(best, row);
            differ += x != y;
        }
    }
    CHECK(differ == 0);
}

TEST_CASE("logprobs come from the raw row") {
    Memory mem;
    std::vector<float> row = noise(5000, 7, 8);
    auto prob = softmax(row);
    double ls = log_sum(scalar(), row);
    for (size_t i = 0; i < row.size(); i += 97) CHECK(std::fabs((row[i] - ls) - std::log(prob[i])) < 1e-6);
    std::vector<Candidate> scratch(row.size());
    Vector<LogProb> top{Alloc<LogProb>(mem)};
    top_logprobs(scalar(), row, ls, 5, scratch.data(), top);
    REQUIRE(top.size() == 5);
    CHECK(top[0].id == std::max_element(row.begin(), row.end()) - row.begin());
    for (int i = 0; i < 4; ++i) CHECK(top[static_cast<size_t>(i)].logprob >= top[static_cast<size_t>(i) + 1].logprob);
    row[3] = NAN;
    CHECK(std::isnan(log_sum(scalar(), row)));
}

TEST_CASE("select_best equals a full sort, heap and gather alike") {
    std::vector<float> row(2000);
    for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(philox(1, 2, i).w[0] % 50);  // many ties
    std::vector<Candidate> got, all;
    for (size_t i = 0; i < row.size(); ++i) all.push_back({row[i], static_cast<int32_t>(i)});
    std::sort(all.begin(), all.end(), better);
    for (int64_t k : {1, 2, 40, 124, 126, 1999, 2000, 5000}) {
        got.resize(row.size());
        got.resize(select_best(scalar(), row, k, got.data()));
        REQUIRE(got.size() == std::min<size_t>(2000, static_cast<size_t>(k)));
        for (size_t i = 0; i < got.size(); ++i) REQUIRE(got[i].id == all[i].id);
    }
}

TEST_CASE("params out of range are refused by name") {
    Memory mem;
    auto refused = [&](auto &&set) {
        Params p(mem);
        set(p);
        return refusal(p);
    };
    CHECK(refused([](Params &) {}) == "");
    CHECK(refused([](Params &p) { p.temperature = NAN; }).find("temperature is ") == 0);
    CHECK(refused([](Params &p) { p.temperature = -1; }) == "temperature is -1, range 0 to 100");
    CHECK(refused([](Params &p) { p.temperature = 1e-45f; }) != "");
    CHECK(refused([](Params &p) { p.temperature = 1e38f; }) != "");
    CHECK(refused([](Params &p) { p.temperature = 0; }) == "");
    CHECK(refused([](Params &p) { p.temperature = 100; }) == "");
    CHECK(refused([](Params &p) { p.top_p = 0; }) != "");
    CHECK(refused([](Params &p) { p.top_p = 1.0001f; }) != "");
    CHECK(refused([](Params &p) { p.top_k = -1; }) == "");
    CHECK(refused([](Params &p) { p.top_k = -2; }).find("top_k is -2") == 0);
    CHECK(refused([](Params &p) { p.presence_penalty = 2.1f; }) != "");
    CHECK(refused([](Params &p) { p.frequency_penalty = 1e-45f; }) != "");
    CHECK(refused([](Params &p) { p.repetition_penalty = 0; }) != "");
    CHECK(refused([](Params &p) { p.logprobs = 21; }) != "");
    CHECK(refused([](Params &p) { p.logit_bias.push_back({100, 1}); }).find("logit_bias holds token 100") == 0);
    CHECK(refused([](Params &p) { p.logit_bias.push_back({1, kInf}); }) != "");
    CHECK(refused([](Params &p) { p.banned.push_back(-1); }) != "");
    CHECK(refused([](Params &p) { p.order = {Stage::top_k, Stage::top_k}; }) == "samplers: top_k is named twice");
    CHECK(refused([](Params &p) { p.logit_bias.resize(1025, Bias{1, 1}); }).find("logit_bias has 1025 entries, limit 1024") == 0);
}
