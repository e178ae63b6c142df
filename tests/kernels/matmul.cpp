// SPDX-License-Identifier: Apache-2.0
// Products and activation rounding: odd shapes, bad values, short last panels, added rows, and every row alone.
#include "tensor/matmul.h"

#include <cmath>
#include <limits>
#include <string_view>

#include "kernels/check.h"
#include "unit/tensor/weights.h"

using namespace inlay;

namespace check {

void check(Report &r, kernels::QuantizeFn *ref, kernels::QuantizeFn *fn) {
    Random rnd(r.seed);
    kernels::KernelTable a = {}, b = {};
    a.quantize_q8 = ref;
    b.quantize_q8 = fn;
    Memory mem;
    for (int64_t cols : {1, 15, 16, 31, 32, 33, 63, 64, 65, 96, 256, 257, 640, 896, 2048})
        for (int64_t n : {1, 3}) {
            const int64_t ldx = cols + 5;
            std::vector<float> x(static_cast<size_t>(n * ldx) + 1);
            for (size_t i = 0; i < x.size(); ++i) {
                x[i] = rnd.uniform(-3, 3);
                switch (rnd.word() % 64) {
                case 0: x[i] = 0; break;
                case 1: x[i] = -0.0f; break;
                case 2: x[i] = 1e-40f; break;
                case 3: x[i] *= 1e-33f; break;
                case 4: x[i] = std::floor(x[i]) + 0.5f; break;
                case 5: x[i] *= 300; break;  // the rest of its group loses bits, its neighbours' blocks less
                default: break;
                }
            }
            for (int64_t i = 64; i < n * ldx; i += 211) {
                x[static_cast<size_t>(i)] = i % 2 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
                x[static_cast<size_t>(i - 40)] = std::numeric_limits<float>::max();
            }
            for (int64_t i = 0; i < n * ldx; ++i)  // blocks of very different sizes
                if (i / 32 % 5 == 3) x[static_cast<size_t>(i)] *= std::ldexp(1.0f, -static_cast<int>(i / 32 % 23));
            for (size_t k = 0; k < x.size() && cols == 63; ++k) x[k] *= 1e-30f;  // blocks around the border of "nothing"
            tensor::Activations want(mem, tensor::ActKind::q8, n, cols), got(mem, tensor::ActKind::q8, n, cols);
            tensor::quantize_rows(a, x.data() + 1, ldx, 0, n, want);
            tensor::quantize_rows(b, x.data() + 1, ldx, 0, n, got);
            const auto v = want.view(0), w = got.view(0);
            const auto nb = static_cast<size_t>(n * v.ldb), ng = static_cast<size_t>(n * v.ldg);
            const std::string what = "cols " + std::to_string(cols) + " n " + std::to_string(n);
            r.same(w.d, v.d, ng, what + " d");
            r.same(w.p, v.p, nb, what + " p");
            r.same(w.sp, v.sp, nb, what + " sp");
            bool same = true;  // what pads a row behind its blocks is nobody's
            for (int64_t t = 0; t < n; ++t) same &= std::memcmp(w.q + t * w.ldq, v.q + t * v.ldq, static_cast<size_t>(v.ldb) * 32) == 0;
            r.expect(same, "%s: q", what.c_str());
            r.expect(std::memcmp(w.n128, v.n128, nb * 4) == 0, "%s: n128", what.c_str());
            r.expect(std::memcmp(w.h128, v.h128, nb * 8) == 0, "%s: h128", what.c_str());
            r.expect(std::memcmp(w.s16, v.s16, nb * 4) == 0, "%s: s16", what.c_str());
            r.expect(std::memcmp(w.b16, v.b16, nb * 2) == 0, "%s: b16", what.c_str());
            r.expect(std::memcmp(w.n16, v.n16, nb * 8) == 0, "%s: n16", what.c_str());
            r.expect(std::memcmp(w.magic, v.magic, nb * 4) == 0, "%s: magic", what.c_str());
            r.expect(std::memcmp(w.m128, v.m128, nb * 4) == 0, "%s: m128", what.c_str());
            r.expect(std::memcmp(w.mh128, v.mh128, nb * 8) == 0, "%s: mh128", what.c_str());
        }
}

namespace {

DType type_of(std::string_view kernel) {
    for (DType t : test::kPackable)
        if (kernel == std::string("matmul_") + dtype_name(t)) return t;
    std::printf("no type for %s\n", std::string(kernel).c_str());
    return DType::f32;
}

struct Problem {
    Problem(DType t, int64_t n_rows, int64_t n_cols, int64_t n_tokens, uint64_t seed, bool bad, bool greatest = false)
        : rows(n_rows), cols(n_cols), tokens(n_tokens), a(mem, tensor::act_kind(t), n_tokens, n_cols),
          scratch(mem, tensor::kMatmulScratch, 64, MemTag::scratch) {
        test::Random rnd(seed);
        auto file = test::random_weights(t, rows, cols, rnd);
        if (greatest)  // codes 0 or 15 for whole rows
            for (size_t i = 0; i < file.size(); i += 144) std::memset(&file[i + 16], rnd.word() % 2 ? 0xff : 0, 128);
        w = tensor::make_packed(mem, t, rows, cols);
        tensor::pack_rows(w, 0, rows, file.data());
        std::vector<float> x(static_cast<size_t>(tokens * cols));
        for (float &f : x) f = rnd.uniform(-2, 2) * (rnd.word() % 16 ? 1.0f : 20.0f);
        for (size_t i = 0; greatest && i < x.size(); ++i) x[i] = i / static_cast<size_t>(cols) % 2 ? -1.0f : 1.0f;
        if (bad)  // the second token alone
            for (int64_t k = 0; k < cols; k += 129) x[static_cast<size_t>((tokens > 1) * cols + k)] = std::numeric_limits<float>::infinity();
        tensor::quantize_rows(kernels::build_table({}), x.data(), cols, 0, tokens, a);
        add.resize(static_cast<size_t>(tokens * rows));
        for (float &f : add) f = rnd.uniform(-1, 1);
    }
    void run(kernels::MatmulFn *fn, float *y, int64_t ldy, int64_t t0, int64_t n, bool with_add) {
        kernels::MatmulArgs m = {};
        m.panels = w.panel(0);
        m.panel_bytes = w.panel_bytes();
        m.n_panels = w.n_panels();
        m.cols = cols;
        m.act = a.view(t0);
        m.n_tokens = n;
        m.y = y;
        m.ldy = ldy;
        m.n_rows = rows;
        m.add = with_add ? add.data() + t0 * rows : nullptr;
        m.ld_add = rows;
        m.scratch = scratch.data();
        fn(&m);
    }
    Memory mem;
    int64_t rows, cols, tokens;
    tensor::PackedMatrix w;
    tensor::Activations a;
    std::vector<float> add;
    Buffer scratch;
};

}  // namespace

void check(Report &r, kernels::MatmulFn *ref, kernels::MatmulFn *fn) {
    const DType t = type_of(r.kernel);
    const int64_t block = dtype_info(t)->block;
    const int64_t widths_1[] = {1, 2, 3, 15, 16, 31, 32, 33, 64, 100, 257}, widths_32[] = {32, 64, 96, 640, 896, 1568}, widths_256[] = {256, 512, 768, 1536};
    const int64_t *widths = block == 1 ? widths_1 : block == 32 ? widths_32 : widths_256;
    const int n_widths = block == 1 ? 11 : block == 32 ? 6 : 4;
    const int64_t shapes[][2] = {{1, 1},   {15, 2},  {16, 3},  {17, 5},  {33, 8},  {47, 12},  // rows, tokens
                                 {32, 13}, {64, 16}, {35, 23}, {50, 31}, {16, 67}, {47, 85}, {77, 34}, {139, 41}};
    uint64_t seed = r.seed;
    for (int i = 0; i < n_widths; ++i)
        for (auto [rows, tokens] : shapes) {
            ++seed;
            Problem p(t, rows, widths[i], tokens, seed, seed % 5 == 0);
            const std::string what = "rows " + std::to_string(rows) + " cols " + std::to_string(p.cols) + " tokens " + std::to_string(tokens);
            const int64_t ldy = rows + 3;
            std::vector<float> want(static_cast<size_t>(tokens * rows));
            p.run(ref, want.data(), rows, 0, tokens, false);
            auto compare = [&](int64_t t0, int64_t n, bool add, const char *how) {
                Guarded y(static_cast<size_t>((n - 1) * ldy + rows), static_cast<size_t>(seed));
                p.run(fn, y.data(), ldy, t0, n, add);
                r.expect(y.intact(), "%s%s: wrote outside of y", what.c_str(), how);
                for (int64_t k = 0; k < n; ++k) {
                    std::vector<float> row(want.begin() + (t0 + k) * rows, want.begin() + (t0 + k + 1) * rows);
                    if (add)
                        for (size_t c = 0; c < row.size(); ++c) row[c] = p.add[static_cast<size_t>((t0 + k) * rows) + c] + row[c];
                    if (!r.same(y.data() + k * ldy, row.data(), row.size(), what + how + " token " + std::to_string(t0 + k))) return;
                }
            };
            compare(0, tokens, false, "");
            compare(0, tokens, true, ", added");
            compare(tokens - 1, 1, false, ", alone");  // a row does not depend on its batch
            if (tokens > 4) compare(1, tokens - 3, false, ", cut");
        }
    if (t == DType::q4_k) {  // sums over a block as far from 0 as they can be (x86/avx512vnni/matmul_chain.h has 16 bits for them)
        Problem p(t, 192, 512, 33, seed + 2, false, true);
        std::vector<float> want(static_cast<size_t>(p.tokens * p.rows)), y(want);
        p.run(ref, want.data(), p.rows, 0, p.tokens, false);
        p.run(fn, y.data(), p.rows, 0, p.tokens, false);
        r.same(y.data(), want.data(), want.size(), "greatest sums");
    }
    // More tokens than the kernels keep sums of, and K longer than a stretch of any type.
    Problem p(t, 112, block == 1 ? 1100 : 1280, 519, seed + 1, false);
    std::vector<float> want(static_cast<size_t>(p.tokens * p.rows)), y(want);
    p.run(ref, want.data(), p.rows, 0, p.tokens, false);
    p.run(fn, y.data(), p.rows, 0, p.tokens, false);
    r.same(y.data(), want.data(), want.size(), "519 tokens");
}

}  // namespace check
