// SPDX-License-Identifier: Apache-2.0
// A model with all that a pass needs, for tests: opened, loaded, with a cache for one sequence or more.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cpu/tier.h"
#include "io/weights_file.h"
#include "kernels/table.h"
#include "model/forward.h"
#include "thread/pool.h"

namespace inlay_test {

using namespace inlay;

struct RunOptions {
    int threads = 1;
    int chunk = 512;
    kernels::KvType kv = kernels::KvType::f32;
    const char *cpu = "auto";
    uint64_t budget_ns = 0;  // a deadline this far ahead at each advance()
    int hurry = 0;           // after so many pauses a pass is finished without one
    int32_t declared = 0;
    bool last_only = false;  // outputs of the last row of a chunk alone; the others stay 0
};

// All logits (or, of an encoder, final states) of one sequence.
struct Result {
    std::vector<float> rows;
    int64_t width = 0;
    const float *row(int64_t i) const { return rows.data() + i * width; }
};

class TestModel {
public:
    explicit TestModel(const std::string &path)
        : file(io::open_checkpoint(files, mem, path, limits, log)),
          arch(&model::find_architecture(*file)),
          config(model::read_config(*file, *arch)),
          weights(mem, *file, *arch, config, {}) {
        thread::SerialExecutor serial;
        weights.load(*file, serial);
    }

    Result run(const std::vector<int32_t> &ids, const RunOptions &o) {
        kernels::KernelTable table = kernels::build_table(cpu::select_tiers(o.cpu, cpu::detect_tiers()));
        thread::Pool pool(mem, {.threads = o.threads});
        const model::Machine machine{&table, &pool};
        model::ForwardLimits limits;
        limits.rows = config.causal ? o.chunk : static_cast<int32_t>(ids.size());
        limits.head_rows = limits.rows;
        Owned<kv::Store> store;
        std::vector<int32_t> blocks;
        if (config.causal) {
            Vector<kv::LayerShape> shapes(mem);
            for (const auto &l : config.layers) shapes.push_back({l.n_head_kv, config.head_k, config.head_v});
            const int32_t n = kv::blocks_for(static_cast<int64_t>(ids.size())) + 3;
            store = make_owned<kv::Store>(mem, mem, kv::Layout(mem, o.kv, shapes), n);
            std::memset(
                store->page(0), 0xff,
                static_cast<size_t>(n) * static_cast<size_t>(store->layout().page_bytes()));  // NaN: what is not written is not read
            for (int32_t b = 0; b < n; ++b) blocks.push_back((b * 7 + 3) % n);                 // any order will do
            if (n % 7 == 0)
                for (int32_t b = 0; b < n; ++b) blocks[static_cast<size_t>(b)] = n - 1 - b;
        }
        model::Forward forward(mem, machine, config, weights, store.get(), limits);
        Result out;
        const bool logits = static_cast<bool>(weights.head);
        out.width = logits ? config.vocab : config.hidden;
        for (size_t at = 0; at < ids.size();) {
            const int32_t n = static_cast<int32_t>(std::min<size_t>(ids.size() - at, static_cast<size_t>(limits.rows)));
            model::Segment s;
            s.tokens = ids.data() + at;
            s.n = n;
            s.position = static_cast<int32_t>(at);
            s.pages = blocks.data();
            s.n_blocks = static_cast<int32_t>(blocks.size());
            s.declared = o.declared ? o.declared : static_cast<int32_t>(ids.size());
            const bool end = at + static_cast<size_t>(n) == ids.size();
            if (o.last_only) s.first_output = end ? n - 1 : n;
            forward.begin({&s, 1});
            for (int n_pauses = 0; !forward.advance(o.hurry && n_pauses >= o.hurry ? 0 : deadline(o)); ++n_pauses) ++pauses;
            const int32_t n_out = forward.n_outputs();
            if (logits && n_out) {
                forward.begin_head(0, n_out);
                while (!forward.advance_head(deadline(o))) ++pauses;
            }
            out.rows.resize(out.rows.size() + static_cast<size_t>((n - n_out) * out.width));
            for (int32_t i = 0; i < n_out; ++i) {
                const float *row = logits ? forward.logits(i) : forward.hidden(i);
                for (int64_t b = 0; logits && b < config.vocab; b += 256)
                    wrong_tops += forward.tops(i)[static_cast<size_t>(b / 256)] !=
                                  *std::max_element(row + b, row + std::min<int64_t>(b + 256, config.vocab));
                out.rows.insert(out.rows.end(), row, row + out.width);
            }
            at += static_cast<size_t>(n);
        }
        return out;
    }

