// SPDX-License-Identifier: Apache-2.0
// What commands share: the common options, opened handles that free themselves, failures as exceptions inside the
// program, a progress bar, Ctrl-C.
#pragma once

#include <inlay/inlay.h>

#include <memory>
#include <string>
#include <vector>

#include "args.h"
#include "json.h"

namespace cli {

// A call of the library that failed (exit 1).
struct Failure {
    inlay_status status;
    std::string message;
    inlay_error error;
};

// Calls `fn(..., &err)` and throws Failure for a negative status: check([&](inlay_error *e) { return inlay_x(…, e); }).
template <class F>
inlay_status check(F &&fn) {
    inlay_error err{};
    inlay_status st = fn(&err);
    if (st < 0) throw Failure{st, err.message, err};
    return st;
}
[[noreturn]] void fail(inlay_status status, const std::string &message);

// The two-call pattern for text: fn(char *out, size_t *io_n, inlay_error *).
template <class F>
std::string read_text(F &&fn, size_t guess = 4096) {
    std::string s(guess, '\0');
    for (;;) {
        size_t n = s.size();
        inlay_error err{};
        inlay_status st = fn(s.data(), &n, &err);
        if (st == INLAY_E_LIMIT && n > s.size()) {
            s.resize(n);
            continue;
        }
        if (st < 0) throw Failure{st, err.message, err};
        s.resize(n);
        return s;
    }
}

struct Free {
    void operator()(inlay_runtime *p) const { inlay_runtime_free(p); }
    void operator()(inlay_model *p) const { inlay_model_free(p); }
    void operator()(inlay_tokenizer *p) const { inlay_tokenizer_free(p); }
    void operator()(inlay_decoder *p) const { inlay_decoder_free(p); }
    void operator()(inlay_engine *p) const { inlay_engine_free(p); }
    void operator()(inlay_request *p) const { inlay_request_free(p); }
    void operator()(inlay_score *p) const { inlay_score_free(p); }
    void operator()(inlay_template *p) const { inlay_template_free(p); }
    void operator()(inlay_constraint *p) const { inlay_constraint_free(p); }
    void operator()(inlay_parser *p) const { inlay_parser_free(p); }
};
template <class T>
using Handle = std::unique_ptr<T, Free>;

// -m -t --cpu --memory --ctx --kv-type -q --log --json
struct Common {
    std::string model, cpu = "auto", kv_type = "f16", log = "warn", pack;
    int64_t threads = 0, memory = 0, ctx = 0;
    bool quiet = false, json = false, blas = false;

    void declare(Args &a, bool needs_model);
};

Handle<inlay_runtime> open_runtime(const Common &c);
Handle<inlay_model> open_model(const Common &c, inlay_runtime *rt);
Handle<inlay_tokenizer> open_tokenizer(const Common &c, inlay_runtime *rt);
Handle<inlay_engine> open_engine(const Common &c, inlay_model *model, inlay_engine_params &p);
int32_t kv_type_from(const std::string &name);
// A path, or a short name that `inlay models` lists and that was pulled.
std::string model_path(const std::string &name);

inlay_model_info model_info(const inlay_model *m);
inlay_tokenizer_info tokenizer_info(const inlay_tokenizer *t);
std::vector<int32_t> encode(const inlay_tokenizer *t, const std::string &text, uint32_t flags);

std::string read_file(const std::string &path);  // "-" = standard input
bool read_line(std::string &line);               // a line of standard input, ended by LF alone

// "12.3 MB of 253.1 MB" on one line of stderr; nothing when it is no terminal or quiet.
class ProgressBar {
public:
    ProgressBar(const char *label, bool quiet);
    ~ProgressBar();
    void show(uint64_t done, uint64_t total);
    static int32_t callback(void *user, uint64_t done, uint64_t total);

private:
    std::string label_;
    bool on_;
    int last_ = -1;
};

// Ctrl-C sets it; long loops look. A second one ends the program at once.
bool interrupted();
void watch_interrupt();
double now_ms();

}  // namespace cli
