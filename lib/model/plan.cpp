// SPDX-License-Identifier: Apache-2.0
// Which tensors a range of layers needs, under which names, in which shapes, and where each goes.
#include <algorithm>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"
#include "model/weights.h"
#include "tensor/activations.h"

namespace inlay::model {

namespace {

// Hugging Face files differ in what stands before the stems, by the class that saved them.
constexpr std::string_view kHfPrefixes[] = {"model.", "",        "transformer.", "language_model.model.", "model.language_model.",
                                            "bert.",  "roberta."};

using Kind = io::WeightsFile::Kind;

Message &put(Message &m, std::span<const uint64_t> dims) {
    m << '[';
    for (size_t i = 0; i < dims.size(); ++i) m << (i ? ", " : "") << dims[i];
    return m << ']';
}

}  // namespace

class WeightsPlanner {
public:
    WeightsPlanner(Weights &w, const io::WeightsFile &file, const Architecture &arch, const Config &c)
        : w_(w), file_(file), arch_(arch), c_(c) {
        if (file.kind() != Kind::hf) return;
        const TensorName embd = tensor_name(arch, Kind::hf, Role::token_embd);
        for (std::string_view prefix : kHfPrefixes) {
            prefix_ = prefix;
            if (file.find(name(embd, ".weight", -1, -1).view())) return;
        }
        prefix_ = kHfPrefixes[0];
    }

    void plan() {
        const bool first = w_.range_.begin == 0, last = w_.range_.end == c_.n_layers;
        const bool own_head = c_.head && last && has_own_head();
        const bool embedding_is_head = c_.head && last && !own_head;
        if (first || embedding_is_head) {
            Linear l = linear({{Role::token_embd}}, c_.vocab, c_.hidden, -1, -1, Presence::no);
            w_.embedding = l.parts[0].matrix;
            if (embedding_is_head) w_.head = l;
        }
        if (first) {
            if (c_.n_positions) w_.positions = small(Role::position_embd, c_.n_positions, c_.hidden, -1, ".weight");
            if (c_.n_token_types) w_.token_types = small(Role::type_embd, c_.n_token_types, c_.hidden, -1, ".weight");
            if (c_.embed_norm) w_.embed_norm = norm(Role::embd_norm, c_.hidden, -1);
        }
        for (int32_t i = w_.range_.begin; i < w_.range_.end; ++i) {
            w_.layers_.emplace_back(*w_.memory_);
            layer(w_.layers_.back(), i);
        }
        if (last && c_.final_norm) w_.final_norm = norm(Role::final_norm, c_.hidden, -1);
        if (own_head) w_.head = linear({{Role::head}}, c_.vocab, c_.hidden, -1, -1, c_.bias_head);
        total();
    }

private:
    struct Piece {
        Role role;
        int64_t rows = -1;  // of this piece; -1 = all
    };

    Message name(const TensorName &n, std::string_view suffix, int32_t layer, int32_t expert) const {
        Message m;
        if (n.role != Role::head) m << prefix_;
        std::string_view stem = n.stem;
        int32_t numbers[2] = {layer, expert}, used = 0;
        for (size_t at; (at = stem.find("{}")) != stem.npos; stem.remove_prefix(at + 2)) {
            m << stem.substr(0, at);
            if (used < 2) m << numbers[used++];
        }
        m << stem;
        const bool bare = n.form == Form::bare || n.form == Form::bare_in_out || n.form == Form::bare_in_out_pairs;
        if (!bare)
            m << suffix;
        else if (suffix == ".bias")
            m << "_bias";
        return m;
    }

