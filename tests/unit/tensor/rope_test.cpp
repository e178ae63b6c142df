// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels/table.h"
#include "tensor/rope.h"
#include "tensor/scalar_math.h"

using namespace inlay::tensor;

namespace {

double relative(double got, long double want) {
    return static_cast<double>(std::fabs(static_cast<long double>(got) - want) / std::fabs(want));
}

}  // namespace

TEST_CASE("log, exp, pow, sin and cos in double") {
    double log_worst = 0, exp_worst = 0, pow_worst = 0, trig_worst = 0;
    for (int i = 1; i < 20'000; ++i) {
        const double x = std::exp2(static_cast<double>(i) * 0.02 - 200.0) * (1.0 + 0.37 * std::sin(i));
        if (std::fabs(std::log(x)) > 1e-3) log_worst = std::max(log_worst, relative(det_log(x), std::log(static_cast<long double>(x))));
        const double e = static_cast<double>(i) * 0.07 - 700.0;
        exp_worst = std::max(exp_worst, relative(det_exp(e), std::exp(static_cast<long double>(e))));
        const double p = -2.0 * (i % 128) / 128.0, base = 10'000.0 + i * 700.0;
        pow_worst = std::max(pow_worst, relative(det_pow(base, p), std::pow(static_cast<long double>(base), static_cast<long double>(p))));
        const double a = static_cast<double>(i) * 52.4288 + 1e-3;  // up to 2^20
        double s, c;
        det_sincos(a, &s, &c);
        trig_worst = std::max(trig_worst, static_cast<double>(std::fabs(static_cast<long double>(s) - std::sin(static_cast<long double>(a)))));
        trig_worst = std::max(trig_worst, static_cast<double>(std::fabs(static_cast<long double>(c) - std::cos(static_cast<long double>(a)))));
    }
    CHECK(log_worst < 4e-16);
    CHECK(exp_worst < 4e-16);
    CHECK(pow_worst < 8e-15);
    CHECK(trig_worst < 4e-16);
    double s, c;
    det_sincos(-1e8, &s, &c);
    CHECK(s == doctest::Approx(std::sin(-1e8)).epsilon(1e-12));
    CHECK(c == doctest::Approx(std::cos(-1e8)).epsilon(1e-12));
    CHECK(det_log(1.0) == 0.0);
    CHECK(det_exp(0.0) == 1.0);
    CHECK(det_pow(10'000.0, 0.0) == 1.0);
    CHECK(det_log(0.0) == -std::numeric_limits<double>::infinity());
    CHECK(std::isnan(det_log(-1.0)));
    CHECK(det_exp(-1e9) == 0.0);
    CHECK(std::isinf(det_exp(1e9)));
}

TEST_CASE("a rope table is cos and sin to the last bit of f32, or next to it") {
    double freqs[64];
    rope_frequencies(1e6, 128, freqs);
    const inlay::kernels::KernelTable table = inlay::kernels::build_table({});
    for (int64_t pos : {0, 1, 17, 4095, 131'071}) {
        float c[64], s[64];
        table.rope_table(freqs, 64, static_cast<double>(pos), 1.25, c, s);
        for (int i = 0; i < 64; ++i) {
            const long double angle = static_cast<long double>(pos) * std::pow(1e6L, -2.0L * i / 128);
            CHECK(static_cast<double>(c[i]) == doctest::Approx(static_cast<double>(1.25L * std::cos(angle))).epsilon(1e-7));
            CHECK(static_cast<double>(s[i]) == doctest::Approx(static_cast<double>(1.25L * std::sin(angle))).epsilon(1e-7));
        }
        if (pos == 0) CHECK((c[5] == 1.25f && s[5] == 0.0f));
    }
}
