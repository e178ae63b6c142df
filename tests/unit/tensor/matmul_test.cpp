// SPDX-License-Identifier: Apache-2.0
// The product against double arithmetic over the dequantised weights, and its independence of how the work is cut.
#include "tensor/matmul.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/tier.h"
#include "kernels/table.h"
#include "unit/tensor/weights.h"

using namespace inlay;
using namespace inlay::tensor;
using test::Random;

namespace {

struct Case {
    Case(DType t, int64_t n_rows, int64_t n_cols, int64_t n_tokens, uint64_t seed)
        : rows(n_rows), cols(n_cols), tokens(n_tokens), a(mem, act_kind(t), n_tokens, n_cols), scratch(mem, kMatmulScratch, 64, MemTag::scratch) {
        Random r(seed);
        file = random_weights(t, rows, cols, r);
        w = make_packed(mem, t, rows, cols);
        pack_rows(w, 0, rows, file.data());
        x.resize(static_cast<size_t>(tokens * cols));
        for (float &f : x) f = r.uniform(-2, 2);
    }
    std::vector<float> product(const kernels::KernelTable &table) {
        quantize_rows(table, x.data(), cols, 0, tokens, a);
        std::vector<float> y(static_cast<size_t>(tokens * rows), -7.0f);
        matmul_panels(table, w, a, 0, tokens, 0, w.n_panels(), y.data(), rows, scratch.data());
        return y;
    }
    Memory mem;
    int64_t rows, cols, tokens;
    std::vector<uint8_t> file;
    PackedMatrix w;
    std::vector<float> x;
    Activations a;
    Buffer scratch;
};

// What the activations were rounded to.
std::vector<double> rounded(const Case &c) {
    std::vector<double> out(static_cast<size_t>(c.tokens * c.cols));
    for (int64_t t = 0; t < c.tokens; ++t) {
        kernels::ActView v = c.a.view(t);
        for (int64_t k = 0; k < c.cols; ++k)
            out[static_cast<size_t>(t * c.cols + k)] = v.x ? v.x[k] : static_cast<double>(v.q[k]) * v.p[k / 32] * v.d[k / 256];
    }
    return out;
}

}  // namespace

TEST_CASE("the reference is the product, within f32 rounding") {
    auto table = kernels::build_table({});
    for (DType t : test::kPackable) {
        INFO(dtype_name(t));
        const int64_t block = dtype_info(t)->block;
        for (int64_t cols : {block, 3 * block, 7 * block + (block == 1 ? 100 : 0)}) {
            Case c(t, 37, cols, 5, 11 + static_cast<uint64_t>(cols));
            auto y = c.product(table);
            auto x = rounded(c);
            std::vector<float> row(static_cast<size_t>(cols));
            for (int64_t r = 0; r < c.rows; ++r) {
                unpack_row(c.w, r, row.data());
                for (int64_t tok = 0; tok < c.tokens; ++tok) {
                    double sum = 0, size = 0;
                    for (int64_t k = 0; k < cols; ++k) {
                        double p = row[static_cast<size_t>(k)] * x[static_cast<size_t>(tok * cols + k)];
                        sum += p;
                        size += std::fabs(p);
                    }
                    // Each of up to 2 * blocks (or cols) roundings is half a unit in the last place of at most `size`; a min's
                    // product is larger than its sum with the codes, hence the factor.
                    double bound = size * 0x1p-24 * (act_kind(t) == ActKind::q8 ? 16.0 + 4.0 * static_cast<double>(cols / 32) : static_cast<double>(cols) + 1);
                    bound += 1e-37;  // products of the smallest scales are subnormal
                    double err = std::fabs(y[static_cast<size_t>(tok * c.rows + r)] - sum);
                    REQUIRE_MESSAGE(err <= bound, "row ", r, " token ", tok, " error ", err, " bound ", bound);
                }
            }
        }
    }
}