    const io::TensorInfo *lookup(const TensorName &n, std::string_view suffix, int32_t layer, int32_t expert) const {
        if (n.stem.empty()) return nullptr;
        if (n.role == Role::head && file_.kind() == Kind::hf) {
            for (std::string_view p : {"lm_head.weight", "language_model.lm_head.weight", "output.weight"}) {
                if (suffix == ".weight")
                    if (const io::TensorInfo *t = file_.find(p)) return t;
            }
            if (suffix == ".bias") return file_.find("lm_head.bias");
            return nullptr;
        }
        const io::TensorInfo *t = file_.find(name(n, suffix, layer, expert).view());
        // BERT files of the first years call norm weights gamma and beta.
        if (!t && n.stem.ends_with("LayerNorm")) t = file_.find(name(n, suffix == ".weight" ? ".gamma" : ".beta", layer, expert).view());
        return t;
    }
    TensorName of(Role r) const { return tensor_name(arch_, file_.kind(), r); }
    bool there(Role r, std::string_view suffix, int32_t layer, int32_t expert = -1) const {
        return lookup(of(r), suffix, layer, expert) != nullptr;
    }

    const io::TensorInfo &need(Role r, std::string_view suffix, int32_t layer, int32_t expert) const {
        const TensorName n = of(r);
        const io::TensorInfo *t = lookup(n, suffix, layer, expert);
        if (!t) fail(Code::format, "mismatch: tensor ", quoted{name(n, suffix, layer, expert).view()}, " is missing");
        return *t;
    }

    [[noreturn]] void bad_shape(const io::TensorInfo &t, std::span<const uint64_t> want) const {
        Message m;
        m << "mismatch: tensor " << quoted{t.name} << " is ";
        put(m, {t.shape, t.n_dims}) << ", ";
        put(m, want) << " is needed";
        throw_error(Code::format, m);
    }
    void shape(const io::TensorInfo &t, std::initializer_list<uint64_t> want) const {
        std::span<const uint64_t> w(want.begin(), want.size());
        if (t.n_dims != w.size() || !std::equal(w.begin(), w.end(), t.shape)) bad_shape(t, w);
    }

    bool has_own_head() const {
        if (c_.head_tensor == Presence::no) return false;
        return c_.head_tensor == Presence::yes || there(Role::head, ".weight", -1);
    }

    // ---- small rows

    F32 reserve(int64_t n) {
        F32 r{w_.small_count_, n};
        // 16 floats = 64 bytes: each row starts on a line.
        w_.small_count_ = Checked(static_cast<uint64_t>(w_.small_count_ + n)).rounded_up(16).to<int64_t>();
        return r;
    }
    void fill(const io::TensorInfo &t, uint64_t first, int64_t n, int64_t offset, float plus = 0.0f, int64_t step = 1) {
        if (t.dtype == kForeign || !dtype_info(t.dtype) || t.dtype == DType::i8 || t.dtype == DType::i16 || t.dtype == DType::i32 ||
            t.dtype == DType::i64 || t.dtype == DType::f64)
            fail(Code::format, "mismatch: tensor ", quoted{t.name}, " has type ", t.dtype_name, ", f32, f16 or bf16 is needed");
        w_.small_sources_.push_back({&t, first, n, offset, plus, step});
        w_.n_params_ += static_cast<uint64_t>(n);
    }
    F32 small(Role r, int64_t n, int32_t layer, std::string_view suffix, float plus = 0.0f) {
        const io::TensorInfo &t = need(r, suffix, layer, -1);
        shape(t, {static_cast<uint64_t>(n)});
        F32 out = reserve(n);
        fill(t, 0, n, out.offset, plus);
        return out;
    }
    F32 small(Role r, int64_t rows, int64_t cols, int32_t layer, std::string_view suffix) {
        const io::TensorInfo &t = need(r, suffix, layer, -1);
        shape(t, {static_cast<uint64_t>(rows), static_cast<uint64_t>(cols)});
        F32 out = reserve(rows * cols);
        fill(t, 0, rows * cols, out.offset);
        return out;
    }
    Norm norm(Role r, int64_t n, int32_t layer) {
        Norm out;
        // GGUF files have the +1 baked in.
        const float plus = c_.norm_plus_one && file_.kind() == Kind::hf ? 1.0f : 0.0f;
        out.weight = small(r, n, layer, ".weight", plus);
        if (c_.norm_bias && (file_.kind() == Kind::hf || there(r, ".bias", layer))) out.bias = small(r, n, layer, ".bias");
        return out;
    }

    // ---- matrices

