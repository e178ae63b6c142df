// SPDX-License-Identifier: Apache-2.0
// Checks of the KV and attention kernels. The type is told by the kernel's name; panels are made by ref's own writer.
// Besides ref's bits: a row's result does not depend on the rows beside it.
#include <cmath>
#include <string_view>

#include "kernels/check.h"
#include "tensor/matmul.h"

using namespace inlay::kernels;

namespace check {
namespace {

KvType type_of(const Report &r) {
    const std::string_view name = r.kernel;
    return name.ends_with("_f32")    ? KvType::f32
           : name.ends_with("_f16")  ? KvType::f16
           : name.ends_with("_bf16") ? KvType::bf16
                                     : KvType::q8_0;
}
KvWriteFn *writer(const KernelTable &t, KvType type) {
    return type == KvType::f32    ? t.kv_write_f32
           : type == KvType::f16  ? t.kv_write_f16
           : type == KvType::bf16 ? t.kv_write_bf16
                                  : t.kv_write_q8_0;
}

struct Dims {
    int64_t k, v;
};
const Dims kDims[] = {{64, 64}, {20, 24}, {33, 17}, {80, 96}, {256, 256}, {1, 1}};

// Sixteen panels on 64-byte lines.
struct Panels {
    std::vector<uint8_t> raw;
    const uint8_t *at[kChunkPanels];
    Panels(Random &rnd, KvType type, Dims d) {
        const int64_t bytes = kv_panel_bytes(type, d.k, d.v);
        raw.resize(static_cast<size_t>(bytes * kChunkPanels + 64));
        uint8_t *base = raw.data() + (64 - reinterpret_cast<uintptr_t>(raw.data()) % 64) % 64;
        const KernelTable ref = build_table({});
        std::vector<float> k(static_cast<size_t>(d.k)), v(static_cast<size_t>(d.v));
        for (int64_t t = 0; t < kChunkTokens; ++t) {
            for (float &f : k) f = rnd.uniform(-2, 2);
            for (float &f : v) f = rnd.uniform(-2, 2);
            writer(ref, type)(k.data(), v.data(), base + t / 16 * bytes, t % 16, d.k, d.v);
        }
        for (int64_t p = 0; p < kChunkPanels; ++p) at[p] = base + (p * 5 % kChunkPanels) * bytes;
    }
};

std::string name_of(Dims d, int64_t rows, int64_t other) {
    return "k " + std::to_string(d.k) + " v " + std::to_string(d.v) + " rows " + std::to_string(rows) + " / " + std::to_string(other);
}

}  // namespace

void check(Report &r, KvWriteFn *ref, KvWriteFn *fn) {
    Random rnd(r.seed);
    const KvType type = type_of(r);
    for (Dims d : kDims)
        for (int64_t slot : {0, 5, 15}) {
            const size_t bytes = static_cast<size_t>(kv_panel_bytes(type, d.k, d.v));
            std::vector<uint8_t> a(bytes + 64, 0xc3), b(bytes + 64, 0xc3);
            Guarded k(static_cast<size_t>(d.k), 1), v(static_cast<size_t>(d.v), 2);
            for (Guarded *g : {&k, &v})
                for (size_t i = 0; i < g->size(); ++i) {
                    g->data()[i] = std::ldexp(rnd.uniform(-2, 2), static_cast<int>(rnd.word() % 40) - 25);
                    if (rnd.word() % 200 == 0) g->data()[i] = rnd.word() % 2 ? NAN : INFINITY;
                }
            auto line = [](std::vector<uint8_t> &x) { return x.data() + (64 - reinterpret_cast<uintptr_t>(x.data()) % 64) % 64; };
            ref(k.data(), v.data(), line(a), slot, d.k, d.v);
            fn(k.data(), v.data(), line(b), slot, d.k, d.v);
            r.expect(std::memcmp(line(a), line(b), bytes) == 0, "%s slot %lld", name_of(d, 1, 1).c_str(), static_cast<long long>(slot));
        }
}

void check(Report &r, AttnScoresFn *ref, AttnScoresFn *fn) {
    Random rnd(r.seed);
    const KvType type = type_of(r);
    const KernelTable plain = build_table({});
    for (Dims d : kDims) {
        Panels panels(rnd, type, d);
        const int64_t ldq = d.k + 3, most = 30;
        Guarded q(static_cast<size_t>(most * ldq), 3);
        for (size_t i = 0; i < q.size(); ++i) q.data()[i] = rnd.uniform(-2, 2);
        inlay::Memory mem;
        inlay::tensor::Activations q8(mem, inlay::tensor::ActKind::q8, most, d.k);
        if (type == KvType::q8_0) inlay::tensor::quantize_rows(plain, q.data(), ldq, 0, most, q8);
        for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 24, 29})
            for (int64_t n_panels : {1, 3, 16}) {
                const int64_t lds = kChunkTokens;
                Guarded s(static_cast<size_t>(rows * lds)), want(static_cast<size_t>(rows * lds));
                std::memset(s.data(), 0, s.size() * 4), std::memset(want.data(), 0, s.size() * 4);
                AttnScoresArgs a{};
                a.q = q.data(), a.ldq = ldq, a.lds = lds, a.rows = rows, a.n_panels = n_panels, a.k_dim = d.k;
                a.panels = panels.at;
                a.act = q8.view(0);
                a.s = want.data();
                ref(&a);
                a.s = s.data();
                fn(&a);
                r.same(s.data(), want.data(), s.size(), name_of(d, rows, n_panels));
                r.expect(s.intact(), "%s: wrote out of bounds", name_of(d, rows, n_panels).c_str());
                Guarded alone(static_cast<size_t>(lds));
                a.s = alone.data(), a.rows = 1, a.q += (rows - 1) * ldq, a.act = q8.view(rows - 1);
                fn(&a);
                r.same(alone.data(), s.data() + (rows - 1) * lds, static_cast<size_t>(n_panels * 16), "the last row alone");
            }
    }
}

