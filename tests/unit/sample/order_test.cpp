// SPDX-License-Identifier: Apache-2.0
// Random orders of stages against a chain that knows nothing of the library's: every stage a loop over a sorted list, in
// double with libm. Where rounding could decide either way (a boundary, a tie that is none in f32) the case is left out.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "cpu/tier.h"
#include "kernels/table.h"
#include "sample/chain.h"

using namespace inlay;
using namespace inlay::sample;

namespace {

struct Token {
    double logit;  // temperature carried out, not relative to anything
    int32_t id;
};

// The slow chain. `sure` falls where f32 and f64 might part.
struct Slow {
    const Params &p;
    const std::vector<int32_t> &history;
    int64_t n_prompt;
    std::vector<Token> list;
    bool whole = true, sure = true;

    static bool better(const Token &a, const Token &b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }
    void near(double a, double b, double tolerance) { sure &= a == b || std::fabs(a - b) > tolerance; }
    double best() const { return std::max_element(list.begin(), list.end(), [](auto &a, auto &b) { return a.logit < b.logit; })->logit; }
    double mass() const {
        double m = best(), s = 0;
        for (const Token &t : list) s += std::exp(t.logit - m);
        return s;
    }
    double entropy() const {
        double m = best(), s = mass(), h = 0;
        for (const Token &t : list) {
            double q = std::exp(t.logit - m) / s;
            if (q > 0) h -= q * std::log(q);
        }
        return h;
    }
    void sort() {
        std::sort(list.begin(), list.end(), better);
        for (size_t i = 1; i < list.size(); ++i) near(list[i - 1].logit, list[i].logit, 1e-4);
    }
    void keep_from(double bound) {
        double m = best();
        for (const Token &t : list) near(t.logit, bound, 1e-4);
        std::erase_if(list, [&](const Token &t) { return t.logit < bound && t.logit < m; });
        whole = false;
    }
    std::vector<int32_t> window(int32_t n, int64_t from = 0) const {
        int64_t all = static_cast<int64_t>(history.size());
        return {history.begin() + std::max<int64_t>(from, n < 0 ? 0 : all - n), history.end()};
    }
    void penalties() {
        std::vector<int32_t> seen = window(p.penalty_last_n), mine = window(p.penalty_last_n, p.penalize_prompt ? 0 : n_prompt);
        for (Token &t : list) {
            if (std::count(seen.begin(), seen.end(), t.id)) {
                near(t.logit, 0, 1e-5);
                double r = static_cast<double>(p.repetition_penalty);
                t.logit = t.logit > 0 ? t.logit / r : t.logit * r;
            }
            if (auto n = std::count(mine.begin(), mine.end(), t.id))
                t.logit -= static_cast<double>(n) * static_cast<double>(p.frequency_penalty) + static_cast<double>(p.presence_penalty);
        }
    }
    void dry() {  // by trying every earlier place and every length
        if (p.dry_multiplier == 0) return;
        std::vector<int32_t> w = window(p.dry_last_n);
        size_t n = w.size();
        for (Token &t : list) {
            if (std::count(p.dry_breakers.begin(), p.dry_breakers.end(), t.id)) continue;
            size_t longest = 0;
            for (size_t end = 0; end < n; ++end) {  // w[end] == t: how much before it equals the tail
                if (w[end] != t.id) continue;
                size_t l = 0;
                while (l < end && w[end - 1 - l] == w[n - 1 - l] && !std::count(p.dry_breakers.begin(), p.dry_breakers.end(), w[n - 1 - l])) ++l;
                longest = std::max(longest, l);
            }
            if (longest >= static_cast<size_t>(p.dry_allowed_length))
                t.logit -= static_cast<double>(p.dry_multiplier) *
                           std::pow(static_cast<double>(p.dry_base), static_cast<double>(longest) - static_cast<double>(p.dry_allowed_length));
        }
    }
    void cut(size_t n) { list.resize(std::min(n, list.size())), whole = false; }
    void top_p() {
        bool by_id = whole;
        sort();
        double s = mass(), m = best(), have = 0;
        size_t n = 0;
        while (n < list.size() && have < static_cast<double>(p.top_p) * s) {
            have += std::exp(list[n++].logit - m);
            near(have, static_cast<double>(p.top_p) * s, 1e-5 * s);
        }
        cut(n);
        if (by_id) std::sort(list.begin(), list.end(), [](auto &a, auto &b) { return a.id < b.id; });
    }
    void typical() {
        double h = entropy(), s = mass(), m = best(), have = 0;
        auto distance = [&](const Token &t) { return std::fabs(std::log(s) - (t.logit - m) - h); };
        std::erase_if(list, [&](const Token &t) { return t.logit < m - 88; });
        std::sort(list.begin(), list.end(), [&](auto &a, auto &b) {
            return a.logit == b.logit ? a.id < b.id : distance(a) < distance(b);
        });
        for (size_t i = 1; i < list.size(); ++i)
            if (list[i].logit != list[i - 1].logit) sure &= distance(list[i]) - distance(list[i - 1]) > 1e-4;
        size_t n = 0;
        while (n < list.size() && have < static_cast<double>(p.typical_p) * s) {
            have += std::exp(list[n++].logit - m);
            near(have, static_cast<double>(p.typical_p) * s, 1e-5 * s);
        }
        cut(n);
    }
    void xtc(double chance) {
        if (!(chance < static_cast<double>(p.xtc_probability))) return;
        double bound = best() + std::log(mass() * static_cast<double>(p.xtc_threshold));
        const Token *least = nullptr;
        int above = 0;
        for (const Token &t : list) {
            near(t.logit, bound, 1e-4);
            if (t.logit < bound) continue;
            ++above;
            if (!least || better(*least, t)) least = &t;
        }
        whole = false;
        if (above < 2) return;
        int32_t stays = least->id;
        std::erase_if(list, [&](const Token &t) { return t.logit >= bound && t.id != stays; });
    }
    void temperature(size_t n_vocab) {
        double t = static_cast<double>(p.temperature), n = static_cast<double>(whole ? n_vocab : list.size());
        if (p.dynatemp_range > 0 && n > 1) {
            double range = static_cast<double>(p.dynatemp_range), lo = std::max(0.001, t - range);
            t = lo + (t + range - lo) * std::pow(entropy() / std::log(n), static_cast<double>(p.dynatemp_exponent));
            whole = false;
        }
        for (Token &x : list) x.logit /= t;
    }
    void stage(Stage s, double chance, size_t n_vocab) {
        bool cuts = p.mirostat == 0;
        if (s == Stage::penalties) return penalties();
        if (s == Stage::dry) return dry();
        if (s == Stage::temperature) return temperature(n_vocab);
        if (!cuts) return;
        if (s == Stage::top_n_sigma && p.top_n_sigma > 0) {
            double mean = 0, squares = 0, n = static_cast<double>(list.size());
            for (const Token &t : list) mean += t.logit / n;
            for (const Token &t : list) squares += (t.logit - mean) * (t.logit - mean) / n;
            keep_from(best() - static_cast<double>(p.top_n_sigma) * std::sqrt(squares));
        }
        if (s == Stage::top_k && p.top_k > 0 && static_cast<size_t>(p.top_k) < (whole ? n_vocab : list.size())) sort(), cut(static_cast<size_t>(p.top_k));
        if (s == Stage::top_p && p.top_p < 1) top_p();
        if (s == Stage::typical && p.typical_p < 1) typical();
        if (s == Stage::min_p && p.min_p > 0) keep_from(best() + std::log(static_cast<double>(p.min_p)));
        if (s == Stage::epsilon && p.epsilon_cutoff > 0) keep_from(best() + std::log(mass() * static_cast<double>(p.epsilon_cutoff)));
        if (s == Stage::eta && p.eta_cutoff > 0) {
            double e = static_cast<double>(p.eta_cutoff);
            keep_from(best() + std::log(mass() * std::min(e, std::sqrt(e) * std::exp(-entropy()))));
        }
        if (s == Stage::xtc && p.xtc_probability > 0) xtc(chance);
    }
    int32_t draw(uint64_t position, size_t n_vocab) {
        PhiloxBlock random = philox(p.seed, 0, position);
        for (Stage s : p.order) stage(s, static_cast<double>(uniform_float(random.w[2])), n_vocab);
        if (p.mirostat == 2) keep_from(best() + std::log(mass()) - 2 * static_cast<double>(p.mirostat_tau) * std::log(2.0));
        double total = mass(), m = best(), target = uniform_double(random.w[0], random.w[1]) * total, at = 0;
        for (const Token &t : list) {
            at += std::exp(t.logit - m);
            near(at, target, 1e-5 * total);
            if (at > target) return t.id;
        }
        sure = false;
        return -1;
    }
};

Stage all_stages[kStages] = {Stage::penalties, Stage::dry, Stage::top_n_sigma, Stage::top_k,       Stage::typical, Stage::top_p,
                             Stage::min_p,     Stage::xtc, Stage::temperature, Stage::epsilon, Stage::eta};

// What a model's head says of its rows.
std::vector<float> tops_of(const std::vector<float> &row) {
    std::vector<float> out((row.size() + kBlock - 1) / kBlock, -std::numeric_limits<float>::infinity());
    for (size_t i = 0; i < row.size(); ++i) {
        float &top = out[i / kBlock];
        if (std::isnan(row[i]) || row[i] == std::numeric_limits<float>::infinity())
            top = std::numeric_limits<float>::infinity();
        else
            top = std::max(top, row[i]);
    }
    return out;
}

}  // namespace