    int32_t new_matrix(DType t, int64_t cols) {
        w_.specs_.push_back({t, 0, cols});
        return static_cast<int32_t>(w_.specs_.size() - 1);
    }

    // Adds `rows` rows of a tensor, from row `first` of it, below what the linear has.
    // Transposed: from element `first` of it, see Weights::Stride.
    void append(Linear &l, const io::TensorInfo &t, uint64_t first, int64_t rows, int64_t cols, Weights::Stride stride) {
        if (!tensor::packable(t.dtype))
            fail(dtype_info(t.dtype) && dtype_info(t.dtype)->weight ? Code::unsupported : Code::format, "mismatch: tensor ", quoted{t.name},
                 " has type ", t.dtype_name, ", which no kernel takes");
        if (stride.row && t.dtype != DType::f32 && t.dtype != DType::f16 && t.dtype != DType::bf16)
            fail(Code::unsupported, "transposed tensor ", quoted{t.name}, " of type ", t.dtype_name, " is not supported");
        Linear::Part *part = l.n_parts ? &l.parts[l.n_parts - 1] : nullptr;
        if (!part || w_.specs_[static_cast<size_t>(part->matrix)].dtype != t.dtype) {
            require(l.n_parts < 3, "a product of more than 3 types");
            part = &l.parts[l.n_parts++];
            *part = {new_matrix(t.dtype, cols), static_cast<int32_t>(l.rows)};
        }
        auto &spec = w_.specs_[static_cast<size_t>(part->matrix)];
        w_.sources_.push_back({&t, part->matrix, spec.rows, rows, first, stride});
        spec.rows += rows;
        l.rows += rows;
        (tensor::act_kind(t.dtype) == tensor::ActKind::q8 ? l.q8 : l.f32) = true;
        w_.n_params_ += static_cast<uint64_t>(rows) * static_cast<uint64_t>(cols);
    }

    // One product of the given tensors, `rows` in all; a piece without its own count has them all.
    // `expert` picks one of a stack, or the tensor whose name has the number.
    Linear linear(std::initializer_list<Piece> pieces, int64_t rows, int64_t cols, int32_t layer, int32_t expert, Presence bias) {
        Linear l;
        l.cols = cols;
        for (const Piece &p : pieces) {
            const int64_t n = p.rows < 0 ? rows : p.rows;
            const TensorName tn = of(p.role);
            const io::TensorInfo &t = need(p.role, ".weight", layer, expert);
            const bool stacked = expert >= 0 && one_number(tn);
            const auto un = static_cast<uint64_t>(n), uc = static_cast<uint64_t>(cols), ue = static_cast<uint64_t>(c_.moe.n_experts);
            const auto number = static_cast<uint64_t>(expert);
            if (tn.form == Form::transposed) {
                shape(t, {uc, un});
                append(l, t, 0, n, cols, {un, 1});
            } else if (tn.form == Form::bare_in_out || tn.form == Form::bare_in_out_pairs) {
                shape(t, {ue, uc, un});
                const uint64_t base = (Checked(number) * uc * un).value();
                if (tn.form == Form::bare_in_out) {
                    append(l, t, base, n, cols, {un, 1});
                } else {
                    append(l, t, base, n / 2, cols, {un, 2});
                    append(l, t, base + 1, n / 2, cols, {un, 2});
                }
            } else {
                if (stacked)
                    shape(t, {ue, un, uc});
                else
                    shape(t, {un, uc});
                append(l, t, stacked ? number * un : 0, n, cols, {});
            }
        }
        require(l.rows == rows, "product has ", l.rows, " rows of ", rows);
        add_bias(l, pieces, rows, layer, expert, bias);
        return l;
    }

    static bool one_number(const TensorName &n) { return n.stem.find("{}", n.stem.find("{}") + 2) == n.stem.npos; }

