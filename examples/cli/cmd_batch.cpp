// SPDX-License-Identifier: Apache-2.0
// batch: requests as JSON lines through one continuously batched engine; results as they complete.
#include <cmath>
#include <cstdio>
#include <fstream>

#include "commands.h"
#include "request_options.h"
#include "timeline.h"

namespace cli {

namespace {

struct Job {
    std::string id;  // as JSON
    Handle<inlay_request> req;
    std::vector<int32_t> ids;
    std::string text;
};

double number_of(const Value *v, const char *name, double fallback) {
    if (!v || v->kind == Value::null) return fallback;
    if (v->kind != Value::integer && v->kind != Value::number) fail(INLAY_E_INVALID_ARGUMENT, std::string(name) + " is no number");
    return v->real;
}

int64_t whole_of(const Value *v, const char *name, int64_t fallback, int64_t lo, int64_t hi) {
    if (!v || v->kind == Value::null) return fallback;
    if (v->kind != Value::integer) fail(INLAY_E_INVALID_ARGUMENT, std::string(name) + " is no whole number");
    if (v->whole < lo || v->whole > hi)
        fail(INLAY_E_INVALID_ARGUMENT, std::string(name) + " " + std::to_string(v->whole) + " is outside of " + std::to_string(lo) + ".." + std::to_string(hi));
    return v->whole;
}

// The samplers' fields under the C struct's own names; `samplers` is their order.
void read_sampling(const Value &v, inlay_sampling_params &s, std::vector<inlay_string> &samplers) {
    auto number = [&](const char *name, float &out) { out = static_cast<float>(number_of(v.find(name), name, static_cast<double>(out))); };
    auto whole = [&](const char *name, int32_t &out, int64_t lo) { out = static_cast<int32_t>(whole_of(v.find(name), name, out, lo, INT32_MAX)); };
    s.seed = static_cast<uint64_t>(whole_of(v.find("seed"), "seed", 0, INT64_MIN, INT64_MAX));
    whole("top_k", s.top_k, -1);
    s.top_k = std::max(0, s.top_k);
    whole("penalty_last_n", s.penalty_last_n, -1);
    whole("dry_allowed_length", s.dry_allowed_length, 1);
    whole("dry_last_n", s.dry_last_n, -1);
    whole("mirostat", s.mirostat, 0);
    number("temperature", s.temperature);
    number("top_p", s.top_p);
    number("min_p", s.min_p);
    number("typical_p", s.typical_p);
    number("repetition_penalty", s.repetition_penalty);
    number("presence_penalty", s.presence_penalty);
    number("frequency_penalty", s.frequency_penalty);
    number("top_n_sigma", s.top_n_sigma);
    number("xtc_probability", s.xtc_probability);
    number("xtc_threshold", s.xtc_threshold);
    number("dry_multiplier", s.dry_multiplier);
    number("dry_base", s.dry_base);
    number("dynatemp_range", s.dynatemp_range);
    number("dynatemp_exponent", s.dynatemp_exponent);
    number("epsilon_cutoff", s.epsilon_cutoff);
    number("eta_cutoff", s.eta_cutoff);
    number("mirostat_tau", s.mirostat_tau);
    number("mirostat_eta", s.mirostat_eta);
    const Value *x = v.find("samplers");
    if (!x || x->kind == Value::null) return;
    if (x->kind != Value::array || x->items.empty()) fail(INLAY_E_INVALID_ARGUMENT, "samplers is no array of names");
    for (const Value &t : x->items) {
        if (t.kind != Value::string) fail(INLAY_E_INVALID_ARGUMENT, "samplers is no array of names");
        samplers.push_back({t.text.data(), t.text.size()});
    }
    s.samplers = samplers.data();
    s.n_samplers = static_cast<uint32_t>(samplers.size());
}

// Submits one line; BUSY comes back as null so that the caller steps first.
Handle<inlay_request> submit(inlay_runtime *rt, inlay_engine *engine, const Value &v, const std::string &line) {
    inlay_request_params p;
    inlay_request_params_init(&p, sizeof p);
    inlay_sampling_params s;
    inlay_sampling_params_init(&s, sizeof s);
    p.sampling = &s;
    p.overflow = INLAY_OVERFLOW_STOP;
    p.flags = INLAY_REQUEST_RAW_ANSWER;
    p.max_tokens = static_cast<uint32_t>(whole_of(v.find("max_tokens"), "max_tokens", 0, 0, 1 << 24));
    p.min_tokens = static_cast<uint32_t>(whole_of(v.find("min_tokens"), "min_tokens", 0, 0, 1 << 24));
    p.priority = static_cast<int32_t>(whole_of(v.find("priority"), "priority", 0, INT32_MIN, INT32_MAX));
    p.timeout_ms = static_cast<uint32_t>(whole_of(v.find("timeout_ms"), "timeout_ms", 0, 0, INT32_MAX));
    p.n = static_cast<uint32_t>(whole_of(v.find("n"), "n", 1, 1, 8));
    std::vector<inlay_string> samplers;
    read_sampling(v, s, samplers);
    if (const Value *x = v.find("ignore_eos"); x && x->flag) p.flags |= INLAY_REQUEST_IGNORE_EOS;
    std::vector<inlay_string> stops;
    if (const Value *x = v.find("stop")) {
        if (x->kind == Value::string) stops.push_back({x->text.data(), x->text.size()});
        for (const Value &t : x->items) stops.push_back({t.text.data(), t.text.size()});
    }
    p.stop = stops.data();
    p.n_stop = static_cast<uint32_t>(stops.size());
    Handle<inlay_constraint> constraint;
    if (const Value *x = v.find("json_schema")) {
        inlay_constraint *c = nullptr;
        check([&](inlay_error *e) { return inlay_constraint_create(rt, INLAY_CONSTRAINT_JSON_SCHEMA, x->raw.data(), x->raw.size(), nullptr, &c, e); });
        constraint.reset(c);
        p.constraint = c;
    }
    inlay_request *req = nullptr;
    inlay_error err{};
    inlay_status st;
    if (const Value *x = v.find("ids")) {
        std::vector<int32_t> ids;
        for (const Value &t : x->items) ids.push_back(static_cast<int32_t>(whole_of(&t, "ids", 0, INT32_MIN, INT32_MAX)));
        st = inlay_request_submit(engine, ids.data(), ids.size(), &p, &req, &err);
    } else if (const Value *m = v.find("messages"); m && m->kind == Value::array) {
        st = inlay_request_submit_messages(engine, line.data(), line.size(), &p, &req, &err);
    } else if (const Value *t = v.find("prompt"); t && t->kind == Value::string) {
        st = inlay_request_submit_text(engine, t->text.data(), t->text.size(), &p, &req, &err);
    } else {
        fail(INLAY_E_INVALID_ARGUMENT, "a request has none of prompt, ids and messages");
    }
    if (st == INLAY_E_BUSY) return nullptr;
    if (st < 0) throw Failure{st, err.message, err};
    return Handle<inlay_request>(req);
}

// Takes what a job has; true when it has ended and was printed.
bool drain(Job &j) {
    for (;;) {
        inlay_event ev{};
        ev.struct_size = sizeof ev;
        inlay_status st = check([&](inlay_error *e) { return inlay_request_poll(j.req.get(), &ev, e); });
        if (st != INLAY_OK) return false;
        if (ev.kind == INLAY_EVENT_TOKEN) j.ids.push_back(ev.token);
        bool failed = ev.kind == INLAY_EVENT_FINISH && (ev.finish == INLAY_FINISH_ERROR || ev.finish == INLAY_FINISH_NUMERIC);
        if (ev.text && !failed) j.text.append(ev.text, ev.n_text);
        if (ev.kind != INLAY_EVENT_FINISH) continue;
        inlay_request_info i{};
        i.struct_size = sizeof i;
        check([&](inlay_error *e) { return inlay_request_get_info(j.req.get(), &i, e); });
        Object o;
        o.raw("id", j.id).text("text", j.text).ids("ids", j.ids).text("finish_reason", finish_name(ev.finish));
        if (failed) o.text("error", std::string_view(ev.text ? ev.text : "", ev.n_text));
        o.integer("prompt_tokens", i.prompt_tokens).integer("cached_tokens", i.cached_tokens).integer("completion_tokens", i.completion_tokens);
        o.number("ttft_ms", static_cast<double>(i.ttft_us) * 1e-3).number("latency_ms", static_cast<double>(i.latency_us) * 1e-3);
        o.integer("preemptions", i.preemptions);
        std::string out = o.str() + "\n";
        std::fwrite(out.data(), 1, out.size(), stdout);
        std::fflush(stdout);
        return true;
    }
}

// Where fraction q of the counts lies, in milliseconds; within a bucket as if evenly spread.
double quantile_ms(const uint64_t *buckets, double q) {
    auto begin = [](uint32_t b) { return b < 4 ? static_cast<double>(b) : static_cast<double>(uint64_t{4 + b % 4} << (b / 4 - 1)); };
    double total = 0, seen = 0;
    for (uint32_t b = 0; b < INLAY_TIME_BUCKETS; ++b) total += static_cast<double>(buckets[b]);
    for (uint32_t b = 0; b < INLAY_TIME_BUCKETS; ++b) {
        const double n = static_cast<double>(buckets[b]);
        if (n > 0 && seen + n >= q * total) return (begin(b) + (begin(b + 1) - begin(b)) * (q * total - seen) / n) * 1e-3;
        seen += n;
    }
    return 0;
}

std::string times_object(const inlay_engine *engine) {
    inlay_engine_times t{};
    t.struct_size = sizeof t;
    check([&](inlay_error *e) { return inlay_engine_get_times(engine, &t, e); });
    Object o;
    auto put = [&](const char *name, const uint64_t *b) { o.raw(name, Object().number("p50", quantile_ms(b, 0.5)).number("p99", quantile_ms(b, 0.99)).str()); };
    put("step_ms", t.step);
    put("batch_ms", t.batch);
    put("queue_ms", t.queue);
    put("ttft_ms", t.first_token);
    put("token_ms", t.token);
    return o.str();
}

std::string stats_object(const inlay_engine *engine) {
    inlay_engine_stats s{};
    s.struct_size = sizeof s;
    check([&](inlay_error *e) { return inlay_engine_get_stats(engine, &s, e); });
    Object o;
    auto n = [](uint64_t v) { return static_cast<int64_t>(v); };
    o.integer("steps", n(s.steps)).integer("submitted", n(s.submitted)).integer("finished", n(s.finished)).integer("cancelled", n(s.cancelled));
    o.integer("failed", n(s.failed)).integer("preempted", n(s.preempted)).integer("prompt_tokens", n(s.prompt_tokens));
    o.integer("cached_tokens", n(s.cached_tokens)).integer("completion_tokens", n(s.completion_tokens)).integer("draft_tokens", n(s.draft_tokens));
    o.integer("accepted_tokens", n(s.accepted_tokens)).number("step_ms", static_cast<double>(s.step_ns) * 1e-6);
    o.number("forward_ms", static_cast<double>(s.forward_ns) * 1e-6).number("sample_ms", static_cast<double>(s.sample_ns) * 1e-6);
    o.integer("blocks", s.n_blocks).integer("blocks_free", s.n_blocks_free).integer("block_tokens", s.block_tokens);
    o.integer("block_groups", s.block_groups).integer("block_bytes", n(s.block_bytes));
    o.integer("swapped_out", n(s.swapped_out)).integer("swapped_in", n(s.swapped_in));
    o.raw("times", times_object(engine));
    return Object().raw("stats", o.str()).str();
}

}  // namespace

int cmd_batch(const Words &words) {
    Args a;
    Common c;
    int64_t max_seqs = 16, chunk = 0, kv_bytes = 0, swap_bytes = 0, block = 16, budget_us = 0;
    std::string policy = "fcfs", timeline;
    bool stats = false, no_cache = false, lookup = false;
    a.integer("--max-seqs", &max_seqs, 1, 1 << 16, "requests that run at once (default 16)");
    a.integer("--block-size", &block, 16, 16, "tokens a KV block: 16");
    a.integer("--chunk", &chunk, 0, 1 << 20, "prompt tokens of one request a step");
    a.integer("--kv-bytes", &kv_bytes, 0, INT64_MAX, "KV cache in bytes");
    a.integer("--swap-bytes", &swap_bytes, 0, INT64_MAX, "memory where preempted requests keep their KV blocks");
    a.text("--policy", &policy, "fcfs, priority or shortest");
    a.integer("--budget-us", &budget_us, 0, INT64_MAX, "time a step; 0 = no limit");
    a.flag("--no-prefix-cache", &no_cache, "compute every prompt in full");
    a.flag("--lookup", &lookup, "speculate by n-gram lookup");
    a.flag("--stats", &stats, "a last line with the engine's counters");
    a.text("--timeline", &timeline, "write a picture of who ran in which step (HTML)");
    c.declare(a, true);
    parse_or_help(a, words, "batch -m MODEL < LINES");
    auto rt = open_runtime(c);
    auto model = open_model(c, rt.get());
    inlay_engine_params ep;
    inlay_engine_params_init(&ep, sizeof ep);
    ep.max_requests = static_cast<uint32_t>(max_seqs);
    ep.chunk = static_cast<uint32_t>(chunk);
    ep.kv_bytes = static_cast<uint64_t>(kv_bytes);
    ep.swap_bytes = static_cast<uint64_t>(swap_bytes);
    ep.flags = (no_cache ? INLAY_ENGINE_NO_PREFIX_CACHE : 0u) | (timeline.empty() ? 0u : INLAY_ENGINE_TRACE);
    ep.lookup_tokens = lookup ? 8 : 0;
    if (policy == "fcfs") ep.policy = INLAY_POLICY_FCFS;
    else if (policy == "priority") ep.policy = INLAY_POLICY_PRIORITY;
    else if (policy == "shortest") ep.policy = INLAY_POLICY_SHORTEST;
    else throw Usage{"--policy: '" + policy + "' is none of fcfs, priority, shortest"};
    if (!c.ctx) c.ctx = std::min<uint32_t>(model_info(model.get()).n_ctx, 8192);
    auto engine = open_engine(c, model.get(), ep);

    std::vector<Job> jobs;
    std::vector<std::string> names;  // of the requests, in order of submission
    int failures = 0;
    auto step = [&] {
        inlay_status st = check([&](inlay_error *e) { return inlay_engine_step(engine.get(), static_cast<uint64_t>(budget_us), e); });
        for (size_t i = 0; i < jobs.size();) {
            if (drain(jobs[i])) jobs.erase(jobs.begin() + static_cast<ptrdiff_t>(i));
            else ++i;
        }
        return st;
    };
    for (std::string line; read_line(line) && !interrupted();) {
        std::string id = "null";
        try {
            Value v = parse_json(line);
            if (const Value *x = v.find("id")) {
                if (x->kind == Value::integer) id = std::to_string(x->whole);
                else id.clear(), append_string(id, x->text);
            }
            std::vector<inlay_request *> unused;
            Handle<inlay_request> req;
            while (!(req = submit(rt.get(), engine.get(), v, line))) step();
            names.push_back(id == "null" ? std::to_string(names.size() + 1) : id);
            const int64_t n = whole_of(v.find("n"), "n", 1, 1, 8);
            for (uint32_t k = 1; k < n; ++k) {
                inlay_request *other = nullptr;
                check([&](inlay_error *e) { return inlay_request_get_choice(req.get(), k, &other, e); });
                jobs.push_back({id, Handle<inlay_request>(other), {}, {}});
            }
            jobs.push_back({id, std::move(req), {}, {}});
        } catch (const Failure &f) {
            ++failures;
            std::string e = Object().text("status", inlay_status_name(f.status)).text("message", f.message).str();
            std::printf("%s\n", Object().raw("id", id).raw("error", e).str().c_str());
        } catch (const std::string &s) {
            ++failures;
            std::printf("%s\n", Object().raw("id", id).raw("error", Object().text("status", "INLAY_E_FORMAT").text("message", s).str()).str().c_str());
        }
    }
    while (!jobs.empty()) {
        if (interrupted())
            for (Job &j : jobs) inlay_request_cancel(j.req.get());
        step();
    }
    if (stats) std::printf("%s\n", stats_object(engine.get()).c_str());
    if (!timeline.empty()) {
        std::string trace = read_text([&](char *o, size_t *n, inlay_error *e) { return inlay_engine_get_trace(engine.get(), o, n, e); }, 1 << 20);
        std::ofstream(timeline, std::ios::binary) << timeline_page(trace, names);
    }
    return interrupted() ? 130 : failures ? 1 : 0;
}

}  // namespace cli
