// SPDX-License-Identifier: Apache-2.0
// Checks of the row-wise kernels: odd lengths, any alignment, in place and not, zeros of both signs, denormals, huge
// values, Inf and NaN.
#include <cmath>
#include <limits>

#include "kernels/check.h"

using namespace inlay::kernels;

namespace check {
namespace {

const int64_t kLengths[] = {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 100, 640, 1001};

enum class Kind { plain, wide, special };

void fill(Random &rnd, Guarded &g, Kind kind) {
    static const float special[] = {0.0f, -0.0f, 1e-42f, -1e-40f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN, 88.72f, -87.3f, 0.625f, 1.0f, -4.0f};
    for (size_t i = 0; i < g.size(); ++i) {
        float f = rnd.uniform(-4, 4);
        if (kind == Kind::wide) f = std::ldexp(f, static_cast<int>(rnd.word() % 60) - 30);
        if (kind == Kind::special && rnd.word() % 4 == 0) f = special[rnd.word() % (sizeof special / sizeof special[0])];
        g.data()[i] = f;
    }
}
void copy(Guarded &to, Guarded &from) { std::memcpy(to.data(), from.data(), from.size() * sizeof(float)); }

// Runs f(length, kind, offset, name) over all of them.
template <class F>
void each_case(F &&f) {
    for (int64_t n : kLengths)
        for (Kind kind : {Kind::plain, Kind::wide, Kind::special})
            f(n, kind, static_cast<size_t>(n * 5 % 16), "n " + std::to_string(n) + " kind " + std::to_string(static_cast<int>(kind)));
}

}  // namespace

void check(Report &r, NormFn *ref, NormFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        for (int form = 0; form < 8; ++form) {
            const int64_t rows = 3, ld = n + 5;
            const size_t size = static_cast<size_t>(rows * ld);
            Guarded x(size, offset), w(static_cast<size_t>(n), 1), b(static_cast<size_t>(n), 2), res(size, 3), y(size, offset), want(size);
            for (Guarded *g : {&x, &w, &b, &res}) fill(rnd, *g, kind);
            const bool in_place = form == 7;
            copy(y, in_place ? x : res), copy(want, in_place ? x : res);
            NormArgs a{x.data(), form & 1 ? w.data() : nullptr, form & 2 ? b.data() : nullptr, form & 4 ? res.data() : nullptr,
                       want.data(), ld, ld, ld, rows, n, 1e-6f};
            if (in_place) a.x = want.data();
            ref(&a);
            a.y = y.data();
            if (in_place) a.x = y.data();
            fn(&a);
            r.same(y.data(), want.data(), size, name + " form " + std::to_string(form));
            r.expect(y.intact() && x.intact() && w.intact(), "%s: wrote out of bounds", name.c_str());
        }
    });
}

void check(Report &r, ActFn *ref, ActFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        for (bool gated : {false, true}) {
            const int64_t rows = 2, ld = n + 3;
            const size_t size = static_cast<size_t>(rows * ld);
            Guarded g(size, offset), u(size, 3), y(size, 7), want(size, 7);
            for (Guarded *p : {&g, &u, &y}) fill(rnd, *p, kind);
            copy(want, y);
            ActArgs a{g.data(), gated ? u.data() : nullptr, want.data(), ld, ld, ld, rows, n};
            ref(&a);
            a.y = y.data();
            fn(&a);
            r.same(y.data(), want.data(), size, name);
            a.y = g.data();
            fn(&a);
            for (int64_t row = 0; row < rows; ++row) r.same(g.data() + row * ld, want.data() + row * ld, static_cast<size_t>(n), name + " in place");
            r.expect(y.intact() && g.intact(), "%s: wrote out of bounds", name.c_str());
        }
    });
}

