// SPDX-License-Identifier: Apache-2.0
// The row-wise kernels against double precision: the errors stated in docs/numerics.md hold.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "cpu/tier.h"
#include "kernels/table.h"

using namespace inlay;

namespace {

const kernels::KernelTable &table() {
    static const kernels::KernelTable t = kernels::build_table(cpu::detect_tiers());
    return t;
}

// Every `step`-th float of both signs, by bit pattern.
std::vector<float> floats(uint32_t step) {
    std::vector<float> x;
    for (uint64_t b = 0; b < 0x7f800000u; b += step) {
        float f;
        const uint32_t bits = static_cast<uint32_t>(b);
        std::memcpy(&f, &bits, 4);
        x.push_back(f), x.push_back(-f);
    }
    return x;
}

// Greatest error in units of the last place of the true value's float.
template <class F>
double worst_ulp(kernels::MapFn *fn, F &&truth, float least) {
    std::vector<float> x = floats(1009), y(x.size());
    fn(x.data(), y.data(), static_cast<int64_t>(x.size()));
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        const double t = truth(static_cast<double>(x[i]));
        if (!(std::fabs(t) >= static_cast<double>(least)) || std::fabs(t) > 3.4e38) continue;
        int e;
        std::frexp(t, &e);
        worst = std::max(worst, std::fabs(static_cast<double>(y[i]) - t) / std::ldexp(1.0, e - 24));
    }
    return worst;
}

}  // namespace

TEST_CASE("exp, tanh and erf stay within their stated errors") {
    CHECK(worst_ulp(
              table().map_exp, [](double x) { return std::exp(x); }, 0x1p-125f) < 1.02);
    CHECK(worst_ulp(
              table().map_tanh, [](double x) { return std::tanh(x); }, 0x1p-126f) < 1.5);
    CHECK(worst_ulp(
              table().map_erf, [](double x) { return std::erf(x); }, 0x1p-126f) < 1.5);
}

TEST_CASE("exp at its edges") {
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const float x[] = {0.0f, -0.0f, -inf, inf, 88.72283f, 88.72284f, -86.9f, -87.0f, -1000.0f, 1000.0f, nan};
    float y[11];
    table().map_exp(x, y, 11);
    CHECK(y[0] == 1.0f);
    CHECK(y[1] == 1.0f);
    CHECK(y[2] == 0.0f);
    CHECK(y[3] == inf);
    CHECK(y[4] < inf);
    CHECK(y[4] > 3.4e38f);
    CHECK(y[5] == inf);
    CHECK(y[6] > 0.0f);
    CHECK(y[7] == 0.0f);
    CHECK(y[8] == 0.0f);
    CHECK(y[9] == inf);
    CHECK(y[10] != y[10]);
    float t[] = {-0.0f, 0.0f, inf, -inf, nan, 20.0f}, r[6];
    table().map_tanh(t, r, 6);
    CHECK(r[2] == 1.0f);
    CHECK(r[3] == -1.0f);
    CHECK(r[4] != r[4]);
    CHECK(r[5] == 1.0f);
    table().map_erf(t, r, 6);
    CHECK(r[2] == 1.0f);
    CHECK(r[3] == -1.0f);
    CHECK(r[4] != r[4]);
}

