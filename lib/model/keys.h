// SPDX-License-Identifier: Apache-2.0
// Hyper-parameters by key, from config.json or GGUF metadata, with range checks whose errors name the key.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/limits.h"
#include "io/gguf.h"
#include "io/json.h"
#include "io/weights_file.h"

namespace inlay::model {

class HfKeys {
public:
    HfKeys(const io::Json &root, const io::WeightsFile &file) : root_(&root), file_(&file) {}

    // Absent and null are the fallback; a wrong type is FORMAT, beyond 32 bits LIMIT.
    int32_t integer(std::string_view key, int64_t fallback) const;
    int32_t need(std::string_view key) const;
    double real(std::string_view key, double fallback) const { return io::get_double(*root_, key, fallback); }
    bool flag(std::string_view key, bool fallback) const { return io::get_bool(*root_, key, fallback); }
    std::string_view text(std::string_view key, std::string_view fallback) const { return io::get_string(*root_, key, fallback); }
    const io::Json *get(std::string_view key) const { return root_->get(key); }  // null counts as absent
    const io::Json *find(std::string_view key) const { return root_->find(key); }
    bool has(std::string_view key) const { return get(key) != nullptr; }
    const io::Json &root() const noexcept { return *root_; }
    const Limits &limits() const noexcept { return file_->limits(); }
    Memory &memory() const noexcept { return file_->memory(); }
    const io::WeightsFile &file() const noexcept { return *file_; }

private:
    const io::Json *root_;
    const io::WeightsFile *file_;
};

// Keys without their "<arch>." prefix.
class GgufKeys {
public:
    GgufKeys(const io::Gguf &g, std::string_view arch, const io::WeightsFile &file) : gguf_(&g), arch_(arch), file_(&file) {}

    int32_t integer(std::string_view key, int64_t fallback) const;
    int32_t need(std::string_view key) const;
    double real(std::string_view key, double fallback) const;
    double need_real(std::string_view key) const;
    bool flag(std::string_view key, bool fallback) const;
    std::string_view text(std::string_view key, std::string_view fallback) const;
    const io::GgufValue *find(std::string_view key) const;
    bool has(std::string_view key) const { return find(key) != nullptr; }
    // A scalar for all layers, or an array with one item a layer.
    int32_t by_layer(std::string_view key, int32_t layer, int32_t n_layers, int64_t fallback) const;
    const Limits &limits() const noexcept { return file_->limits(); }
    const io::WeightsFile &file() const noexcept { return *file_; }
    Memory &memory() const noexcept { return file_->memory(); }

private:
    int32_t item(std::string_view key, const io::GgufValue &v, uint64_t i) const;
    const io::Gguf *gguf_;
    std::string_view arch_;
    const io::WeightsFile *file_;
};

}  // namespace inlay::model