void check(Report &r, RopeFn *ref, RopeFn *fn) {
    Random rnd(r.seed);
    for (int64_t dim : {2, 20, 64, 80, 96, 256})
        for (int64_t n_rot : {dim, dim / 4 * 2})
            for (int64_t heads : {1, 3}) {
                const int64_t rows = 3, ld = heads * dim + 3, half = n_rot / 2;
                Guarded x(static_cast<size_t>(rows * ld), 5), want(static_cast<size_t>(rows * ld), 5);
                Guarded c(static_cast<size_t>(rows * (half + 1)), 1), s(static_cast<size_t>(rows * (half + 1)), 2);
                for (Guarded *p : {&x, &c, &s}) fill(rnd, *p, Kind::plain);
                copy(want, x);
                RopeArgs a{want.data(), c.data(), s.data(), ld, half + 1, rows, heads, dim, n_rot};
                ref(&a);
                a.x = x.data();
                fn(&a);
                r.same(x.data(), want.data(), x.size(), "dim " + std::to_string(dim) + " rot " + std::to_string(n_rot));
                r.expect(x.intact(), "wrote out of bounds");
            }
}

void check(Report &r, RopeTableFn *ref, RopeTableFn *fn) {
    Random rnd(r.seed);
    for (size_t n : {1, 7, 8, 20, 63, 128})
        for (double position : {0.0, 1.0, 513.0, 131071.0, 2147483647.0}) {
            std::vector<double> freqs(n);
            for (double &f : freqs) f = std::exp2(static_cast<double>(rnd.uniform(-24, 0)));
            Guarded cos(n, 3), sin(n, 5), want_cos(n), want_sin(n);
            ref(freqs.data(), static_cast<int64_t>(n), position, 1.25, want_cos.data(), want_sin.data());
            fn(freqs.data(), static_cast<int64_t>(n), position, 1.25, cos.data(), sin.data());
            const std::string name = std::to_string(n) + " frequencies at " + std::to_string(position);
            r.same(cos.data(), want_cos.data(), n, "cos, " + name);
            r.same(sin.data(), want_sin.data(), n, "sin, " + name);
            r.expect(cos.intact() && sin.intact(), "wrote out of bounds");
        }
}

void check(Report &r, SoftmaxFn *ref, SoftmaxFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        const int64_t rows = 2, ld = n + 1;
        Guarded x(static_cast<size_t>(rows * ld), offset), want(static_cast<size_t>(rows * ld));
        fill(rnd, x, kind);
        copy(want, x);
        ref(want.data(), ld, rows, n);
        fn(x.data(), ld, rows, n);
        r.same(x.data(), want.data(), x.size(), name);
        r.expect(x.intact(), "%s: wrote out of bounds", name.c_str());
    });
}

void check(Report &r, ExpSumFn *ref, ExpSumFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        Guarded x(static_cast<size_t>(n), offset);
        fill(rnd, x, kind);
        const ExpSum want = ref(x.data(), n), got = fn(x.data(), n);
        r.expect(got.max == want.max || (got.max != got.max && want.max != want.max), "%s: max", name.c_str());
        r.expect(got.sum == want.sum || (got.sum != got.sum && want.sum != want.sum), "%s: sum %.17g, ref %.17g", name.c_str(), got.sum, want.sum);
    });
}

void check(Report &r, ExtremesFn *ref, ExtremesFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        Guarded x(static_cast<size_t>(n), offset);
        fill(rnd, x, kind);
        if (n == 33) x.data()[32] = 7;  // the greatest is the last
        const Extremes want = ref(x.data(), n), got = fn(x.data(), n);
        r.expect(got.max == want.max && got.broken == want.broken, "%s", name.c_str());
        float max = -INFINITY;
        bool broken = false;
        for (int64_t i = 0; i < n; ++i) max = x.data()[i] > max ? x.data()[i] : max, broken |= !(x.data()[i] < INFINITY);
        r.expect(want.max == max && want.broken == broken, "%s: %g %d, ref %g %d", name.c_str(), static_cast<double>(max), broken,
                 static_cast<double>(want.max), want.broken);
    });
    r.expect(fn(nullptr, 0).max == -INFINITY && !fn(nullptr, 0).broken, "of nothing");
}

