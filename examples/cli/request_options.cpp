// SPDX-License-Identifier: Apache-2.0
#include "request_options.h"

namespace cli {

void RequestOptions::declare(Args &a) {
    a.integer("-n", &max_tokens, 0, 1 << 24, "tokens to generate at most (default: to the end of the context)");
    a.alias("--max-tokens", "-n");
    a.number("--temp", &temperature, "temperature; 0 = greedy (default 0.8)");
    a.integer("--top-k", &top_k, -1, INT32_MAX, "keep the k most likely; 0 = off");
    a.number("--top-p", &top_p, "keep the smallest set with this probability; 1 = off");
    a.number("--min-p", &min_p, "drop tokens below this share of the best; 0 = off");
    a.number("--typical-p", &typical_p, "locally typical sampling; 1 = off");
    a.number("--repeat-penalty", &repeat_penalty, "1 = off");
    a.number("--presence-penalty", &presence, "0 = off");
    a.number("--frequency-penalty", &frequency, "0 = off");
    a.integer("--repeat-last-n", &penalty_last_n, -1, INT32_MAX, "tokens that penalties look back (default 64, -1 = all)");
    a.number("--xtc-probability", &xtc_probability, "0 = off");
    a.number("--xtc-threshold", &xtc_threshold, "default 0.1");
    a.number("--dry-multiplier", &dry_multiplier, "0 = off");
    a.number("--top-n-sigma", &top_n_sigma, "0 = off");
    a.integer("--mirostat", &mirostat, 0, 2, "0 = off, 1, 2");
    a.number("--mirostat-tau", &mirostat_tau, "default 5");
    a.number("--mirostat-eta", &mirostat_eta, "default 0.1");
    a.text("--samplers", &samplers, "their order, as in 'penalties;top_k;top_p;temperature'; one that is left out is off");
    a.integer("--seed", &seed, INT64_MIN, INT64_MAX, "the same seed gives the same text (default 0)");
    a.integer("--min-tokens", &min_tokens, 0, 1 << 24, "no end before so many tokens");
    a.integer("--best-of", &best_of, 0, 8, "draw so many answers, give the most probable");
    a.integer("--beams", &beams, 0, 8, "beam search with so many beams");
    a.number("--length-penalty", &length_penalty, "rank by log probability / tokens^this (default 1)");
    a.text("--early-stopping", &early_stopping, "of a beam search: likely (default), yes, never");
    a.texts("--stop", &stop, "end at this text (repeatable)");
    a.flag("--ignore-eos", &ignore_eos, "go on after the end token");
    a.text("--grammar", &grammar, "file: the answer matches this GBNF grammar");
    a.text("--json-schema", &schema, "file: the answer is JSON of this schema");
    a.text("--regex", &regex, "the answer matches this expression");
    a.texts("--choice", &choices, "the answer is one of these (repeatable)");
    a.text("--draft", &draft, "a smaller model of the same vocabulary that speculates");
    a.flag("--lookup", &use_lookup, "speculate by n-gram lookup");
}

Handle<inlay_constraint> make_constraint(inlay_runtime *rt, const std::string &grammar, const std::string &schema, const std::string &regex,
                                         const std::vector<std::string> &choices, bool allow_unknown) {
    int given = !grammar.empty() + !schema.empty() + !regex.empty() + !choices.empty();
    if (given == 0) return nullptr;
    if (given > 1) throw Usage{"only one of --grammar, --json-schema, --regex and --choice"};
    int32_t kind = INLAY_CONSTRAINT_REGEX;
    std::string source = regex;
    if (!grammar.empty()) kind = INLAY_CONSTRAINT_GBNF, source = read_file(grammar);
    if (!schema.empty()) kind = INLAY_CONSTRAINT_JSON_SCHEMA, source = read_file(schema);
    if (!choices.empty()) {
        kind = INLAY_CONSTRAINT_CHOICES;
        source = "[";
        for (const std::string &c : choices) {
            if (source.size() > 1) source += ',';
            append_string(source, c);
        }
        source += ']';
    }
    inlay_constraint_params p{};
    p.struct_size = sizeof p;
    p.flags = allow_unknown ? INLAY_CONSTRAINT_ALLOW_UNKNOWN : 0;
    inlay_constraint *c = nullptr;
    check([&](inlay_error *e) { return inlay_constraint_create(rt, kind, source.data(), source.size(), &p, &c, e); });
    return Handle<inlay_constraint>(c);
}

void RequestOptions::fill(inlay_runtime *rt, inlay_request_params &p) {
    inlay_request_params_init(&p, sizeof p);
    inlay_sampling_params_init(&sampling_, sizeof sampling_);
    sampling_.seed = static_cast<uint64_t>(seed);
    sampling_.temperature = static_cast<float>(temperature);
    sampling_.top_k = static_cast<int32_t>(top_k < 0 ? 0 : top_k);
    sampling_.top_p = static_cast<float>(top_p);
    sampling_.min_p = static_cast<float>(min_p);
    sampling_.typical_p = static_cast<float>(typical_p);
    sampling_.repetition_penalty = static_cast<float>(repeat_penalty);
    sampling_.presence_penalty = static_cast<float>(presence);
    sampling_.frequency_penalty = static_cast<float>(frequency);
    sampling_.penalty_last_n = static_cast<int32_t>(penalty_last_n);
    sampling_.xtc_probability = static_cast<float>(xtc_probability);
    sampling_.xtc_threshold = static_cast<float>(xtc_threshold);
    sampling_.dry_multiplier = static_cast<float>(dry_multiplier);
    sampling_.top_n_sigma = static_cast<float>(top_n_sigma);
    sampling_.mirostat = static_cast<int32_t>(mirostat);
    sampling_.mirostat_tau = static_cast<float>(mirostat_tau);
    sampling_.mirostat_eta = static_cast<float>(mirostat_eta);
    samplers_.clear();
    for (size_t at = 0; at < samplers.size();) {
        size_t end = std::min(samplers.find(';', at), samplers.size());
        samplers_.push_back({samplers.data() + at, end - at});
        at = end + 1;
    }
    sampling_.samplers = samplers_.data();
    sampling_.n_samplers = static_cast<uint32_t>(samplers_.size());
    if (beams > 1 && temperature == RequestOptions{}.temperature) sampling_.temperature = 1;  // beams don't draw: the default says nothing
    p.sampling = &sampling_;
    p.max_tokens = static_cast<uint32_t>(max_tokens);
    p.min_tokens = static_cast<uint32_t>(min_tokens);
    p.overflow = INLAY_OVERFLOW_STOP;
    p.best_of = static_cast<uint32_t>(best_of);
    p.beam_width = static_cast<uint32_t>(beams);
    p.length_penalty = static_cast<float>(length_penalty);
    if (early_stopping == "yes")
        p.early_stopping = INLAY_EARLY_STOPPING_YES;
    else if (early_stopping == "never")
        p.early_stopping = INLAY_EARLY_STOPPING_NEVER;
    else if (early_stopping != "likely")
        throw Usage{"--early-stopping is '" + early_stopping + "', not likely, yes or never"};
    if (ignore_eos) p.flags |= INLAY_REQUEST_IGNORE_EOS;
    stops_.clear();
    for (const std::string &s : stop) stops_.push_back({s.data(), s.size()});
    p.stop = stops_.data();
    p.n_stop = static_cast<uint32_t>(stops_.size());
    constraint_ = make_constraint(rt, grammar, schema, regex, choices, false);
    p.constraint = constraint_.get();
}

Outcome run_to_end(inlay_engine *engine, inlay_request *req, const std::function<void(std::string_view)> &on_text) {
    Outcome out;
    bool cancelled = false;
    for (;;) {
        if (interrupted() && !cancelled) {
            inlay_request_cancel(req);
            cancelled = true;
        }
        inlay_event ev{};
        ev.struct_size = sizeof ev;
        inlay_status st = check([&](inlay_error *e) { return inlay_request_poll(req, &ev, e); });
        if (st == INLAY_DONE) break;
        if (st == INLAY_AGAIN) {
            check([&](inlay_error *e) { return inlay_engine_step(engine, 0, e); });
            continue;
        }
        std::string_view text(ev.text ? ev.text : "", ev.n_text);
        if (ev.kind == INLAY_EVENT_TOKEN) out.ids.push_back(ev.token);
        if (ev.kind == INLAY_EVENT_FINISH) {
            out.finish = ev.finish;
            if (ev.finish == INLAY_FINISH_ERROR || ev.finish == INLAY_FINISH_NUMERIC) {
                out.error = text;
                continue;
            }
        }
        if (ev.kind == INLAY_EVENT_TOKEN || ev.kind == INLAY_EVENT_FINISH || ev.kind == INLAY_EVENT_CONTENT) {
            out.text += text;
            if (on_text && !text.empty()) on_text(text);
        }
        if (ev.kind == INLAY_EVENT_REASONING) out.reasoning += text;
        if (ev.kind == INLAY_EVENT_MALFORMED) out.malformed.emplace_back(text);
        if (ev.kind == INLAY_EVENT_TOOL_CALL) out.calls.push_back({std::string(text), {}, {}, false});
        if (ev.kind == INLAY_EVENT_TOOL_ARGUMENTS && !out.calls.empty()) out.calls.back().arguments += text;
        if (ev.kind == INLAY_EVENT_TOOL_END && !out.calls.empty()) {
            out.calls.back().done = true;
            if (ev.call_id) out.calls.back().id.assign(ev.call_id, ev.n_call_id);
        }
    }
    out.info.struct_size = sizeof out.info;
    check([&](inlay_error *e) { return inlay_request_get_info(req, &out.info, e); });
    return out;
}

const char *finish_name(int32_t finish) {
    switch (finish) {
    case INLAY_FINISH_STOP: return "stop";
    case INLAY_FINISH_LENGTH: return "length";
    case INLAY_FINISH_TOOL_CALLS: return "tool_calls";
    case INLAY_FINISH_CANCELLED: return "cancelled";
    case INLAY_FINISH_DEADLINE: return "deadline";
    case INLAY_FINISH_DEAD_END: return "dead_end";
    case INLAY_FINISH_NUMERIC: return "numeric";
    case INLAY_FINISH_ERROR: return "error";
    default: return "none";
    }
}

}  // namespace cli