TEST_CASE("a request's own order of samplers: random orders against a sorting chain in double") {
    Memory mem;
    constexpr size_t n = 400;
    kernels::KernelTable best = kernels::build_table(cpu::detect_tiers());
    Workspace w(mem, n, &best);
    int compared = 0, differ = 0;
    std::set<std::vector<Stage>> orders;
    for (uint64_t i = 0; i < 4000; ++i) {
        uint64_t at = 0;
        auto roll = [&](uint64_t sides) { return philox(i, 77, at++).w[0] % sides; };
        auto maybe = [&](float neutral, float lo, float hi) {
            return roll(3) == 0 ? lo + (hi - lo) * static_cast<float>(roll(1000)) / 1000 : neutral;
        };
        std::vector<float> row(n);
        // Multiples of 1/64, so that what is equal is equal in both chains and what is not is far apart.
        for (float &v : row) v = static_cast<float>(roll(1024)) / 64 - (roll(4) ? 10.0f : 2.0f);
        std::vector<int32_t> history;
        for (uint64_t k = roll(60); k > 0; --k) history.push_back(static_cast<int32_t>(roll(roll(2) ? 4 : n)));
        Params p(mem);
        p.seed = i;
        p.temperature = maybe(1, 0.3f, 2);
        p.dynatemp_range = maybe(0, 0.1f, 0.6f);
        p.top_k = roll(3) ? 0 : static_cast<int32_t>(1 + roll(80));
        p.top_p = maybe(1, 0.2f, 0.99f);
        p.min_p = maybe(0, 0.001f, 0.2f);
        p.typical_p = maybe(1, 0.2f, 0.95f);
        p.top_n_sigma = maybe(-1, 0.5f, 3);
        p.epsilon_cutoff = maybe(0, 0.0005f, 0.02f);
        p.eta_cutoff = maybe(0, 0.0005f, 0.02f);
        p.xtc_probability = maybe(0, 0.3f, 1);
        p.xtc_threshold = 0.01f + 0.01f * static_cast<float>(roll(20));
        p.repetition_penalty = maybe(1, 0.7f, 1.8f);
        p.presence_penalty = maybe(0, -1, 2);
        p.frequency_penalty = maybe(0, -0.5f, 0.7f);
        p.penalty_last_n = roll(4) ? -1 : 8;
        p.penalize_prompt = roll(2);
        p.dry_multiplier = maybe(0, 0.2f, 1);
        p.mirostat = roll(8) ? 0 : 2;
        for (Stage s : all_stages)
            if (roll(5)) p.order.push_back(s);
        for (size_t k = p.order.size(); k > 1; --k) std::swap(p.order[k - 1], p.order[roll(k)]);
        if (p.order.empty()) continue;
        validate(p, n, Limits{});
        Slow slow{p, history, static_cast<int64_t>(history.size() / 2), {}};
        for (size_t k = 0; k < n; ++k) slow.list.push_back({static_cast<double>(row[k]), static_cast<int32_t>(k)});
        int32_t want = slow.draw(i, n);
        if (!slow.sure) continue;
        Pick got = draw(row, p, {history, slow.n_prompt}, {}, {}, i, w, i % 2 ? tops_of(row) : std::vector<float>());
        ++compared;
        orders.insert({p.order.begin(), p.order.end()});
        if (got.token != want && ++differ == 1) {
            std::string names;
            for (Stage s : p.order) names += std::string(stage_name(s)) + " ";
            MESSAGE("case ", i, ": ", names, "gives ", got.token, ", want ", want);
        }
    }
    MESSAGE(compared, " draws in ", orders.size(), " orders");
    CHECK(compared > 2000);
    CHECK(differ == 0);
}

