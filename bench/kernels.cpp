// SPDX-License-Identifier: Apache-2.0
// bench/kernels [--tier=T] [--type=SUBSTRING] [--rows=N] [--cols=K] [--tokens=a,b,..] [--mb=N]
// One thread. For each tier and weight type: products of some numbers of tokens in GOP/s (2 * rows * cols * tokens), and
// one token over weights larger than the caches in GB/s beside the read bandwidth measured in the same run. Up to 64 tokens
// take their weights from memory too, as a step does: matrices in a row of --mb=N MiB in all. Time is the thread's CPU time,
// best of several, so that neighbours on the machine disturb little.
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cpu/tier.h"
#include "kernels/table.h"
#include "tensor/matmul_blas.h"
#include "unit/tensor/weights.h"

using namespace inlay;

namespace {

double now() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}
template <class F>
double best(F &&f, double budget = 0.25, int least = 3) {
    double top = 1e30, begin = now();
    for (int i = 0; i < least || now() - begin < budget; ++i) {
        double t0 = now();
        f();
        top = std::min(top, now() - t0);
    }
    return top;
}

// Plain reading, a word of each 64 bytes: what a kernel can hope for.
double read_bandwidth(const uint8_t *p, size_t n) {
    uint64_t sink = 0;
    double t = best([&] {
        uint64_t s0 = 0, s1 = 0;
        for (size_t i = 0; i < n; i += 128) {
            uint64_t v[2];
            std::memcpy(v, p + i, 8);
            std::memcpy(v + 1, p + i + 64, 8);
            s0 += v[0], s1 += v[1];
        }
        sink += s0 + s1;
    });
    volatile uint64_t keep = sink;
    (void)keep;
    return static_cast<double>(n) / t * 1e-9;
}

struct Options {
    std::string_view tier, type;
    int64_t rows = 1024, cols = 2048;
    size_t mb = 192;
    std::vector<int64_t> tokens = {1, 4, 8, 16, 512};
};

void run(const Options &o, const kernels::KernelTable &table, const char *tier, DType t, double roof) {
    Memory mem;
    test::Random rnd(1);
    const int64_t n_max = *std::max_element(o.tokens.begin(), o.tokens.end());
    Buffer scratch(mem, tensor::kMatmulScratch, 64, MemTag::scratch);
    tensor::PackedMatrix w = tensor::make_packed(mem, t, o.rows, o.cols);
    auto file = test::random_weights(t, o.rows, o.cols, rnd);
    if (t == DType::mxfp4)  // most of the tests' scales are subnormal, and no model's are
        for (size_t i = 0; i < file.size(); i += 17) file[i] = static_cast<uint8_t>(118 + file[i] % 8);
    double pack = best([&] { tensor::pack_rows(w, 0, o.rows, file.data()); }, 0.0, 2);
    // The same matrix again and again, in 2 MiB pages.
    const size_t bytes = w.bytes(), copies = std::max<size_t>(1, (o.mb << 20) / bytes);
    tensor::PackedMatrix big = tensor::make_packed(mem, t, w.n_panels() * kernels::kPanelRows * static_cast<int64_t>(copies), o.cols);
    std::vector<tensor::PackedMatrix> each;
    for (size_t c = 0; c < copies; ++c) {
        uint8_t *at = big.panel(static_cast<int64_t>(c) * w.n_panels());
        std::memcpy(at, w.panel(0), bytes);
        each.push_back(tensor::packed_view(t, o.rows, o.cols, {reinterpret_cast<const std::byte *>(at), bytes}));
    }
    std::vector<float> x(static_cast<size_t>(n_max * o.cols)), y(static_cast<size_t>(n_max * o.rows));
    for (float &f : x) f = rnd.uniform(-1, 1);
    tensor::Activations a(mem, tensor::act_kind(t), n_max, o.cols);
    tensor::quantize_rows(table, x.data(), o.cols, 0, n_max, a);
    std::printf("%-11s %-7s", tier, dtype_name(t));
    for (int64_t n : o.tokens) {
        const size_t used = n <= 64 ? copies : 1;
        double s = best([&] {
            for (size_t c = 0; c < used; ++c) tensor::matmul_panels(table, each[c], a, 0, n, 0, w.n_panels(), y.data(), o.rows, scratch.data());
        });
        std::printf(" %4lldx %6.1f", static_cast<long long>(n), 2e-9 * static_cast<double>(used) * static_cast<double>(o.rows * o.cols * n) / s);
    }
    std::vector<float> out(static_cast<size_t>(big.rows()));
    double s = best([&] { tensor::matmul_panels(table, big, a, 0, 1, 0, big.n_panels(), out.data(), big.rows(), scratch.data()); });
    const double gbs = static_cast<double>(big.bytes()) / s * 1e-9;
    std::printf("  decode %5.1f GB/s (%3.0f %% of %.1f)  pack %.2f GB/s\n", gbs, 100 * gbs / roof, roof, static_cast<double>(file.size()) / pack * 1e-9);
    std::fflush(stdout);
}

