// SPDX-License-Identifier: Apache-2.0
// info and validate: looking at files.
#include <cstdio>

#include "commands.h"
#include "session.h"

namespace cli {

int cmd_info(const Words &words) {
    Args a;
    Common c;
    std::string path;
    int64_t ctx = 0, max_seqs = 1;
    a.positional("PATH", &path, true, "a .gguf file or a Hugging Face folder");
    a.integer("--ctx", &ctx, 0, 1 << 24, "estimate for so many tokens a sequence (default: the model's)");
    a.integer("--max-seqs", &max_seqs, 1, 1 << 16, "... and so many sequences");
    c.declare(a, false);
    parse_or_help(a, words, "info PATH");
    auto rt = open_runtime(c);
    path = model_path(path);
    std::string info = read_text(
        [&](char *o, size_t *n, inlay_error *e) { return inlay_file_info(rt.get(), path.data(), path.size(), o, n, e); }, 1 << 16);
    inlay_estimate_params p{};
    p.struct_size = sizeof p;
    p.n_ctx = static_cast<uint32_t>(ctx);
    p.max_requests = static_cast<uint32_t>(max_seqs);
    inlay_estimate est{};
    est.struct_size = sizeof est;
    inlay_error err{};
    std::string estimate;
    // A file with a tokenizer alone has no estimate; its metadata is still worth showing.
    if (inlay_model_estimate(rt.get(), path.data(), path.size(), &p, &est, &err) == INLAY_OK) {
        Object o;
        o.integer("weights_bytes", static_cast<int64_t>(est.weights_bytes)).integer("kv_bytes", static_cast<int64_t>(est.kv_bytes));
        o.integer("scratch_bytes", static_cast<int64_t>(est.scratch_bytes)).integer("total_bytes", static_cast<int64_t>(est.total_bytes));
        estimate = o.str();
    } else {
        estimate = Object().text("unavailable", err.message).str();
    }
    if (c.json) {
        info.insert(info.rfind('}'), ",\"estimate\":" + estimate);
        std::printf("%s\n", info.c_str());
        return 0;
    }
    Value v = parse_json(info);
    for (const auto &[k, x] : v.members) {
        if (x.kind == Value::array) {
            std::printf("%s: %zu\n", k.c_str(), x.items.size());
            for (const Value &t : x.items) {
                const Value *name = t.find("name"), *type = t.find("type"), *shape = t.find("shape");
                if (!name || !type) continue;
                std::string dims;
                if (shape)
                    for (const Value &d : shape->items) dims += (dims.empty() ? "" : " x ") + std::to_string(d.whole);
                std::printf("  %-40s %-8s %s\n", name->text.c_str(), type->text.c_str(), dims.c_str());
            }
        } else if (x.kind == Value::object) {
            std::printf("%s:\n", k.c_str());
            for (const auto &[mk, m] : x.members) {
                std::string s = m.kind == Value::string    ? m.text
                                : m.kind == Value::integer ? std::to_string(m.whole)
                                : m.kind == Value::boolean ? (m.flag ? "true" : "false")
                                : m.kind == Value::number  ? std::to_string(m.real)
                                                           : m.raw;
                for (char &ch : s)
                    if (static_cast<unsigned char>(ch) < 0x20) ch = ' ';
                std::printf("  %-44s %s\n", mk.c_str(), s.substr(0, 90).c_str());
            }
        } else {
            std::printf("%s: %s\n", k.c_str(), x.kind == Value::string ? x.text.c_str() : std::to_string(x.whole).c_str());
        }
    }
    if (est.total_bytes)
        std::printf("memory: weights %.1f MB, KV %.1f MB, scratch %.1f MB, in all %.1f MB\n", static_cast<double>(est.weights_bytes) * 1e-6,
                    static_cast<double>(est.kv_bytes) * 1e-6, static_cast<double>(est.scratch_bytes) * 1e-6,
                    static_cast<double>(est.total_bytes) * 1e-6);
    else
        std::printf("memory: no estimate (%s)\n", err.message);
    return 0;
}

int cmd_validate(const Words &words) {
    Args a;
    Common c;
    std::string path;
    a.positional("PATH", &path, true, "a .gguf file or a Hugging Face folder");
    c.declare(a, false);
    parse_or_help(a, words, "validate PATH");
    auto rt = open_runtime(c);
    path = model_path(path);
    std::string report = read_text(
        [&](char *o, size_t *n, inlay_error *e) { return inlay_file_validate(rt.get(), path.data(), path.size(), o, n, e); }, 1 << 16);
    Value v = parse_json(report);
    const Value *ok = v.find("ok");
    bool good = ok && ok->flag;
    if (c.json) {
        std::printf("%s\n", report.c_str());
    } else if (good) {
        std::printf("ok\n");
    } else if (const Value *problems = v.find("problems")) {
        for (const Value &p : problems->items) {
            const Value *where = p.find("where"), *what = p.find("what");
            std::printf("%s: %s\n", where ? where->text.c_str() : "?", what ? what->text.c_str() : "?");
        }
    }
    return good ? 0 : 1;
}

}  // namespace cli