void check(Report &r, BlockTopsFn *ref, BlockTopsFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        for (float scale : {0.0f, 1.0f, 1.5f}) {
            Guarded x(static_cast<size_t>(n), offset);
            fill(rnd, x, kind);
            float got[8] = {-1, -1, -1, -1, -1, -1, -1, -1}, want[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
            const Extremes w = ref(x.data(), n, scale, want, want + 4), g = fn(x.data(), n, scale, got, got + 4);
            r.expect(w.max == g.max && w.broken == g.broken, "%s: max or broken", name.c_str());
            r.same(got, want, 8, name);
            float max = -INFINITY;
            bool broken = false;
            for (int64_t i = 0; i < n; ++i) max = x.data()[i] > max ? x.data()[i] : max, broken |= !(x.data()[i] < INFINITY);
            r.expect(w.max == max && w.broken == broken, "%s: ref's max or broken", name.c_str());
            r.expect((want[4] == -1) == (scale == 0), "%s: sums", name.c_str());
        }
    });
}

void check(Report &r, ExpBlocksFn *ref, ExpBlocksFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        for (float scale : {1.0f, 0.7f}) {
            Guarded x(static_cast<size_t>(n), offset);
            fill(rnd, x, kind);
            double got[4] = {-1, -1, -1, -1}, want[4] = {-1, -1, -1, -1};
            ref(x.data(), n, 3.5f, scale, want);
            fn(x.data(), n, 3.5f, scale, got);
            for (int64_t b = 0; b < 4; ++b) {
                r.expect(got[b] == want[b] || (got[b] != got[b] && want[b] != want[b]), "%s: block %lld is %.17g, ref %.17g", name.c_str(),
                         static_cast<long long>(b), got[b], want[b]);
                if (kind != Kind::plain || 256 * b >= n) continue;
                double sum = 0;
                for (int64_t i = 256 * b; i < std::min<int64_t>(n, 256 * b + 256); ++i)
                    sum += std::exp((static_cast<double>(x.data()[i]) - 3.5) / static_cast<double>(scale));
                r.expect(std::fabs(want[b] - sum) <= 1e-6 * sum, "%s: block %lld is %.17g, in double %.17g", name.c_str(),
                         static_cast<long long>(b), want[b], sum);
            }
            r.expect(want[3] != -1 || n <= 768, "%s: a block is missing", name.c_str());
        }
    });
}

void check(Report &r, AtLeastFn *, AtLeastFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        Guarded x(static_cast<size_t>(n), offset);
        fill(rnd, x, kind);
        for (float bound : {0.5f, x.data()[n / 2], -INFINITY}) {
            std::vector<uint64_t> got(static_cast<size_t>(n) / 64 + 2, 77);
            fn(x.data(), n, bound, got.data());
            bool same = got.back() == 77;
            for (int64_t i = 0; i < n; ++i) same &= (got[static_cast<size_t>(i) / 64] >> (i % 64) & 1) == (x.data()[i] >= bound);
            if (n % 64 != 0) same &= got[static_cast<size_t>(n) / 64] >> (n % 64) == 0;
            r.expect(same, "%s, bound %g", name.c_str(), static_cast<double>(bound));
        }
    });
}

void check(Report &r, ArgmaxFn *ref, ArgmaxFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        Guarded x(static_cast<size_t>(n), offset);
        fill(rnd, x, kind);
        if (kind == Kind::plain)
            for (size_t i = 0; i < x.size(); ++i) x.data()[i] = std::floor(x.data()[i]);  // many ties
        r.expect(fn(x.data(), n) == ref(x.data(), n), "%s", name.c_str());
        int64_t first = -1;
        for (int64_t i = 0; i < n; ++i)
            if (x.data()[i] == x.data()[i] && (first < 0 || x.data()[i] > x.data()[first])) first = i;
        r.expect(fn(x.data(), n) == first, "%s: %lld is not the first greatest, %lld", name.c_str(), static_cast<long long>(fn(x.data(), n)),
                 static_cast<long long>(first));
    });
    r.expect(fn(nullptr, 0) == -1, "of nothing");
}