TEST_CASE("norms and activations are close to double") {
    const int64_t n = 1536;
    std::vector<float> x(n), w(n), b(n), y(n);
    for (int64_t i = 0; i < n; ++i) {
        x[static_cast<size_t>(i)] = std::sin(static_cast<float>(i) * 0.7f) * 3 + 0.5f;
        w[static_cast<size_t>(i)] = std::cos(static_cast<float>(i));
        b[static_cast<size_t>(i)] = 0.01f * static_cast<float>(i % 13);
    }
    double sum = 0, square = 0, centred = 0;
    for (float f : x) sum += static_cast<double>(f), square += static_cast<double>(f) * static_cast<double>(f);
    for (float f : x) centred += (static_cast<double>(f) - sum / n) * (static_cast<double>(f) - sum / n);
    kernels::NormArgs a{x.data(), w.data(), nullptr, nullptr, y.data(), n, 0, n, 1, n, 1e-5f};
    table().rms_norm(&a);
    for (size_t i = 0; i < n; ++i)
        REQUIRE(std::fabs(static_cast<double>(y[i]) -
                          static_cast<double>(x[i]) * static_cast<double>(w[i]) / std::sqrt(square / n + 1e-5)) < 1e-6);
    a.b = b.data();
    table().layer_norm(&a);
    for (size_t i = 0; i < n; ++i)
        REQUIRE(std::fabs(static_cast<double>(y[i]) -
                          ((static_cast<double>(x[i]) - sum / n) / std::sqrt(centred / n + 1e-5) * static_cast<double>(w[i]) +
                           static_cast<double>(b[i]))) < 2e-6);
    auto act = [&](kernels::ActFn *fn, auto truth) {
        kernels::ActArgs args{x.data(), w.data(), y.data(), n, n, n, 1, n};
        fn(&args);
        double worst = 0;
        for (size_t i = 0; i < n; ++i)
            worst = std::max(worst, std::fabs(static_cast<double>(y[i]) - truth(static_cast<double>(x[i])) * static_cast<double>(w[i])));
        return worst;
    };
    CHECK(act(table().act_silu, [](double g) { return g / (1 + std::exp(-g)); }) < 5e-7);
    CHECK(act(table().act_gelu_tanh, [](double g) { return 0.5 * g * (1 + std::tanh(0.7978845608028654 * (g + 0.044715 * g * g * g))); }) <
          5e-7);
    CHECK(act(table().act_gelu_erf, [](double g) { return 0.5 * g * (1 + std::erf(g / std::sqrt(2.0))); }) < 5e-7);
    CHECK(act(table().act_relu, [](double g) { return g > 0 ? g : 0; }) < 5e-7);
    CHECK(act(table().act_quick_gelu, [](double g) { return g / (1 + std::exp(-1.702 * g)); }) < 5e-7);
}

TEST_CASE("log-softmax over a large vocabulary is good to 1e-6") {
    std::vector<float> x(262'144);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 2654435761u) % 20011) * 1e-3f - 10.0f;
    double sum = 0;
    for (float f : x) sum += std::exp(static_cast<double>(f));
    const kernels::ExpSum e = table().exp_sum(x.data(), static_cast<int64_t>(x.size()));
    CHECK(std::fabs(static_cast<double>(e.max) + std::log(e.sum) - std::log(sum)) < 1e-7);
}

TEST_CASE("a block's top and its sum of powers are as near as promised") {
    double worst = 0;
    int32_t wrong = 0;
    for (float scale : {0.1f, 1.0f, 1.442695f, 30.0f})
        for (size_t n : {1, 17, 256, 700}) {
            std::vector<float> x(n), top(3), sum(3);
            for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>((i * 2654435761u + n) % 20011) * 1e-3f - 10.0f;
            if (n == 700) std::fill(x.begin() + 256, x.begin() + 512, -INFINITY);
            const kernels::Extremes e = table().block_tops(x.data(), static_cast<int64_t>(n), scale, top.data(), sum.data());
            wrong += e.broken || e.max != *std::max_element(x.begin(), x.end());
            for (size_t b = 0; b * 256 < n; ++b) {
                const auto first = x.begin() + static_cast<long>(b * 256), end = x.begin() + static_cast<long>(std::min(n, b * 256 + 256));
                const float m = *std::max_element(first, end);
                wrong += top[b] != m;
                if (m == -INFINITY) continue;
                double want = 0;
                for (auto i = first; i != end; ++i) want += std::exp2((static_cast<double>(*i) - static_cast<double>(m)) * static_cast<double>(scale));
                worst = std::max(worst, std::fabs(static_cast<double>(sum[b]) / want - 1));
            }
            x[n / 2] = NAN;
            wrong += !table().block_tops(x.data(), static_cast<int64_t>(n), 0, top.data(), nullptr).broken;
        }
    CHECK(wrong == 0);
    CHECK(worst < 2e-4);
}
