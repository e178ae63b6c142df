// SPDX-License-Identifier: Apache-2.0
// Choosing the reader.
#include "text/tokenizer_file.h"

#include "text/tokenizer_gguf.h"
#include "text/tokenizer_hf.h"
#include "text/tokenizer_parts.h"
#include "text/tokenizer_sp.h"

namespace inlay::text {
namespace {

std::string_view view(const Buffer &b) noexcept { return {b.as<char>(), b.size()}; }

}  // namespace

Owned<Tokenizer> tokenizer_from_checkpoint(Memory &m, const io::WeightsFile &file, const Limits &limits, const Log &log) {
    if (const io::Gguf *g = file.gguf()) {
        if (!g->find("tokenizer.ggml.model")) return nullptr;
        return tokenizer_from_gguf(m, *g, limits, log);
    }
    const io::JsonLimits json_limits = tokenizer_json_limits(limits);
    std::optional<io::JsonDocument> config = file.side_json("tokenizer_config.json", json_limits);
    const io::Json *c = config && config->root().is_object() ? &config->root() : nullptr;
    if (auto doc = file.side_json("tokenizer.json", json_limits)) return tokenizer_from_hf(m, doc->root(), c, limits, log);
    if (auto bytes = file.side_bytes("tokenizer.model", limits.tokenizer_json_bytes)) return tokenizer_from_sp(m, view(*bytes), c, limits, log);
    // Folders from before tokenizer.json.
    auto from_parts = [&](const String &text) {
        return tokenizer_from_hf(m, io::JsonDocument::parse(m, text, json_limits, "tokenizer.json made of parts").root(), c, limits, log);
    };
    if (auto vocab = file.side_bytes("vocab.txt", limits.tokenizer_json_bytes)) return from_parts(wordpiece_parts_json(m, view(*vocab), c));
    if (auto vocab = file.side_json("vocab.json", json_limits))
        if (auto merges = file.side_bytes("merges.txt", limits.tokenizer_json_bytes)) {
            if (file.side_bytes("added_tokens.json", limits.tokenizer_json_bytes) && !(c && c->get("added_tokens_decoder")))
                fail(Code::unsupported, "added_tokens.json without added_tokens_decoder in tokenizer_config.json does not say what its tokens are");
            return from_parts(bpe_parts_json(m, vocab->root(), view(*merges), c));
        }
    return nullptr;
}

bool is_tokenizer_file(std::string_view path) noexcept { return path.ends_with(".json") || path.ends_with(".model"); }

Owned<Tokenizer> tokenizer_from_path(Memory &m, const io::FileSystem &files, std::string_view path, const Limits &limits, const Log &log) {
    Owned<io::Source> source = files.open(m, path);
    if (source->size() > limits.tokenizer_json_bytes)
        fail(Code::limit, "tokenizer file has ", source->size(), " bytes, limit ", limits.tokenizer_json_bytes);
    Buffer bytes(m, static_cast<size_t>(source->size()), 1, MemTag::general);
    source->read_at(0, {bytes.data(), bytes.size()});
    if (path.ends_with(".model")) return tokenizer_from_sp(m, view(bytes), nullptr, limits, log);
    auto doc = io::JsonDocument::parse(m, view(bytes), tokenizer_json_limits(limits), "tokenizer.json");
    return tokenizer_from_hf(m, doc.root(), nullptr, limits, log);
}

}  // namespace inlay::text
