// SPDX-License-Identifier: Apache-2.0
// One view of a model on disk, whatever its container: a GGUF file (with its splits) or a Hugging Face folder (with
// its shards). It holds the tensor directory and small metadata; weights are read on demand, from any thread.
// Nothing here knows what a tensor means.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "base/log.h"
#include "io/arena.h"
#include "io/gguf.h"
#include "io/json.h"
#include "io/source.h"
#include "io/tensor_info.h"

namespace inlay::io {

struct ChatTemplate {
    String name;  // "default", "tool_use", …
    String text;
};

class WeightsFile {
public:
    enum class Kind : uint8_t { gguf, hf };
    Kind kind() const noexcept { return kind_; }
    std::span<const TensorInfo> tensors() const noexcept { return tensors_; }  // file order
    const TensorInfo *find(std::string_view name) const noexcept;
    // Bytes [from, from + out.size()) of the tensor.
    void read(const TensorInfo &t, uint64_t from, std::span<std::byte> out) const;
    // The tensor's bytes where the source is memory or a mapping; else empty.
    std::span<const std::byte> in_memory(const TensorInfo &t) const noexcept;
    const Source &source(uint32_t i) const noexcept { return *sources_[i]; }
    uint32_t n_sources() const noexcept { return static_cast<uint32_t>(sources_.size()); }

    // GGUF: the first file's metadata. Null for a folder.
    const Gguf *gguf() const noexcept { return ggufs_.empty() ? nullptr : ggufs_[0].get(); }
    // Folder: config.json. Null for GGUF, and for a folder that holds a tokenizer alone.
    const Json *config() const noexcept { return config_ ? &config_->root() : nullptr; }

    // Folder: other files by plain name ("tokenizer.json", "tokenizer_config.json", "generation_config.json",
    // "tokenizer.model", "vocab.txt", "merges.txt"), read anew at each call; nullopt where absent, and for GGUF.
    std::optional<JsonDocument> side_json(std::string_view name, const JsonLimits &limits) const;
    std::optional<Buffer> side_bytes(std::string_view name, uint64_t cap_bytes) const;

    // Both kinds: `tokenizer.chat_template[.<name>]`, or chat_template.jinja / tokenizer_config.json. The unnamed one is
    // "default" and comes first. May be empty.
    Vector<ChatTemplate> chat_templates() const;

    Memory &memory() const noexcept { return *memory_; }
    const Limits &limits() const noexcept { return limits_; }

    WeightsFile(Memory &m, Kind kind, const Limits &limits);  // for the openers below

private:
    friend class WeightsBuilder;
    Memory *memory_;
    Kind kind_;
    Limits limits_;
    const FileSystem *files_ = nullptr;  // folder: where side files come from
    String folder_;
    Vector<Owned<Source>> sources_;
    Vector<Owned<Gguf>> ggufs_;  // one a source; names live in them
    Arena names_;                // folder: names live here
    std::optional<JsonDocument> config_;
    Vector<TensorInfo> tensors_;
    Vector<uint32_t> by_name_;  // order by name
};

// `path`: a .gguf file (any one of its splits), or a folder. `files` must outlive the result.
Owned<WeightsFile> open_checkpoint(const FileSystem &files, Memory &m, std::string_view path, const Limits &limits, const Log &log,
                                   OpenMode mode = OpenMode::read);
// One GGUF file from memory, a descriptor or the host. A split file is refused here: its siblings have no names.
Owned<WeightsFile> open_gguf(Memory &m, Owned<Source> source, const Limits &limits, const Log &log);

}  // namespace inlay::io