TEST_CASE("a draw from a row whose blocks' tops are known is the one without") {
    Memory mem;
    const size_t n = 3000;
    Workspace w(mem, static_cast<int32_t>(n));
    int differ = 0, numeric = 0, dead = 0;
    for (uint64_t i = 0; i < 600; ++i) {
        std::vector<float> row(n);
        for (size_t k = 0; k < n; ++k) row[k] = std::floor(40 * uniform_float(philox(i, 5, k).w[0])) / 4;  // many equals
        if (i % 10 == 3) row[i * 4 % n] = std::nanf("");
        if (i % 10 == 6) row[i * 4 % n] = std::numeric_limits<float>::infinity();
        if (i % 10 == 9) std::fill(row.begin(), row.end(), -std::numeric_limits<float>::infinity());
        Params p(mem);
        p.seed = i;
        p.temperature = i % 3 ? 0.8f : 0;
        p.top_k = i % 4 == 1 ? 0 : 30;
        p.top_p = i % 5 ? 0.9f : 1;
        p.repetition_penalty = i % 7 ? 1 : 1.5f;
        if (i % 11 == 0) p.banned.push_back(static_cast<int32_t>(i * 4 % n));
        if (i % 13 == 0) p.logit_bias.push_back({5, 3.0f});
        const std::vector<int32_t> history = {1, 2, 3};
        const Pick a = draw(row, p, {history, 1}, {}, {}, i, w), b = draw(row, p, {history, 1}, {}, {}, i, w, tops_of(row));
        differ += a.token != b.token || a.outcome != b.outcome;
        numeric += b.outcome == Outcome::numeric;
        dead += b.outcome == Outcome::dead_end;
    }
    CHECK(differ == 0);
    CHECK(numeric == 120);
    CHECK(dead == 60);
}

