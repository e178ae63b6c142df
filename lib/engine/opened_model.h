// SPDX-License-Identifier: Apache-2.0
// A model as the host opened it: configuration, packed weights, tokenizer, chat templates. Immutable once open; engines
// share it. The file itself is closed again when the weights are in.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "engine/runtime.h"
#include "io/weights_file.h"
#include "kv/store.h"
#include "model/architecture.h"
#include "model/config.h"
#include "model/weights.h"
#include "text/grammar/token_trie.h"
#include "text/tokenizer.h"

namespace inlay::engine {

struct ModelOptions {
    bool map = false;           // opt-in mmap
    bool weights = true;        // else configuration and tokenizer alone
    bool validate = false;      // refuse NaN and infinity
    int32_t layer_begin = 0, layer_end = 0;  // 0 = to the last
    std::string_view pre_tokenizer;
    std::string_view pack;  // sidecar file of packed weights; made where it is absent or stale
    model::LoadProgress progress;
};

struct MemoryEstimate {
    uint64_t weights = 0, kv = 0, scratch = 0;
};
struct EstimateFor {
    int32_t n_ctx = 0, max_requests = 1, max_batch_tokens = 512;
    kernels::KvType kv_type = kernels::KvType::f16;
};

class OpenedModel {
public:
    OpenedModel(std::shared_ptr<Runtime> runtime, Owned<io::WeightsFile> file, const ModelOptions &options);

    Runtime &runtime() const noexcept { return *runtime_; }
    const std::shared_ptr<Runtime> &runtime_handle() const noexcept { return runtime_; }
    const model::Config &config() const;    // STATE for a file that holds a tokenizer alone
    const model::Weights &weights() const;  // STATE when they were not asked for
    bool has_config() const noexcept { return config_.has_value(); }
    bool has_weights() const noexcept { return weights_ && weights_->loaded(); }
    // Null, or STATE with the reason why the file's tokenizer could not be used.
    const text::Tokenizer *tokenizer() const noexcept { return tokenizer_.get(); }
    const text::Tokenizer &need_tokenizer() const;
    std::span<const io::ChatTemplate> templates() const noexcept { return templates_; }
    const io::ChatTemplate *find_template(std::string_view name) const noexcept;  // "" = the default
    std::string_view name() const noexcept { return name_; }
    std::string_view architecture() const noexcept { return architecture_; }
    model::Fingerprint fingerprint() const noexcept { return fingerprint_; }
    // The vocabulary as a tree, for masks; made when first asked for. STATE without a tokenizer. `control`: with the control
    // tokens, written as append_control() does.
    std::shared_ptr<const text::grammar::TokenTrie> token_trie(bool control = false) const;
    uint64_t n_params() const noexcept { return n_params_; }

private:
    void open_tokenizer(const io::WeightsFile &file);

    std::shared_ptr<Runtime> runtime_;
    std::optional<model::Config> config_;
    std::optional<model::Weights> weights_;
    Owned<text::Tokenizer> tokenizer_;
    Code tokenizer_code_ = Code::not_found;
    Message tokenizer_fault_;
    Vector<io::ChatTemplate> templates_;
    String name_, architecture_;
    model::Fingerprint fingerprint_;
    uint64_t n_params_ = 0;
    mutable std::mutex trie_lock_;
    mutable std::shared_ptr<const text::grammar::TokenTrie> trie_, control_trie_;
};

// The tokenizer of a checkpoint; null when it holds none.
Owned<text::Tokenizer> read_tokenizer(Memory &m, const io::WeightsFile &file, const Limits &limits, const Log &log);

// The tokenizer of a path on its own: a checkpoint of either kind. NOT_FOUND when it holds none.
Owned<text::Tokenizer> open_tokenizer(Runtime &rt, std::string_view path);

// From metadata alone.
MemoryEstimate estimate(Runtime &rt, const io::WeightsFile &file, const EstimateFor &what);

// Bytes of cache for one token, all layers.
uint64_t kv_bytes_per_token(Memory &m, const model::Config &c, kernels::KvType type);
// Cut into groups of layers by window as far as sequences of n_ctx tokens gain by it; one group for n_ctx 0.
kv::Layout kv_layout(Memory &m, const model::Config &c, kernels::KvType type, model::LayerRange range, int64_t n_ctx);

}  // namespace inlay::engine
