// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include <unistd.h>

#include "models.h"

namespace cli {

void fail(inlay_status status, const std::string &message) { throw Failure{status, message, {}}; }

void Common::declare(Args &a, bool needs_model) {
    if (needs_model) {
        a.text("--model", &model, "a .gguf file, a Hugging Face folder, or a name that `inlay models` lists");
        a.alias("-m", "--model");
        a.text("--kv-type", &kv_type, "f16 (default), q8_0, f32, bf16");
        a.text("--pack", &pack, "sidecar file of packed weights: made if it is not there, mapped if it is");
        a.integer("--ctx", &ctx, 0, 1 << 24, "tokens a sequence may hold (default: the model's)");
    }
    a.integer("--threads", &threads, 0, 1024, "threads; 0 = physical cores");
    a.alias("-t", "--threads");
    a.text("--cpu", &cpu, "kernel tier: auto, scalar, avx2, avxvnni, avx512, avx512vnni, neon, dotprod, i8mm");
    a.flag("--blas", &blas, "f32 weights by OpenBLAS, in a build that has it: other bits");
    a.integer("--memory", &memory, 0, INT64_MAX, "hard cap in bytes; 0 = none");
    a.flag("--quiet", &quiet, "no progress, no notes");
    a.alias("-q", "--quiet");
    a.text("--log", &log, "error, warn, info, debug");
    a.flag("--json", &json, "machine-readable output");
}

namespace {

void log_line(void *, int32_t level, const char *text, size_t n) {
    static const char *names[] = {"", "error", "warning", "info", "debug"};
    std::fprintf(stderr, "inlay: %s: %.*s\n", names[level < 0 || level > 4 ? 0 : level], static_cast<int>(n), text);
}

int32_t log_level(const std::string &name) {
    if (name == "error") return INLAY_LOG_ERROR;
    if (name == "warn") return INLAY_LOG_WARN;
    if (name == "info") return INLAY_LOG_INFO;
    if (name == "debug") return INLAY_LOG_DEBUG;
    throw Usage{"--log: '" + name + "' is none of error, warn, info, debug"};
}

volatile std::sig_atomic_t stop_count = 0;
void on_interrupt(int) {
    if (++stop_count > 1) _exit(130);
}

}  // namespace

Handle<inlay_runtime> open_runtime(const Common &c) {
    inlay_runtime_params p;
    inlay_runtime_params_init(&p, sizeof p);
    p.n_threads = static_cast<uint32_t>(c.threads);
    p.memory_bytes = static_cast<uint64_t>(c.memory);
    p.flags = c.blas ? INLAY_RUNTIME_BLAS : 0;
    p.log = log_line;
    p.log_level = c.quiet ? INLAY_LOG_ERROR : log_level(c.log);
    check([&](inlay_error *e) { return inlay_tier_parse(c.cpu.data(), c.cpu.size(), &p.cpu_tier, e); });
    inlay_runtime *rt = nullptr;
    check([&](inlay_error *e) { return inlay_runtime_create(&p, &rt, e); });
    return Handle<inlay_runtime>(rt);
}

std::string model_path(const std::string &name) {
    if (name.empty()) throw Usage{"-m MODEL is missing"};
    std::error_code ec;
    if (std::filesystem::exists(name, ec)) return name;
    std::string pulled = pulled_path(name);
    return pulled.empty() ? name : pulled;
}

Handle<inlay_model> open_model(const Common &c, inlay_runtime *rt) {
    std::string path = model_path(c.model);
    ProgressBar bar("loading", c.quiet);
    inlay_model_params p;
    inlay_model_params_init(&p, sizeof p);
    p.progress = [](void *user, uint64_t done, uint64_t total) -> int32_t {
        ProgressBar::callback(user, done, total);
        return interrupted();
    };
    p.progress_user = &bar;
    p.pack = {c.pack.data(), c.pack.size()};
    inlay_model *m = nullptr;
    check([&](inlay_error *e) { return inlay_model_open(rt, path.data(), path.size(), &p, &m, e); });
    return Handle<inlay_model>(m);
}

Handle<inlay_tokenizer> open_tokenizer(const Common &c, inlay_runtime *rt) {
    std::string path = model_path(c.model);
    inlay_tokenizer *t = nullptr;
    check([&](inlay_error *e) { return inlay_tokenizer_open(rt, path.data(), path.size(), &t, e); });
    return Handle<inlay_tokenizer>(t);
}

int32_t kv_type_from(const std::string &name) {
    if (name == "f16") return INLAY_KV_F16;
    if (name == "q8_0") return INLAY_KV_Q8_0;
    if (name == "f32") return INLAY_KV_F32;
    if (name == "bf16") return INLAY_KV_BF16;
    throw Usage{"--kv-type: '" + name + "' is none of f16, q8_0, f32, bf16"};
}

Handle<inlay_engine> open_engine(const Common &c, inlay_model *model, inlay_engine_params &p) {
    p.kv_type = kv_type_from(c.kv_type);
    if (c.ctx) p.n_ctx = static_cast<uint32_t>(c.ctx);
    inlay_engine *e = nullptr;
    check([&](inlay_error *err) { return inlay_engine_create(model, &p, &e, err); });
    return Handle<inlay_engine>(e);
}

inlay_model_info model_info(const inlay_model *m) {
    inlay_model_info i{};
    i.struct_size = sizeof i;
    check([&](inlay_error *e) { return inlay_model_get_info(m, &i, e); });
    return i;
}

inlay_tokenizer_info tokenizer_info(const inlay_tokenizer *t) {
    inlay_tokenizer_info i{};
    i.struct_size = sizeof i;
    check([&](inlay_error *e) { return inlay_tokenizer_get_info(t, &i, e); });
    return i;
}

std::vector<int32_t> encode(const inlay_tokenizer *t, const std::string &text, uint32_t flags) {
    std::vector<int32_t> ids(text.size() + 16);
    for (;;) {
        size_t n = ids.size();
        inlay_error err{};
        inlay_status st = inlay_tokenizer_encode(t, text.data(), text.size(), flags, ids.data(), nullptr, &n, &err);
        if (st == INLAY_E_LIMIT && n > ids.size()) {
            ids.resize(n);
            continue;
        }
        if (st < 0) throw Failure{st, err.message, err};
        ids.resize(n);
        return ids;
    }
}

std::string read_file(const std::string &path) {
    std::ostringstream s;
    if (path == "-") {
        s << std::cin.rdbuf();
        return s.str();
    }
    std::error_code ec;
    if (std::filesystem::is_directory(path, ec)) fail(INLAY_E_IO, "'" + path + "' is a folder");
    std::ifstream f(path, std::ios::binary);
    if (!f) fail(INLAY_E_NOT_FOUND, "can't open '" + path + "'");
    s << f.rdbuf();
    return s.str();
}

bool read_line(std::string &line) {
    while (std::getline(std::cin, line)) {
        if (line.find_first_not_of(" \t\r") != std::string::npos) return true;
    }
    return false;
}

ProgressBar::ProgressBar(const char *label, bool quiet) : label_(label), on_(!quiet && isatty(2)) {}

ProgressBar::~ProgressBar() {
    if (on_ && last_ >= 0) std::fprintf(stderr, "\r\033[K");
}

void ProgressBar::show(uint64_t done, uint64_t total) {
    if (!on_ || !total) return;
    int percent = static_cast<int>(static_cast<double>(done) * 100 / static_cast<double>(total));
    if (percent == last_) return;
    last_ = percent;
    char bar[41];
    for (int i = 0; i < 40; ++i) bar[i] = i * 100 < percent * 40 ? '#' : '.';
    bar[40] = 0;
    std::fprintf(stderr, "\r%s [%s] %3d %%  %.1f of %.1f MB", label_.c_str(), bar, percent, static_cast<double>(done) * 1e-6,
                 static_cast<double>(total) * 1e-6);
}

int32_t ProgressBar::callback(void *user, uint64_t done, uint64_t total) {
    static_cast<ProgressBar *>(user)->show(done, total);
    return 0;
}

bool interrupted() { return stop_count > 0; }

void watch_interrupt() {
    struct sigaction a {};
    a.sa_handler = on_interrupt;
    sigaction(SIGINT, &a, nullptr);
    signal(SIGPIPE, SIG_IGN);
}

double now_ms() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

}  // namespace cli