TEST_CASE("the default order written out draws as no order does; a stage left out is off") {
    Memory mem;
    Workspace w(mem, 500);
    int differ = 0, unlike = 0;
    for (uint64_t i = 0; i < 300; ++i) {
        std::vector<float> row(500);
        for (size_t k = 0; k < row.size(); ++k) row[k] = 12 * uniform_float(philox(i, 3, k).w[0]);
        std::vector<int32_t> history = {1, 2, 3, 1, 2};
        Params p(mem);
        p.seed = i;
        p.temperature = i % 5 ? 0.7f : 0;
        p.top_k = static_cast<int32_t>(i % 40);
        p.top_p = 0.9f;
        p.repetition_penalty = 1.5f;
        p.dry_multiplier = 0.8f;
        int32_t plain = draw(row, p, {history, 2}, {}, {}, i, w).token;
        p.order.assign(default_order(), default_order() + kStages);
        differ += draw(row, p, {history, 2}, {}, {}, i, w).token != plain;
        p.order = {Stage::penalties};  // no temperature: never greedy, whatever the field says
        Params only(mem);
        only.seed = i;
        only.repetition_penalty = 1.5f;
        differ += draw(row, p, {history, 2}, {}, {}, i, w).token != draw(row, only, {history, 2}, {}, {}, i, w).token;
        unlike += draw(row, p, {history, 2}, {}, {}, i, w).token != plain;
    }
    CHECK(differ == 0);
    CHECK(unlike > 200);
    Params p(mem);
    p.temperature = 0;
    p.repetition_penalty = 10;
    std::vector<float> row(500, 0.0f);
    row[7] = 5, row[8] = 4;
    std::vector<int32_t> history = {7};
    CHECK(draw(row, p, {history, 1}, {}, {}, 1, w).token == 8);
    p.order = {Stage::top_k, Stage::temperature};
    CHECK(draw(row, p, {history, 1}, {}, {}, 1, w).token == 7);
}

TEST_CASE("samplers have one name each") {
    for (Stage s : all_stages) CHECK(stage_of(stage_name(s)) == s);
    try {
        stage_of("top_q");
        CHECK(false);
    } catch (const Error &e) {
        std::string text(e.text());
        CHECK(text.find("top_q") != std::string::npos);
        for (Stage s : all_stages) CHECK(text.find(stage_name(s)) != std::string::npos);
    }
}
