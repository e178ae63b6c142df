// SPDX-License-Identifier: Apache-2.0
// bench: prefill, decode, batched decode, at depth; with the machine's own measured roof beside them.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "commands.h"
#include "request_options.h"
#include "roof.h"

namespace cli {

namespace {

struct Row {
    std::string test;
    std::vector<double> reps;
    double roof_fraction = 0;
    double tps() const {
        std::vector<double> v = reps;
        std::sort(v.begin(), v.end());
        return v.empty() ? 0 : v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
    }
};

// Ids that no cache has seen and that every vocabulary holds.
std::vector<int32_t> some_ids(size_t n, uint32_t n_vocab, uint32_t salt) {
    std::vector<int32_t> ids(n);
    uint32_t x = 12345 + salt * 7919;
    for (int32_t &id : ids) {
        x = x * 1664525u + 1013904223u;
        id = static_cast<int32_t>((x >> 8) % std::min(n_vocab, 20000u));
    }
    return ids;
}

Handle<inlay_request> submit(inlay_engine *engine, const std::vector<int32_t> &ids, uint32_t max_tokens) {
    inlay_request_params p;
    inlay_request_params_init(&p, sizeof p);
    inlay_sampling_params s;
    inlay_sampling_params_init(&s, sizeof s);
    s.temperature = 0;
    p.sampling = &s;
    p.max_tokens = max_tokens;
    p.flags = INLAY_REQUEST_IGNORE_EOS;
    inlay_request *r = nullptr;
    check([&](inlay_error *e) { return inlay_request_submit(engine, ids.data(), ids.size(), &p, &r, e); });
    return Handle<inlay_request>(r);
}

struct Count {
    uint64_t tokens = 0;
    bool ended = false;
};
Count poll_all(inlay_request *r) {
    Count c;
    for (;;) {
        inlay_event ev{};
        ev.struct_size = sizeof ev;
        inlay_status st = check([&](inlay_error *e) { return inlay_request_poll(r, &ev, e); });
        if (st == INLAY_DONE) c.ended = true;
        if (st != INLAY_OK) return c;
        if (ev.kind == INLAY_EVENT_TOKEN) ++c.tokens;
        if (ev.kind == INLAY_EVENT_FINISH) {
            c.ended = true;
            if (ev.finish != INLAY_FINISH_LENGTH && ev.finish != INLAY_FINISH_CANCELLED)
                fail(INLAY_E_STATE, std::string("a bench request finished with ") + finish_name(ev.finish));
        }
    }
}
void step(inlay_engine *engine) {
    if (interrupted()) fail(INLAY_E_CANCELLED, "interrupted");
    check([&](inlay_error *e) { return inlay_engine_step(engine, 0, e); });
}

// Prefill of n tokens behind `depth` that are there already: tokens/s.
double prefill(inlay_engine *engine, uint32_t n_vocab, size_t n, uint32_t salt) {
    auto r = submit(engine, some_ids(n, n_vocab, salt), 1);
    double t0 = now_ms();
    while (!poll_all(r.get()).ended) step(engine);
    return static_cast<double>(n) * 1e3 / (now_ms() - t0);
}

// n decode steps of `batch` sequences that hold `depth` tokens: tokens/s of all together.
double decode(inlay_engine *engine, uint32_t n_vocab, size_t n, size_t batch, size_t depth, uint32_t salt) {
    std::vector<Handle<inlay_request>> reqs;
    std::vector<uint64_t> made(batch, 0);
    // Those that are prefilled first decode while the others prefill: leave room for it.
    for (size_t i = 0; i < batch; ++i)
        reqs.push_back(submit(engine, some_ids(std::max<size_t>(1, depth), n_vocab, salt + static_cast<uint32_t>(i)),
                              static_cast<uint32_t>(n + 2 + batch * 64)));
    auto all_started = [&] {
        bool ok = true;
        for (size_t i = 0; i < batch; ++i) {
            made[i] += poll_all(reqs[i].get()).tokens;
            ok &= made[i] > 0;
        }
        return ok;
    };
    while (!all_started()) step(engine);
    uint64_t tokens = 0;
    double t0 = now_ms();
    for (size_t k = 0; k < n; ++k) {
        step(engine);
        for (auto &r : reqs) tokens += poll_all(r.get()).tokens;
    }
    double ms = now_ms() - t0;
    for (auto &r : reqs) inlay_request_cancel(r.get());
    for (auto &r : reqs)
        while (!poll_all(r.get()).ended) step(engine);
    return static_cast<double>(tokens) * 1e3 / ms;
}

std::string cpu_name() {
    std::ifstream f("/proc/cpuinfo");
    for (std::string line; std::getline(f, line);)
        if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
    return "unknown";
}

}  // namespace

int cmd_bench(const Words &words) {
    Args a;
    Common c;
    std::vector<int64_t> p = {512}, n = {64}, b = {1}, d = {0};
    int64_t reps = 5, chunk = 0;
    a.integers("-p", &p, "prompt lengths (default 512)");
    a.integers("-n", &n, "decode lengths (default 64)");
    a.integers("-b", &b, "sequences at once (default 1)");
    a.integers("-d", &d, "tokens that are there before (default 0)");
    a.integer("-r", &reps, 1, 1000, "repetitions (default 5)");
    a.integer("--chunk", &chunk, 0, 1 << 20, "prompt tokens a pass");
    c.declare(a, true);
    parse_or_help(a, words, "bench -m MODEL");
    auto rt = open_runtime(c);
    double t0 = now_ms();
    auto model = open_model(c, rt.get());
    double load_ms = now_ms() - t0;
    inlay_model_info mi = model_info(model.get());
    auto most = [](const std::vector<int64_t> &v) { return v.empty() ? 0 : *std::max_element(v.begin(), v.end()); };
    inlay_engine_params ep;
    inlay_engine_params_init(&ep, sizeof ep);
    ep.max_requests = static_cast<uint32_t>(std::max<int64_t>(1, most(b)));
    ep.flags = INLAY_ENGINE_NO_PREFIX_CACHE;
    ep.chunk = static_cast<uint32_t>(chunk);
    c.ctx = std::max<int64_t>(most(p) + 1, std::max<int64_t>(1, most(d)) + most(n) + 2 + most(b) * 64);
    auto engine = open_engine(c, model.get(), ep);
    inlay_runtime_info ri{};
    ri.struct_size = sizeof ri;
    check([&](inlay_error *e) { return inlay_runtime_get_info(rt.get(), &ri, e); });
    Roof roof = measure_roof(static_cast<int>(ri.n_threads));

    std::vector<Row> rows;
    ProgressBar bar("measuring", c.quiet);
    size_t total = p.size() + n.size() * b.size() * d.size(), done = 0;
    prefill(engine.get(), mi.n_vocab, 16, 99);  // warm-up: page in the weights
    for (int64_t len : p) {
        if (len == 0) continue;
        Row r{"pp" + std::to_string(len), {}, 0};
        for (int64_t i = 0; i < reps; ++i)
            r.reps.push_back(prefill(engine.get(), mi.n_vocab, static_cast<size_t>(len), static_cast<uint32_t>(i)));
        if (roof.int8_gops > 0) r.roof_fraction = r.tps() * 2e-9 * static_cast<double>(mi.layer_weights_per_token) / roof.int8_gops;
        rows.push_back(r);
        bar.show(++done, total);
    }
    for (int64_t len : n)
        for (int64_t depth : d)
            for (int64_t batch : b) {
                if (len == 0) continue;
                std::string name = "tg" + std::to_string(len);
                if (batch != 1) name += "@b" + std::to_string(batch);
                if (depth) name += "@d" + std::to_string(depth);
                Row r{name, {}, 0};
                for (int64_t i = 0; i < reps; ++i)
                    r.reps.push_back(decode(engine.get(), mi.n_vocab, static_cast<size_t>(len), static_cast<size_t>(batch),
                                            static_cast<size_t>(depth), static_cast<uint32_t>(i)));
                double bytes = static_cast<double>(mi.step_bytes) / static_cast<double>(batch) +
                               static_cast<double>(mi.kv_bytes_per_token) * (static_cast<double>(depth) + static_cast<double>(len) / 2);
                r.roof_fraction = r.tps() * bytes * 1e-9 / roof.read_gbps;
                rows.push_back(r);
                bar.show(++done, total);
            }
    rusage ru{};
    getrusage(RUSAGE_SELF, &ru);
    if (c.json) {
        std::string list;
        for (const Row &r : rows) {
            std::string v = "[";
            for (size_t i = 0; i < r.reps.size(); ++i) {
                if (i) v += ',';
                append_number(v, r.reps[i]);
            }
            list +=
                (list.empty() ? "" : ",") +
                Object().text("test", r.test).number("tps", r.tps()).raw("reps", v + "]").number("roof_fraction", r.roof_fraction).str();
        }
        Object ro;
        ro.number("read_gbps", roof.read_gbps).number("int8_gops", roof.int8_gops).number("f32_gflops", roof.f32_gflops);
        Object o;
        o.text("cpu", cpu_name()).text("tier", inlay_tier_name(ri.cpu_tier)).integer("threads", ri.n_threads).raw("roof", ro.str());
        o.raw("results", "[" + list + "]").number("load_ms", load_ms).integer("peak_rss_bytes", static_cast<int64_t>(ru.ru_maxrss) * 1024);
        std::printf("%s\n", o.str().c_str());
        return 0;
    }
    std::printf("%s · %s · %u threads · read %.1f GB/s, int8 %.0f GOP/s, f32 %.0f GFLOP/s\n", cpu_name().c_str(),
                inlay_tier_name(ri.cpu_tier), ri.n_threads, roof.read_gbps, roof.int8_gops, roof.f32_gflops);
    std::printf("%-20s %12s %12s %12s %8s\n", "test", "tokens/s", "min", "max", "of roof");
    for (const Row &r : rows)
        std::printf("%-20s %12.1f %12.1f %12.1f %7.0f%%\n", r.test.c_str(), r.tps(), *std::min_element(r.reps.begin(), r.reps.end()),
                    *std::max_element(r.reps.begin(), r.reps.end()), r.roof_fraction * 100);
    std::printf("load %.0f ms · peak RSS %.0f MB\n", load_ms, static_cast<double>(ru.ru_maxrss) * 1024e-6);
    return 0;
}

}  // namespace cli