TEST_CASE("rounding to int8: exact scales, ties to even, sums, bad values") {
    auto table = kernels::build_table({});
    Memory mem;
    Activations a(mem, ActKind::q8, 1, 4 * 256 + 32);
    std::vector<float> x(4 * 256 + 32);
    x[0] = 127.0f, x[1] = 2.5f, x[2] = 3.5f, x[3] = -2.5f, x[20] = 1.0f;  // block 0 has the group's greatest value
    x[32] = 63.5f, x[33] = 1.25f;   // block 1: half of it, so twice the precision
    x[64] = 100.0f, x[65] = 1.25f;  // block 2: more than half
    x[96] = 1e-9f;                  // block 3: the halvings end at 2^15
    x[256] = 1e-38f;                // group 1: too small to say anything
    x[600] = INFINITY;              // group 2: not a number any more
    x[768] = 126.0f, x[800] = 64.0f;  // group 3: a range of 128 wastes little of its first block and nothing of its second
    x[4 * 256 + 1] = -254.0f;       // group 4: one block and one of padding
    quantize_rows(table, x.data(), 4 * 256 + 32, 0, 1, a);
    auto v = a.view(0);
    CHECK(v.ldb == 34);
    CHECK(v.ldg == 5);
    CHECK(v.d[0] == 1.0f);
    CHECK(v.p[0] == 1.0f);
    CHECK(v.q[0] == 127);
    CHECK(v.q[1] == 2);
    CHECK(v.q[2] == 4);
    CHECK(v.q[3] == -2);
    int sum = 127 + 2 + 4 - 2 + 1, half = sum - 1;
    CHECK(v.n128[0] == -128 * sum);
    CHECK(v.s16[0] == 8 * half);
    CHECK(v.s16[1] == 8);
    CHECK(v.b16[0] == 8 * sum);
    CHECK(v.sp[0] == static_cast<float>(sum));
    CHECK(v.p[1] == 0.5f);
    CHECK(v.q[32] == 127);
    CHECK(v.q[33] == 2);
    CHECK(v.s16[2] == 4 * 129);
    CHECK(v.p[2] == 1.0f);
    CHECK(v.q[64] == 100);
    CHECK(v.q[65] == 1);
    CHECK(v.p[3] == 0x1p-15f);
    CHECK(v.q[96] == 0);
    CHECK(v.d[1] == 0.0f);
    CHECK(v.p[8] == 1.0f);
    CHECK(std::isnan(v.d[2]));
    CHECK(v.q[600] == 0);
    CHECK(v.d[3] == 128.0f / 127.0f);
    CHECK(v.p[24] == 1.0f);
    CHECK(v.q[768] == 125);
    CHECK(v.p[25] == 0.5f);
    CHECK(v.q[800] == 127);
    CHECK(v.d[4] == 2.0f);
    CHECK(v.q[4 * 256 + 1] == -127);
    CHECK(v.q[4 * 256 + 63] == 0);
}

TEST_CASE("panels, tokens and the added rows can be cut anywhere") {
    auto table = kernels::build_table({});
    for (DType t : {DType::q5_0, DType::q4_k, DType::f16}) {
        Case c(t, 53, 256, 7, 3);
        auto y = c.product(table);
        std::vector<float> z(y.size(), 1.25f);
        for (int64_t p = 0; p < c.w.n_panels(); ++p)
            for (int64_t tok = 0; tok < c.tokens; tok += 3)
                matmul_panels(table, c.w, c.a, tok, std::min<int64_t>(3, c.tokens - tok), p, p + 1, z.data() + tok * c.rows + p * 16, c.rows,
                              c.scratch.data(), z.data() + tok * c.rows + p * 16, c.rows);
        for (size_t i = 0; i < y.size(); ++i) REQUIRE(z[i] == 1.25f + y[i]);
    }
}

TEST_CASE("columns rounded apart are those of the row") {
    Memory mem;
    const int64_t tokens = 3;
    Random r(11);
    for (int64_t cols : {96, 256, 300, 512, 1000, 1024, 1300}) {
        std::vector<float> x(static_cast<size_t>(tokens * cols));
        for (float &v : x) v = r.uniform(-4, 4);
        for (const char *cpu : {"scalar", "auto"})
            for (ActKind kind : {ActKind::q8, ActKind::f32}) {
                CAPTURE(cols);
                CAPTURE(cpu);
                const auto table = kernels::build_table(cpu::select_tiers(cpu, cpu::detect_tiers()));
                const auto bytes = static_cast<size_t>(Activations::bytes(kind, tokens, cols));
                Activations whole(mem, kind, tokens, cols), parts(mem, kind, tokens, cols);
                for (Activations *a : {&whole, &parts}) std::memset(static_cast<void *>(a->x(0)), 0, bytes);  // the first byte of either kind
                quantize_rows(table, x.data(), cols, 0, tokens, whole);
                for (int64_t c = (cols - 1) / kActGroup * kActGroup; c >= 0; c -= kActGroup)  // last first: none writes into the next
                    quantize_columns(table, x.data() + c, cols, 0, tokens, c, std::min(kActGroup, cols - c), parts);
                CHECK(std::memcmp(whole.x(0), parts.x(0), bytes) == 0);
            }
    }
}