    void add_bias(Linear &l, std::initializer_list<Piece> pieces, int64_t rows, int32_t layer, int32_t expert, Presence bias) {
        bool any = false;
        for (const Piece &p : pieces) any = any || there(p.role, ".bias", layer, expert);
        if (bias == Presence::no || (bias == Presence::if_there && !any)) return;
        l.bias = reserve(l.rows);
        int64_t at = l.bias.offset;
        for (const Piece &p : pieces) {
            const int64_t n = p.rows < 0 ? rows : p.rows;
            if (bias == Presence::yes || there(p.role, ".bias", layer, expert)) {
                const io::TensorInfo &t = need(p.role, ".bias", layer, expert);
                const bool stacked = expert >= 0 && one_number(of(p.role));
                if (stacked)
                    shape(t, {static_cast<uint64_t>(c_.moe.n_experts), static_cast<uint64_t>(n)});
                else
                    shape(t, {static_cast<uint64_t>(n)});
                const int64_t step = of(p.role).form == Form::bare_in_out_pairs ? 2 : 1;
                fill(t, stacked ? static_cast<uint64_t>(expert) * static_cast<uint64_t>(n) : 0, n, at, 0.0f, step);
            }
            at += n;
        }
    }

    void layer(LayerWeights &w, int32_t i) {
        const LayerConfig &l = c_.layers[static_cast<size_t>(i)];
        const int64_t h = c_.hidden, q = static_cast<int64_t>(l.n_head) * c_.head_k, k = static_cast<int64_t>(l.n_head_kv) * c_.head_k,
                      v = static_cast<int64_t>(l.n_head_kv) * c_.head_v, o = static_cast<int64_t>(l.n_head) * c_.head_v;
        if (c_.pre_norm) {
            if (l.pre_attn_norm) w.attn_norm = norm(Role::attn_norm, h, i);
            w.ffn_norm = norm(Role::ffn_norm, h, i);
        }
        if (c_.post_norm || c_.residual_norm) {
            w.post_attn_norm = norm(Role::post_attn_norm, h, i);
            w.post_ffn_norm = norm(Role::post_ffn_norm, h, i);
        }
        if (c_.mla.kv_rank)
            latent(w, q, i);
        else if (there(Role::qkv, ".weight", i))
            w.qkv = linear({{Role::qkv}}, q + k + v, h, i, -1, c_.bias_qkv);
        else
            w.qkv = linear({{Role::q, q}, {Role::k, k}, {Role::v, v}}, q + k + v, h, i, -1, c_.bias_qkv);
        w.o = linear({{Role::o}}, h, o, i, -1, c_.bias_o);
        if (c_.qk_norm != QkNorm::none) {
            const bool whole = c_.qk_norm == QkNorm::whole;
            const float plus = c_.norm_plus_one && file_.kind() == Kind::hf ? 1.0f : 0.0f;
            w.q_norm = small(Role::q_norm, whole ? q : c_.head_k, i, ".weight", plus);
            w.k_norm = small(Role::k_norm, whole ? k : c_.head_k, i, ".weight", plus);
        }
        if (c_.sinks) w.sinks = small(Role::sinks, l.n_head, i, ".weight");
        if (l.moe)
            experts(w, i);
        else
            dense(w, l, i);
    }

    // Latent attention: one product of the hidden state gives the queries (or their low-rank form), the latent vector
    // and the shared rotary key; others expand them.
    void latent(LayerWeights &w, int64_t q, int32_t i) {
        const MlaConfig &m = c_.mla;
        const int64_t kv = m.kv_rank + m.qk_rope, heads = c_.layers[static_cast<size_t>(i)].n_head, up = heads * (m.qk_nope + m.v);
        if (m.q_rank) {
            w.qkv = linear({{Role::q_a, m.q_rank}, {Role::kv_a, kv}}, m.q_rank + kv, c_.hidden, i, -1, c_.bias_qkv);
            w.q_a_norm = norm(Role::q_a_norm, m.q_rank, i);
            w.q_b = linear({{Role::q_b}}, q, m.q_rank, i, -1, Presence::no);
        } else {
            w.qkv = linear({{Role::q, q}, {Role::kv_a, kv}}, q + kv, c_.hidden, i, -1, c_.bias_qkv);
        }
        w.kv_a_norm = norm(Role::kv_a_norm, m.kv_rank, i);
        if (!there(Role::kv_b, ".weight", i) && there(Role::k_b, ".weight", i))
            fail(Code::unsupported, "tensor 'blk.", i, ".attn_k_b.weight': files whose kv_b is split in two are not supported");
        w.kv_b = linear({{Role::kv_b}}, up, m.kv_rank, i, -1, Presence::no);
    }