void check(Report &r, AttnSoftmaxFn *ref, AttnSoftmaxFn *fn) {
    Random rnd(r.seed);
    for (float cap : {0.0f, 20.0f})
        for (int64_t first : {0, 1, 16, 100, 255})
            for (int64_t last : {1, 2, 16, 17, 101, 250, 256}) {
                if (last <= first) continue;
                const int64_t rows = 3;
                Guarded s(rows * kChunkTokens), want(rows * kChunkTokens), m(rows), l(rows), wm(rows), wl(rows);
                for (size_t i = 0; i < s.size(); ++i) {
                    s.data()[i] = rnd.uniform(-90, 90);
                    const int64_t t = static_cast<int64_t>(i) % kChunkTokens;
                    if ((t < first || t >= last) && rnd.word() % 3 == 0) s.data()[i] = NAN;  // what is masked may be anything
                }
                std::memcpy(want.data(), s.data(), s.size() * 4);
                AttnSoftmaxArgs a{want.data(), wm.data(), wl.data(), kChunkTokens, rows, first, last, cap};
                ref(&a);
                a.s = s.data(), a.m = m.data(), a.l = l.data();
                fn(&a);
                r.same(m.data(), wm.data(), rows, "max");
                r.same(l.data(), wl.data(), rows, "sum");
                for (int64_t row = 0; row < rows; ++row)
                    r.same(s.data() + row * kChunkTokens + first, want.data() + row * kChunkTokens + first,
                           static_cast<size_t>(last - first), "p");
                r.expect(s.intact() && m.intact() && l.intact(), "wrote out of bounds");
            }
}

void check(Report &r, AttnValuesFn *ref, AttnValuesFn *fn) {
    Random rnd(r.seed);
    const KvType type = type_of(r);
    for (Dims d : kDims) {
        Panels panels(rnd, type, d);
        const int64_t ldo = v_stride(type, d.v) + 1;
        for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 29})
            for (int64_t first : {0, 13, 200})
                for (int64_t last : {14, 201, 256}) {
                    if (last <= first) continue;
                    Guarded p(static_cast<size_t>(rows * kChunkTokens), 5), o(static_cast<size_t>(rows * ldo), 2),
                        want(static_cast<size_t>(rows * ldo), 2);
                    for (size_t i = 0; i < p.size(); ++i) p.data()[i] = rnd.uniform(0, 1);
                    for (size_t i = 0; i < o.size(); ++i) o.data()[i] = rnd.uniform(-1, 1);
                    std::memcpy(want.data(), o.data(), o.size() * 4);
                    Guarded alone(static_cast<size_t>(ldo));
                    std::memcpy(alone.data(), o.data() + (rows - 1) * ldo, static_cast<size_t>(ldo) * 4);
                    AttnValuesArgs a{p.data(), panels.at, want.data(), kChunkTokens, ldo, rows, first, last, d.k, d.v};
                    ref(&a);
                    a.o = o.data();
                    fn(&a);
                    r.same(o.data(), want.data(), o.size(), name_of(d, rows, first));
                    r.expect(o.intact(), "%s: wrote out of bounds", name_of(d, rows, first).c_str());
                    a.o = alone.data(), a.p += (rows - 1) * kChunkTokens, a.rows = 1;
                    fn(&a);
                    r.same(alone.data(), o.data() + (rows - 1) * ldo, static_cast<size_t>(ldo), "the last row alone");
                }
    }
}

void check(Report &r, AttnJoinFn *ref, AttnJoinFn *fn) {
    Random rnd(r.seed);
    for (size_t rows : {1u, 2u, 15u, 16u, 17u, 42u})
        for (size_t n : {16u, 48u, 64u, 256u}) {
            const size_t ld = n + 3;
            Guarded m(rows, 1), l(rows, 2), o(rows * ld, 3), mc(rows, 4), lc(rows, 5), oc(rows * ld, 6), wm(rows), wl(rows), wo(rows * ld);
            for (Guarded *g : {&m, &mc})
                for (size_t i = 0; i < g->size(); ++i) g->data()[i] = rnd.uniform(-60, 60);
            for (Guarded *g : {&l, &lc, &o, &oc})
                for (size_t i = 0; i < g->size(); ++i) g->data()[i] = rnd.uniform(0, 9);
            m.data()[0] = mc.data()[0];
            std::memcpy(wm.data(), m.data(), rows * 4), std::memcpy(wl.data(), l.data(), rows * 4),
                std::memcpy(wo.data(), o.data(), rows * ld * 4);
            AttnJoinArgs a{wm.data(),
                           wl.data(),
                           wo.data(),
                           mc.data(),
                           lc.data(),
                           oc.data(),
                           static_cast<int64_t>(ld),
                           static_cast<int64_t>(rows),
                           static_cast<int64_t>(n)};
            ref(&a);
            a.m = m.data(), a.l = l.data(), a.o = o.data();
            fn(&a);
            const std::string name = "rows " + std::to_string(rows) + " n " + std::to_string(n);
            r.same(m.data(), wm.data(), rows, name), r.same(l.data(), wl.data(), rows, name), r.same(o.data(), wo.data(), o.size(), name);
            r.expect(m.intact() && l.intact() && o.intact(), "%s: wrote out of bounds", name.c_str());
        }
}

}  // namespace check
