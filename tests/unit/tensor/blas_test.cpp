// SPDX-License-Identifier: Apache-2.0
// OpenBLAS, in a build that has it: the products of our own kernels within float's error, at any cut; else refused by name.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/table.h"
#include "tensor/matmul_blas.h"
#include "unit/tensor/weights.h"

using namespace inlay;
using namespace inlay::tensor;

TEST_CASE("blas: as our own f32 products, or refused") {
    try {
        need_blas();
    } catch (const Error &e) {
        CHECK(e.code() == Code::unsupported);
        CHECK(e.text().find("openblas") != std::string_view::npos);
        CHECK(!blas_takes(DType::f32, 512));
        MESSAGE("SKIP a build without OpenBLAS");
        return;
    }
    CHECK(!blas_takes(DType::f32, 1));
    CHECK(!blas_takes(DType::q8_0, 512));
    CHECK(!blas_takes(DType::f16, 512));
    const auto table = kernels::build_table(cpu::detect_tiers());
    test::Random r(3);
    struct Size {
        int64_t rows, cols, tokens;
    };
    for (auto [rows, cols, tokens] : {Size{300, 900, 33}, Size{16, 32, 40}, Size{5, 700, 64}, Size{528, 257, 32}}) {
        REQUIRE(blas_takes(DType::f32, tokens));
        Memory mem;
        Buffer scratch(mem, kMatmulScratch, 64, MemTag::scratch);
        auto file = test::random_weights(DType::f32, rows, cols, r);
        PackedMatrix w = make_packed(mem, DType::f32, rows, cols);
        pack_rows(w, 0, rows, file.data());
        const int64_t ldy = rows + 3;
        std::vector<float> x(static_cast<size_t>((tokens + 2) * cols)), add(static_cast<size_t>(tokens * ldy)), want(add.size(), 7), got(add.size(), 7);
        for (float &f : x) f = r.uniform(-2, 2);
        for (float &f : add) f = r.uniform(-2, 2);
        Activations a(mem, act_kind(DType::f32), tokens + 2, cols);
        quantize_rows(table, x.data(), cols, 0, tokens + 2, a);
        for (int how = 0; how < 3; ++how) {  // no addend, one elsewhere, one that is y
            std::fill(got.begin(), got.end(), std::nanf(""));
            std::fill(want.begin(), want.end(), 7.0f);
            if (how == 2) got = want = add;
            const float *plus[2] = {nullptr, nullptr};
            if (how) plus[0] = how == 1 ? add.data() : want.data(), plus[1] = how == 1 ? add.data() : got.data();
            matmul_panels(table, w, a, 2, tokens, 0, w.n_panels(), want.data(), ldy, scratch.data(), plus[0], ldy);
            const int64_t cut = w.n_panels() / 2;  // two slices, as workers have
            blas_matmul_panels(w, a, 2, tokens, 0, cut, got.data(), ldy, scratch.data(), plus[1], ldy);
            blas_matmul_panels(w, a, 2, tokens, cut, w.n_panels(), got.data() + 16 * cut, ldy, scratch.data(),
                               plus[1] ? plus[1] + 16 * cut : nullptr, ldy);
            double worst = 0;
            for (int64_t t = 0; t < tokens; ++t)
                for (int64_t i = 0; i < rows; ++i) {
                    const auto at = static_cast<size_t>(t * ldy + i);
                    const double off = std::fabs(static_cast<double>(got[at]) - static_cast<double>(want[at]));
                    worst = std::isnan(off) ? 1e9 : std::max(worst, off);
                }
            CHECK(worst < 1e-3);  // sums of up to 900 products of about 2
        }
    }
}