    void dense(LayerWeights &w, const LayerConfig &l, int32_t i) {
        const int64_t h = c_.hidden, f = l.n_ff;
        if (!c_.gated)
            w.gate_up = linear({{Role::up}}, f, h, i, -1, c_.bias_mlp);
        else if (there(Role::gate_up, ".weight", i))
            w.gate_up = linear({{Role::gate_up}}, 2 * f, h, i, -1, c_.bias_mlp);
        else
            w.gate_up = linear({{Role::gate, f}, {Role::up, f}}, 2 * f, h, i, -1, c_.bias_mlp);
        w.down = linear({{Role::down}}, h, f, i, -1, c_.bias_mlp);
    }

    void experts(LayerWeights &w, int32_t i) {
        const int64_t h = c_.hidden, f = c_.moe.n_ff;
        w.router = linear({{Role::router}}, c_.moe.n_experts, h, i, -1, c_.moe.bias);
        const std::string_view suffix = of(Role::selection_bias).form == Form::bare ? ".weight" : ".bias";
        if (c_.moe.selection_bias == Presence::yes ||
            (c_.moe.selection_bias == Presence::if_there && there(Role::selection_bias, suffix, i)))
            w.selection_bias = small(Role::selection_bias, c_.moe.n_experts, i, suffix);
        w.experts.reserve(static_cast<size_t>(c_.moe.n_experts));
        for (int32_t e = 0; e < c_.moe.n_experts; ++e) {
            Expert x;
            if (there(Role::expert_gate_up, ".weight", i, e))
                x.gate_up = linear({{Role::expert_gate_up}}, 2 * f, h, i, e, c_.moe.bias);
            else
                x.gate_up = linear({{Role::expert_gate, f}, {Role::expert_up, f}}, 2 * f, h, i, e, c_.moe.bias);
            x.down = linear({{Role::expert_down}}, h, f, i, e, c_.moe.bias);
            w.experts.push_back(x);
        }
        if (const int64_t s = c_.moe.shared_ff) {
            w.shared_gate_up = linear({{Role::shared_gate, s}, {Role::shared_up, s}}, 2 * s, h, i, -1, Presence::no);
            w.shared_down = linear({{Role::shared_down}}, h, s, i, -1, Presence::no);
        }
    }

    void total() {
        Checked bytes = Checked(static_cast<uint64_t>(w_.small_count_)) * sizeof(float), file = 0;
        for (const auto &s : w_.specs_) bytes += tensor::packed_bytes(s.dtype, s.rows, s.cols);
        for (const auto &s : w_.sources_)
            file += Checked(static_cast<uint64_t>(s.rows)) *
                    tensor::file_row_bytes(s.tensor->dtype, w_.specs_[static_cast<size_t>(s.matrix)].cols);
        w_.bytes_ = bytes.value();
        w_.file_bytes_ = file.value();
    }

    static constexpr DType kForeign = io::kForeignDType;
    Weights &w_;
    const io::WeightsFile &file_;
    const Architecture &arch_;
    const Config &c_;
    std::string_view prefix_;
};

Weights::Weights(Memory &m, const io::WeightsFile &file, const Architecture &arch, const Config &config, LayerRange range)
    : memory_(&m), range_(range), specs_(m), sources_(m), small_sources_(m), layers_(m), arenas_(m), matrices_(m) {
    if (range_.end == 0) range_.end = config.n_layers;
    if (range_.begin < 0 || range_.begin >= range_.end || range_.end > config.n_layers)
        fail(Code::invalid_argument, "layers ", range_.begin, " to ", range_.end, " are no range of the model's ", config.n_layers);
    const Fingerprint id = fingerprint(file, config);
    config_id_ = mix64(id.lo, id.hi);
    WeightsPlanner(*this, file, arch, config).plan();
}

}  // namespace inlay::model