    // Several sequences side by side, each giving up to `chunk` tokens a pass; blocks of all are interleaved.
    std::vector<Result> run_together(const std::vector<std::vector<int32_t>> &all, const RunOptions &o) {
        kernels::KernelTable table = kernels::build_table(cpu::select_tiers(o.cpu, cpu::detect_tiers()));
        thread::Pool pool(mem, {.threads = o.threads});
        const model::Machine machine{&table, &pool};
        size_t longest = 0, n = all.size();
        for (const auto &ids : all) longest = std::max(longest, ids.size());
        model::ForwardLimits limits;
        limits.rows = static_cast<int32_t>(n) * (config.causal ? o.chunk : static_cast<int32_t>(longest));
        limits.segments = static_cast<int32_t>(n);
        limits.head_rows = limits.rows;
        Owned<kv::Store> store;
        std::vector<std::vector<int32_t>> blocks(n);
        const int32_t each = kv::blocks_for(static_cast<int64_t>(longest));
        if (config.causal) {
            Vector<kv::LayerShape> shapes(mem);
            for (const auto &l : config.layers) shapes.push_back({l.n_head_kv, config.head_k, config.head_v});
            store = make_owned<kv::Store>(mem, mem, kv::Layout(mem, o.kv, shapes), each * static_cast<int32_t>(n));
            for (int32_t b = 0; b < each; ++b)
                for (size_t i = 0; i < n; ++i) blocks[i].push_back(b * static_cast<int32_t>(n) + static_cast<int32_t>(n - 1 - i));
        }
        model::Forward forward(mem, machine, config, weights, store.get(), limits);
        std::vector<Result> out(n);
        std::vector<size_t> at(n, 0);
        const bool logits = static_cast<bool>(weights.head);
        for (;;) {
            std::vector<model::Segment> segments;
            std::vector<size_t> who;
            for (size_t i = 0; i < n; ++i) {
                if (at[i] == all[i].size()) continue;
                model::Segment s;
                s.tokens = all[i].data() + at[i];
                s.n = static_cast<int32_t>(config.causal ? std::min<size_t>(static_cast<size_t>(o.chunk), all[i].size() - at[i])
                                                         : all[i].size());
                s.position = static_cast<int32_t>(at[i]);
                s.pages = blocks[i].data();
                s.n_blocks = static_cast<int32_t>(blocks[i].size());
                s.declared = static_cast<int32_t>(all[i].size());
                segments.push_back(s);
                who.push_back(i);
            }
            if (segments.empty()) return out;
            forward.begin(segments);
            forward.advance();
            if (logits) forward.begin_head(0, forward.n_outputs()), forward.advance_head();
            int32_t row = 0;
            for (size_t k = 0; k < who.size(); ++k) {
                Result &r = out[who[k]];
                r.width = logits ? config.vocab : config.hidden;
                for (int32_t i = 0; i < segments[k].n; ++i, ++row) {
                    const float *v = logits ? forward.logits(row) : forward.hidden(row);
                    r.rows.insert(r.rows.end(), v, v + r.width);
                }
                at[who[k]] += static_cast<size_t>(segments[k].n);
            }
        }
    }

    static uint64_t deadline(const RunOptions &o) {
        if (!o.budget_ns) return 0;
        return static_cast<uint64_t>(
                   std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count()) +
               o.budget_ns;
    }

    Memory mem;
    io::FileSystem files;
    Limits limits;
    Log log;
    Owned<io::WeightsFile> file;
    const model::Architecture *arch;
    model::Config config;
    model::Weights weights;
    int64_t pauses = 0;
    int64_t wrong_tops = 0;  // of rows of numbers
};

inline double nmse(const float *got, const std::vector<double> &want) {
    double e = 0, n = 0;
    for (size_t i = 0; i < want.size(); ++i) {
        const double d = static_cast<double>(got[i]) - want[i];
        e += d * d;
        n += want[i] * want[i];
    }
    return e / n;
}

inline bool same_last_row(const Result &a, const Result &b) {
    const size_t at = a.rows.size() - static_cast<size_t>(a.width);
    return a.rows.size() == b.rows.size() &&
           std::memcmp(a.rows.data() + at, b.rows.data() + at, static_cast<size_t>(a.width) * sizeof(float)) == 0;
}

inline bool same_bits(const Result &a, const Result &b) {
    return a.rows.size() == b.rows.size() && std::memcmp(a.rows.data(), b.rows.data(), a.rows.size() * sizeof(float)) == 0;
}

}  // namespace inlay_test
