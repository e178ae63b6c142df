// SPDX-License-Identifier: Apache-2.0
#include "io/validate.h"

#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "io/finite.h"

namespace inlay::io {

namespace {

// Whether an error says something about the files' content, or about this machine and this call.
bool about_content(const Error &e) noexcept {
    if (e.code() == Code::limit) return !e.text().starts_with("memory cap:");
    return e.code() == Code::format || e.code() == Code::unsupported;
}

class Validator {
public:
    Validator(Memory &m, const Limits &limits, const ValidateProgress &progress, size_t max)
        : memory_(m), limits_(limits), progress_(progress), max_(max), found_(Alloc<Problem>(m)) {}

    Vector<Problem> run(const FileSystem &files, std::string_view path, const Log &log) {
        Owned<WeightsFile> w;
        try {
            w = open_checkpoint(files, memory_, path, limits_, log);
        } catch (const Error &e) {
            // The path as the caller gave it is right or wrong; a shard's name that a file holds is content.
            if (!about_content(e) && !(e.code() == Code::invalid_argument && e.text().starts_with("shard name"))) throw;
            report(e, "file");
            return std::move(found_);
        }
        if (w->gguf())
            metadata(*w->gguf());
        else
            side_files(*w);
        weights(*w);
        return std::move(found_);
    }

private:
    template <class... Parts>
    void add(const Message &where, const Parts &...parts) {
        if (found_.size() > max_) return;
        Message what;
        if (found_.size() == max_)
            what << "there are more problems, " << max_ << " are shown";
        else
            (void)(what << ... << parts);
        found_.push_back(
            {make_string(memory_, found_.size() == max_ ? std::string_view("file") : where.view()), make_string(memory_, what.view())});
    }
    template <class... Parts>
    static Message place(const Parts &...parts) {
        Message m;
        (void)(m << ... << parts);
        return m;
    }
    void report(const Error &e, const char *file) {
        if (e.place().offset >= 0)
            add(place("offset ", e.place().offset), e.text());
        else
            add(place(file), e.text());
    }

    void metadata(const Gguf &g) {
        for (const GgufEntry &entry : g.entries()) {
            const GgufValue &v = entry.value;
            if (v.type() != GgufType::f32 && v.type() != GgufType::f64) continue;
            // Arrays hold scores, where -infinity has a meaning; a NaN has none anywhere.
            for (uint64_t i = 0; i < v.count(); ++i) {
                double d = v.number(i);
                if (std::isnan(d) || (!v.is_array() && std::isinf(d))) {
                    add(place("key ", quoted{entry.key}), "element ", i, " is ", d);
                    break;
                }
            }
        }
        const GgufValue *tokens = g.find("tokenizer.ggml.tokens");
        if (!tokens || !tokens->is_string_array()) return;
        for (const char *key : {"tokenizer.ggml.scores", "tokenizer.ggml.token_type"})
            if (const GgufValue *v = g.find(key); v && v->count() != tokens->count())
                add(place("key '", key, "'"), "mismatch: ", v->count(), " elements for ", tokens->count(), " tokens");
        for (const GgufEntry &entry : g.entries()) {
            if (!entry.key.starts_with("tokenizer.ggml.") || !entry.key.ends_with("_token_id") || entry.value.is_array()) continue;
            auto id = entry.value.integer();
            if (!id || *id < 0 || static_cast<uint64_t>(*id) >= tokens->count())
                add(place("key ", quoted{entry.key}), "is no id of the ", tokens->count(), " tokens");
        }
    }

    void side_files(const WeightsFile &w) {
        JsonLimits limits;
        limits.bytes = limits_.tokenizer_json_bytes;
        limits.depth = limits_.tokenizer_json_depth;
        for (const char *name : {"generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"}) {
            try {
                w.side_json(name, limits);
            } catch (const Error &e) {
                if (!about_content(e)) throw;
                add(place(name), e.text());
            }
        }
        if (!w.config())
            add(place("config.json"), "is missing");
        else if (w.tensors().empty())
            add(place("folder"), "holds no model.safetensors and no index of shards");
    }

    void weights(const WeightsFile &w) {
        Checked total = 0, done = 0;
        for (const TensorInfo &t : w.tensors()) total += t.bytes;
        for (const TensorInfo &t : w.tensors()) {
            const DTypeInfo *info = dtype_info(t.dtype);
            size_t block = info ? static_cast<size_t>(info->block_bytes) : 1;
            // Whole blocks near 1 MiB: few calls, and small enough to stay in cache.
            // raw: rounds 1 MiB down to whole blocks
            size_t piece = std::max<size_t>(block, (1u << 20) / block * block);
            Buffer buffer(memory_, t.bytes < piece ? static_cast<size_t>(t.bytes) : piece, 64, MemTag::scratch);
            bool sound = true;
            for (Checked at = 0; at < Checked(t.bytes);) {
                Checked n = std::min(Checked(t.bytes) - at, Checked(buffer.size()));
                if (progress_.tick &&
                    !progress_.tick(progress_.user, static_cast<double>(done.value()) / static_cast<double>(total.value())))
                    fail(Code::cancelled, "validation was cancelled");
                std::span<std::byte> bytes(buffer.data(), n.size());
                try {
                    w.read(t, at.value(), bytes);
                } catch (const Error &e) {
                    if (!about_content(e)) throw;
                    report(e, "file");
                    return;
                }
                if (sound) sound = check(t, at, bytes, block);
                at += n;
                done += n;
            }
        }
    }

    // One problem a tensor: the first bad place says where to look.
    bool check(const TensorInfo &t, Checked at, std::span<const std::byte> bytes, size_t block) {
        if (t.dtype == kForeignDType) {
            if (t.dtype_name != "BOOL") return true;
            for (size_t i = 0; i < bytes.size(); ++i)
                if (bytes[i] > std::byte{1}) {
                    add(place("tensor ", quoted{t.name}), "element ", at + i, " is a bool of ", static_cast<int>(bytes[i]));
                    return false;
                }
            return true;
        }
        auto bad = first_not_finite(t.dtype, bytes);
        if (!bad) return true;
        const DTypeInfo *info = dtype_info(t.dtype);
        Checked index = at / block + Checked(*bad);
        if (info->block == 1)
            add(place("tensor ", quoted{t.name}), "numeric: element ", index, " of type ", info->name, " is NaN or infinite");
        else
            add(place("tensor ", quoted{t.name}), "numeric: block ", index, " of type ", info->name,
                " has a scale that is NaN or infinite");
        return false;
    }

    Memory &memory_;
    const Limits &limits_;
    const ValidateProgress &progress_;
    size_t max_;
    Vector<Problem> found_;
};

}  // namespace

Vector<Problem> validate_checkpoint(const FileSystem &files, Memory &m, std::string_view path, const Limits &limits, const Log &log,
                                    const ValidateProgress &progress, size_t max_problems) {
    return Validator(m, limits, progress, max_problems).run(files, path, log);
}

}  // namespace inlay::io