// The same products of f32 by OpenBLAS, from the same panels.
void run_blas(const Options &o) {
    try {
        tensor::need_blas();
    } catch (const Error &) {
        return;  // a build without it
    }
    Memory mem;
    test::Random rnd(1);
    const auto table = kernels::build_table(cpu::detect_tiers());
    const int64_t n_max = *std::max_element(o.tokens.begin(), o.tokens.end());
    Buffer scratch(mem, tensor::kMatmulScratch, 64, MemTag::scratch);
    tensor::PackedMatrix w = tensor::make_packed(mem, DType::f32, o.rows, o.cols);
    auto file = test::random_weights(DType::f32, o.rows, o.cols, rnd);
    tensor::pack_rows(w, 0, o.rows, file.data());
    std::vector<float> x(static_cast<size_t>(n_max * o.cols)), y(static_cast<size_t>(n_max * o.rows));
    for (float &f : x) f = rnd.uniform(-1, 1);
    tensor::Activations a(mem, tensor::ActKind::f32, n_max, o.cols);
    tensor::quantize_rows(table, x.data(), o.cols, 0, n_max, a);
    std::printf("%-11s %-7s", "openblas", "f32");
    for (int64_t n : o.tokens) {
        double s = best([&] { tensor::blas_matmul_panels(w, a, 0, n, 0, w.n_panels(), y.data(), o.rows, scratch.data()); });
        std::printf(" %4lldx %6.1f", static_cast<long long>(n), 2e-9 * static_cast<double>(o.rows * o.cols * n) / s);
    }
    std::printf("\n");
}

}  // namespace

int main(int argc, char **argv) {
    Options o;
    for (int i = 1; i < argc; ++i) {
        std::string_view a = argv[i];
        const char *v = nullptr;
        auto is = [&](std::string_view key) { return (v = a.starts_with(key) ? argv[i] + key.size() : nullptr) != nullptr; };
        if (is("--tier=")) o.tier = v;
        else if (is("--type=")) o.type = v;
        else if (is("--rows=")) o.rows = std::atoll(v);
        else if (is("--cols=")) o.cols = std::atoll(v);
        else if (is("--mb=")) o.mb = static_cast<size_t>(std::atoll(v));
        else if (is("--tokens=")) {
            o.tokens.clear();
            for (char *p = const_cast<char *>(v); *p; p += *p == ',') o.tokens.push_back(std::strtoll(p, &p, 10));
        } else return std::printf("unknown option %s\n", argv[i]), 2;
    }
    Memory mem;
    tensor::PackedMatrix probe = tensor::make_packed(mem, DType::f32, 1024, static_cast<int64_t>(o.mb) << 8);
    std::memset(probe.panel(0), 1, probe.bytes());
    const double roof = read_bandwidth(probe.panel(0), probe.bytes());
    probe = {};
    const cpu::TierSet present = cpu::detect_tiers();
    for (int i = 0; i < static_cast<int>(cpu::Tier::count_); ++i) {
        const auto tier = static_cast<cpu::Tier>(i);
        if (!present.has(tier) || !kernels::tier_built(tier) || (!o.tier.empty() && o.tier != cpu::tier_name(tier))) continue;
        auto table = kernels::build_table(present.up_to(tier));
        for (DType t : test::kPackable)
            if (std::string_view(dtype_name(t)).find(o.type) != std::string_view::npos) run(o, table, cpu::tier_name(tier), t, roof);
    }
    if ((o.tier.empty() || o.tier == "openblas") && std::string_view("f32").find(o.type) != std::string_view::npos) run_blas(o);
}
