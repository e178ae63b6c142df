// SPDX-License-Identifier: Apache-2.0
// Options of generate, chat and batch that become inlay_request_params: sampling, stops, constraint.
#pragma once

#include "session.h"

namespace cli {

struct RequestOptions {
    int64_t max_tokens = 0, top_k = 0, seed = 0, penalty_last_n = 64, min_tokens = 0, lookup = 0, best_of = 0, beams = 0;
    double temperature = 0.8, top_p = 1, min_p = 0, typical_p = 1, repeat_penalty = 1, presence = 0, frequency = 0, length_penalty = 1;
    double xtc_probability = 0, xtc_threshold = 0.1, dry_multiplier = 0, top_n_sigma = 0, mirostat_tau = 5, mirostat_eta = 0.1;
    int64_t mirostat = 0;
    bool ignore_eos = false, use_lookup = false;
    std::vector<std::string> stop, choices;
    std::string samplers, grammar, schema, regex, draft, early_stopping = "likely";

    void declare(Args &a);
    // Fills the params; the pointers in them live as long as this object.
    void fill(inlay_runtime *rt, inlay_request_params &p);

private:
    inlay_sampling_params sampling_;
    std::vector<inlay_string> stops_, samplers_;
    Handle<inlay_constraint> constraint_;
};

// --grammar, --json-schema, --regex or --choice as a constraint; null when none is given.
Handle<inlay_constraint> make_constraint(inlay_runtime *rt, const std::string &grammar, const std::string &schema, const std::string &regex,
                                         const std::vector<std::string> &choices, bool allow_unknown);

// Steps the engine until the request ends; `on_text` sees pieces as they come. Ctrl-C cancels.
struct ToolCall {
    std::string name, arguments, id;
    bool done = false;
};
struct Outcome {
    std::string text, reasoning, error;
    std::vector<ToolCall> calls;
    std::vector<std::string> malformed;
    std::vector<int32_t> ids;
    int32_t finish = 0;
    inlay_request_info info{};
};
Outcome run_to_end(inlay_engine *engine, inlay_request *req, const std::function<void(std::string_view)> &on_text);
const char *finish_name(int32_t finish);

}  // namespace cli
