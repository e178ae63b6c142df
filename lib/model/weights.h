// SPDX-License-Identifier: Apache-2.0
// The tensors of a range of layers, packed for the kernels. Planning names every tensor, checks its shape and
// adds up the bytes without reading a weight; loading then reads and packs in one pass over the file, spread over the
// executor, with a few MiB of staging and never a second copy.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "io/pack_file.h"
#include "io/weights_file.h"
#include "model/architecture.h"
#include "model/config.h"
#include "tensor/packed.h"
#include "thread/executor.h"

namespace inlay::model {

// A row of f32: norm weights, biases, tables. Absent when n is 0.
struct F32 {
    int64_t offset = 0, n = 0;
    explicit operator bool() const noexcept { return n != 0; }
};

struct Norm {
    F32 weight, bias;
};

// One matrix product whose rows may come from several file tensors: equal types are packed one below the other, other
// types form a part of their own (q and k Q4_K, v Q6_K).
struct Linear {
    struct Part {
        int32_t matrix = -1;  // index for Weights::matrix()
        int32_t column = 0;   // where its rows stand in the output
    };
    Part parts[3];
    int32_t n_parts = 0;
    int64_t rows = 0, cols = 0;
    F32 bias;                      // rows values, zeros where a part has none
    bool q8 = false, f32 = false;  // which forms of activations the parts read
    explicit operator bool() const noexcept { return n_parts != 0; }
};

struct Expert {
    Linear gate_up, down;
};

struct LayerWeights {
    explicit LayerWeights(Memory &m) : experts(m) {}
    Norm attn_norm, post_attn_norm, ffn_norm, post_ffn_norm;
    F32 q_norm, k_norm, sinks;
    Linear qkv, o;
    Linear gate_up, down;  // dense; without a gate only up
    Linear router;
    F32 selection_bias;
    Vector<Expert> experts;
    Linear shared_gate_up, shared_down;
    // Latent attention: qkv holds [q or its low-rank form; latent vector; shared rotary key].
    Linear q_b, kv_b;
    Norm q_a_norm, kv_a_norm;
};

struct LayerRange {
    int32_t begin = 0, end = 0;  // [begin, end)
};

// Returns non-zero to stop. Called on the loading thread only.
struct LoadProgress {
    void *user = nullptr;
    int32_t (*fn)(void *user, uint64_t done_bytes, uint64_t total_bytes) = nullptr;
};

// Work of the one who opens that needs no weights: a task among those that read and pack them.
struct LoadBeside {
    void *user = nullptr;
    void (*fn)(void *user) = nullptr;
};

class Weights {
public:
    // Plans: FORMAT "mismatch: …" naming the tensor where one is missing or has another shape, UNSUPPORTED for its type.
    Weights(Memory &m, const io::WeightsFile &file, const Architecture &arch, const Config &config, LayerRange range);

    uint64_t bytes() const noexcept { return bytes_; }            // of memory, once loaded
    uint64_t file_bytes() const noexcept { return file_bytes_; }  // to read
    uint64_t n_params() const noexcept { return n_params_; }
    LayerRange range() const noexcept { return range_; }

    // Statuses: what reading throws, CANCELLED, OUT_OF_MEMORY, LIMIT. `file` is the plan's. With `validate`, a weight that is
    // NaN or infinite is FORMAT "numeric: …". What `beside` throws is thrown.
    void load(const io::WeightsFile &file, thread::Executor &executor, const LoadProgress &progress = {}, bool validate = false,
              const LoadBeside &beside = {});
    bool loaded() const noexcept { return loaded_; }

    // The sidecar file instead of load() (docs/io.md): maps the pack at `path` and uses it where it is this file's, made by
    // these rules; false, and nothing changed, where there is none or a stale one. FORMAT for one that is damaged. With `validate`
    // every checksum is compared and every weight looked at; else they are believed but for the small tensors'.
    bool load_pack(const io::WeightsFile &file, const io::FileSystem &files, std::string_view path, thread::Executor &executor,
                   const LoadProgress &progress, bool validate, const Log &log);
    // Writes what was loaded. UNSUPPORTED when the model did not come from files by name: nothing could tell that it changed.
    void write_pack(const io::WeightsFile &file, std::string_view path, thread::Executor &executor) const;

    const tensor::PackedMatrix &matrix(int32_t i) const noexcept { return matrices_[static_cast<size_t>(i)]; }
    const float *f32(const F32 &r) const noexcept { return r ? small_.as<float>() + r.offset : nullptr; }
    const LayerWeights &layer(int32_t i) const noexcept { return layers_[static_cast<size_t>(i - range_.begin)]; }

    // First part of a split model: the embedding; last part: final norm and head (which may be the embedding's matrix).
    int32_t embedding = -1;  // matrix, or -1
    F32 positions, token_types;
    Norm embed_norm, final_norm;
    Linear head;

private:
    friend class WeightsPlanner;
    struct MatrixSpec {
        DType dtype;
        int64_t rows, cols;
    };
    // Of a tensor that holds [cols, rows]: element (row r, column k) stands at first + k * row + r * step. 0 = [rows, cols].
    struct Stride {
        uint64_t row = 0, step = 1;
    };
    // Rows of one file tensor that become rows of a matrix.
    struct RowSource {
        const io::TensorInfo *tensor;
        int32_t matrix;
        int64_t dst_row, rows;
        uint64_t first;  // row of the tensor, taken as a table of rows; or element, when it is transposed
        Stride stride;
    };
    struct SmallSource {
        const io::TensorInfo *tensor;
        uint64_t first;     // element
        int64_t n, offset;  // n values to small_[offset]
        float plus;
        int64_t step;  // 2: even ones first, then the odd ones
    };
    struct Task;

    io::PackKey pack_key(const io::WeightsFile &file) const;
    Vector<io::PackSection> pack_sections() const;
    void check_all_finite(thread::Executor &executor) const;
    void place_matrices();
    void load_small(const io::WeightsFile &file);
    void pack(const io::WeightsFile &file, const Task &task, std::span<std::byte> staging);

    Memory *memory_;
    LayerRange range_;
    uint64_t config_id_ = 0;   // of the directory and the hyper-parameters
    Owned<io::Source> pack_;   // what views of matrices_ lie in
    Vector<MatrixSpec> specs_;
    Vector<RowSource> sources_;  // by matrix, then dst_row
    Vector<SmallSource> small_sources_;
    int64_t small_count_ = 0;
    uint64_t bytes_ = 0, file_bytes_ = 0, n_params_ = 0;
    bool loaded_ = false, validate_ = false;

    Vector<LayerWeights> layers_;
    Vector<Buffer> arenas_;  // what the matrices lie in, in order
    Vector<tensor::PackedMatrix> matrices_;
    Buffer small_;
};

// 128 bits over the tensor directory and the hyper-parameters: what checkpoints and pack files are tied to.
struct Fingerprint {
    uint64_t lo = 0, hi = 0;
};
Fingerprint fingerprint(const io::WeightsFile &file, const Config &config) noexcept;

}  // namespace inlay::model