void check(Report &r, AddFn *ref, AddFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        Guarded x(static_cast<size_t>(n), offset), y(static_cast<size_t>(n), 3), want(static_cast<size_t>(n));
        fill(rnd, x, kind), fill(rnd, y, kind);
        copy(want, y);
        ref(x.data(), want.data(), n);
        fn(x.data(), y.data(), n);
        r.same(y.data(), want.data(), y.size(), name);
        copy(want, x);
        ref(want.data(), want.data(), n);
        fn(x.data(), x.data(), n);
        r.same(x.data(), want.data(), x.size(), name + " in place");
        r.expect(x.intact() && y.intact(), "%s: wrote out of bounds", name.c_str());
    });
}

void check(Report &r, ScaleFn *ref, ScaleFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        Guarded x(static_cast<size_t>(n), offset), y(static_cast<size_t>(n), 3), want(static_cast<size_t>(n));
        fill(rnd, x, kind), fill(rnd, y, kind);
        copy(want, y);
        const float a = rnd.uniform(0.5f, 50);
        ref(x.data(), a, want.data(), n);
        fn(x.data(), a, y.data(), n);
        r.same(y.data(), want.data(), y.size(), name);
        copy(want, x);
        ref(want.data(), a, want.data(), n);
        fn(x.data(), a, x.data(), n);
        r.same(x.data(), want.data(), x.size(), name + " in place");
        r.expect(x.intact() && y.intact(), "%s: wrote out of bounds", name.c_str());
    });
}

void check(Report &r, DotFn *ref, DotFn *fn) {
    Random rnd(r.seed);
    each_case([&](int64_t n, Kind kind, size_t offset, const std::string &name) {
        Guarded x(static_cast<size_t>(n), offset), y(static_cast<size_t>(n), 3);
        fill(rnd, x, kind), fill(rnd, y, kind);
        const float want = ref(x.data(), y.data(), n), got = fn(x.data(), y.data(), n);
        r.same(&got, &want, 1, name);
    });
}

void check(Report &r, FromHalfFn *ref, FromHalfFn *fn) {
    std::vector<uint16_t> x(65536 + 5);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i);
    Guarded y(x.size(), 1), want(x.size());
    ref(x.data(), want.data(), static_cast<int64_t>(x.size()));
    fn(x.data(), y.data(), static_cast<int64_t>(x.size()));
    r.same(y.data(), want.data(), x.size(), "all values");
    r.expect(y.intact(), "wrote out of bounds");
}

void check(Report &r, ToHalfFn *ref, ToHalfFn *fn) {
    Random rnd(r.seed);
    const size_t n = 200'003;
    std::vector<float> x(n);
    for (size_t i = 0; i < n; ++i) {
        uint32_t w = rnd.word();
        if (i % 2) w = (w & 0x8fffffffu) | (0x30000000u + (w & 0x18000000u));  // more of those that halves can hold
        std::memcpy(&x[i], &w, 4);
    }
    std::vector<uint16_t> y(n + 4, 0xabcd), want(n, 0);
    ref(x.data(), want.data(), static_cast<int64_t>(n));
    fn(x.data(), y.data() + 2, static_cast<int64_t>(n));
    size_t bad = n;
    for (size_t i = 0; i < n && bad == n; ++i)
        if (y[i + 2] != want[i]) bad = i;
    r.expect(bad == n, "index %zu: %g", bad, bad < n ? static_cast<double>(x[bad]) : 0.0);
    r.expect(y[1] == 0xabcd && y[n + 2] == 0xabcd, "wrote out of bounds");
}

}  // namespace check
