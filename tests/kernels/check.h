// SPDX-License-Identifier: Apache-2.0
// Every kernel of every tier of this CPU against ref/, bit for bit. main.cpp walks kernels.def; a function type has one
// check() that knows how to make its inputs. Add an overload here for each new function type.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/rng.h"
#include "kernels/table.h"

namespace check {

// Numbers that depend on the seed alone.
class Random {
public:
    explicit Random(uint64_t seed) : seed_(seed) {}
    uint32_t word() {
        if (at_ == 4) block_ = inlay::philox(seed_, 0, count_++), at_ = 0;
        return block_.w[at_++];
    }
    float uniform(float lo, float hi) { return lo + (hi - lo) * inlay::uniform_float(word()); }

private:
    uint64_t seed_, count_ = 0;
    inlay::PhiloxBlock block_ = {};
    int at_ = 4;
};

// A float array between canaries, `offset` floats past a 64-byte boundary.
class Guarded {
public:
    Guarded(size_t n, size_t offset = 0) : n_(n), raw_(n + 64) {
        auto base = reinterpret_cast<uintptr_t>(raw_.data() + 16);
        at_ = 16 + ((64 - base % 64) % 64) / 4 + offset % 16;
        for (float &f : raw_) std::memcpy(&f, &kCanary, 4);
    }
    float *data() { return raw_.data() + at_; }
    size_t size() const { return n_; }
    bool intact() const {
        for (size_t i = 0; i < raw_.size(); ++i)
            if ((i < at_ || i >= at_ + n_) && std::memcmp(&raw_[i], &kCanary, 4) != 0) return false;
        return true;
    }

private:
    static constexpr uint32_t kCanary = 0x7fe5a5a5;  // a NaN that no kernel makes
    size_t n_, at_;
    std::vector<float> raw_;
};

struct Report {
    const char *kernel, *tier;
    uint64_t seed;
    int cases = 0, failures = 0;
    __attribute__((format(printf, 3, 4))) bool expect(bool ok, const char *format, ...) {
        ++cases;
        if (ok) return true;
        if (++failures <= 3) {
            std::printf("FAIL %s %s seed %llu: ", tier, kernel, static_cast<unsigned long long>(seed));
            va_list args;
            va_start(args, format);
            std::vprintf(format, args);
            va_end(args);
            std::printf("\n");
        }
        return false;
    }
    // The same bits, any NaN equal to any other; `what` names the case.
    bool same(const float *got, const float *want, size_t n, const std::string &what) {
        for (size_t i = 0; i < n; ++i)
            if (std::memcmp(got + i, want + i, 4) != 0 && !(got[i] != got[i] && want[i] != want[i]))
                return expect(false, "%s: index %zu is %.9g, ref %.9g", what.c_str(), i, static_cast<double>(got[i]), static_cast<double>(want[i]));
        return expect(true, " ");
    }
};

// ---- matmul
void check(Report &, inlay::kernels::QuantizeFn *ref, inlay::kernels::QuantizeFn *fn);
void check(Report &, inlay::kernels::MatmulFn *ref, inlay::kernels::MatmulFn *fn);

// ---- vec
void check(Report &, inlay::kernels::NormFn *ref, inlay::kernels::NormFn *fn);
void check(Report &, inlay::kernels::ActFn *ref, inlay::kernels::ActFn *fn);
void check(Report &, inlay::kernels::RopeFn *ref, inlay::kernels::RopeFn *fn);
void check(Report &, inlay::kernels::RopeTableFn *ref, inlay::kernels::RopeTableFn *fn);
void check(Report &, inlay::kernels::SoftmaxFn *ref, inlay::kernels::SoftmaxFn *fn);
void check(Report &, inlay::kernels::ExpSumFn *ref, inlay::kernels::ExpSumFn *fn);
void check(Report &, inlay::kernels::ExtremesFn *ref, inlay::kernels::ExtremesFn *fn);
void check(Report &, inlay::kernels::BlockTopsFn *ref, inlay::kernels::BlockTopsFn *fn);
void check(Report &, inlay::kernels::ExpBlocksFn *ref, inlay::kernels::ExpBlocksFn *fn);
void check(Report &, inlay::kernels::AtLeastFn *ref, inlay::kernels::AtLeastFn *fn);
void check(Report &, inlay::kernels::ArgmaxFn *ref, inlay::kernels::ArgmaxFn *fn);
void check(Report &, inlay::kernels::AddFn *ref, inlay::kernels::AddFn *fn);      // and MapFn, the same type
void check(Report &, inlay::kernels::ScaleFn *ref, inlay::kernels::ScaleFn *fn);  // and SoftcapFn, AxpyFn
void check(Report &, inlay::kernels::DotFn *ref, inlay::kernels::DotFn *fn);
void check(Report &, inlay::kernels::FromHalfFn *ref, inlay::kernels::FromHalfFn *fn);
void check(Report &, inlay::kernels::ToHalfFn *ref, inlay::kernels::ToHalfFn *fn);
void check(Report &, inlay::kernels::KvWriteFn *ref, inlay::kernels::KvWriteFn *fn);
void check(Report &, inlay::kernels::AttnScoresFn *ref, inlay::kernels::AttnScoresFn *fn);
void check(Report &, inlay::kernels::AttnSoftmaxFn *ref, inlay::kernels::AttnSoftmaxFn *fn);
void check(Report &, inlay::kernels::AttnValuesFn *ref, inlay::kernels::AttnValuesFn *fn);
void check(Report &, inlay::kernels::AttnJoinFn *ref, inlay::kernels::AttnJoinFn *fn);

}  // namespace check
