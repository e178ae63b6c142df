// SPDX-License-Identifier: Apache-2.0
// Models with flipped options (tests/golden/variants.json): their weights are made here by the formula that
// tests/golden/make_variants.py used, so a clone without any data proves every architecture against transformers.
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>

#include "io/json.h"
#include "support/shared.h"
#include "support/toy_gguf.h"
#include "unit/model/bench_model.h"

using namespace inlay_test;

namespace {

std::vector<float> weight(std::string_view name, const std::vector<int64_t> &shape) {
    uint64_t h = 0xcbf29ce484222325u;
    for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    const bool is_weight = name.ends_with("weight");
    const bool norm = is_weight && (name.find("norm") != name.npos || name.find("Norm") != name.npos || name.find(".ln_") != name.npos ||
                                    name.find("emb_ln") != name.npos);
    std::vector<float> out(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
        uint64_t z = (h + static_cast<uint64_t>(i)) * 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        const float u = static_cast<float>(z >> 40) * 0x1p-23f - 1.0f;
        out[static_cast<size_t>(i)] = u * 0.25f + (shape.size() == 1 && norm ? 1.0f : 0.0f);
    }
    return out;
}

struct Tensor {
    std::vector<int64_t> shape;  // slowest first
    std::vector<float> w;
};

// What the converter to GGUF does to a name of the llama family.
std::string gguf_name(std::string name, bool norms_after) {
    static const std::vector<std::pair<std::string, std::string>> kParts = {{"model.embed_tokens", "token_embd"},
                                                                            {"lm_head", "output"},
                                                                            {"model.norm", "output_norm"},
                                                                            {"model.layers.", "blk."},
                                                                            {"self_attn.q_proj", "attn_q"},
                                                                            {"self_attn.k_proj", "attn_k"},
                                                                            {"self_attn.v_proj", "attn_v"},
                                                                            {"self_attn.o_proj", "attn_output"},
                                                                            {"self_attn.qkv_proj", "attn_qkv"},
                                                                            {"self_attn.q_norm", "attn_q_norm"},
                                                                            {"self_attn.k_norm", "attn_k_norm"},
                                                                            {"mlp.gate_up_proj", "ffn_up"},
                                                                            {"mlp.gate_proj", "ffn_gate"},
                                                                            {"mlp.up_proj", "ffn_up"},
                                                                            {"mlp.down_proj", "ffn_down"},
                                                                            {"input_layernorm", "attn_norm"},
                                                                            {"pre_feedforward_layernorm", "ffn_norm"},
                                                                            {"post_feedforward_layernorm", "post_ffw_norm"},
                                                                            {"block_sparse_moe.gate", "ffn_gate_inp"}};
    auto swap = [&](const std::string &from, const std::string &to) {
        if (const size_t at = name.find(from); at != name.npos) name.replace(at, from.size(), to);
    };
    for (const auto &[from, to] : kParts) swap(from, to);
    swap("post_attention_layernorm", norms_after ? "post_attention_norm" : "ffn_norm");
    return name;
}

// Rows of q and k so that pairs (i, i + half) of each head become neighbours.
void permute(Tensor &t, int64_t heads) {
    const int64_t rows = t.shape[0], cols = t.shape.size() > 1 ? t.shape[1] : 1, dim = rows / heads;
    std::vector<float> out(t.w.size());
    for (int64_t h = 0; h < heads; ++h)
        for (int64_t i = 0; i < dim; ++i) {
            const int64_t from = h * dim + i, to = h * dim + (i < dim / 2 ? 2 * i : 2 * (i - dim / 2) + 1);
            std::copy_n(t.w.begin() + from * cols, cols, out.begin() + to * cols);
        }
    t.w = out;
}

// The variant as a GGUF file, as far as the format can say it; `more` adds what its configuration has beyond the sizes.
std::string gguf_bytes(const io::Json &c, const io::Json &tensors, const std::string &arch, const std::function<void(ToyGguf &)> &more) {
    ToyGguf g;
    const bool neighbours = arch == "llama" || arch == "granite", after = arch == "gemma2" || arch == "gemma3" || arch == "olmo2";
    auto number = [&](const char *key) { return static_cast<uint32_t>(io::need_int(c, key)); };
    const uint32_t heads = number("num_attention_heads"), hidden = number("hidden_size");
    const uint32_t dim = static_cast<uint32_t>(io::get_int(c, "head_dim", hidden / heads));
    g.kv("general.architecture", arch);
    g.kv(arch + ".block_count", number("num_hidden_layers")).kv(arch + ".context_length", number("max_position_embeddings"));
    g.kv(arch + ".embedding_length", hidden).kv(arch + ".feed_forward_length", number("intermediate_size"));
    g.kv(arch + ".attention.head_count", heads).kv(arch + ".attention.head_count_kv", number("num_key_value_heads"));
    g.kv(arch + ".attention.key_length", dim).kv(arch + ".attention.value_length", dim);
    g.kv(arch + ".attention.layer_norm_rms_epsilon", static_cast<float>(io::get_double(c, "rms_norm_eps", 0)));
    more(g);
    std::map<std::string, Tensor> out;
    for (const auto &m : tensors.members()) {
        Tensor t;
        for (const io::Json &d : m.value.items()) t.shape.push_back(*d.integer());
        t.w = weight(m.key, t.shape);
        std::string name(m.key);
        if (after && arch != "olmo2" && t.shape.size() == 1 && name.find("norm") != name.npos)
            for (float &v : t.w) v += 1.0f;
        if (neighbours && name.find("q_proj") != name.npos) permute(t, heads);
        if (neighbours && name.find("k_proj") != name.npos) permute(t, number("num_key_value_heads"));
        if (const size_t at = name.find(".experts."); at != name.npos) {  // one stack for all
            const std::string part = name.substr(name.find('.', at + 9) + 1, 2), layer = name.substr(13, name.find('.', 13) - 13);
            Tensor &stack = out["blk." + layer +
                                (part == "w1"   ? ".ffn_gate_exps"
                                 : part == "w2" ? ".ffn_down_exps"
                                                : ".ffn_up_exps") +
                                ".weight"];
            if (stack.shape.empty()) stack.shape = {0, t.shape[0], t.shape[1]};
            ++stack.shape[0];
            stack.w.insert(stack.w.end(), t.w.begin(), t.w.end());
            continue;
        }
        out[gguf_name(name, after)] = t;
    }
    for (const auto &[name, t] : out) {
        std::vector<uint64_t> ne(t.shape.rbegin(), t.shape.rend());
        g.tensor(name, DType::f32, ne, std::string(reinterpret_cast<const char *>(t.w.data()), t.w.size() * sizeof(float)));
    }
    return g.build().bytes;
}

std::string floats(std::vector<float> v) { return std::string(reinterpret_cast<const char *>(v.data()), v.size() * sizeof(float)); }

void write_folder(const std::filesystem::path &dir, std::string_view config, const io::Json &tensors) {
    std::filesystem::create_directories(dir);
    std::ofstream(dir / "config.json", std::ios::binary) << config;
    std::string header = "{", data;
    for (const auto &t : tensors.members()) {
        std::vector<int64_t> shape;
        for (const io::Json &d : t.value.items()) shape.push_back(*d.integer());
        const std::vector<float> w = weight(t.key, shape);
        header += (header.size() > 1 ? ",\"" : "\"") + std::string(t.key) + "\":{\"dtype\":\"F32\",\"shape\":[";
        for (size_t i = 0; i < shape.size(); ++i) header += (i ? "," : "") + std::to_string(shape[i]);
        header += "],\"data_offsets\":[" + std::to_string(data.size()) + ",";
        data.append(reinterpret_cast<const char *>(w.data()), w.size() * sizeof(float));
        header += std::to_string(data.size()) + "]}";
    }
    header += "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const uint64_t n = header.size();
    std::ofstream f(dir / "model.safetensors", std::ios::binary);
    f.write(reinterpret_cast<const char *>(&n), 8);
    f << header << data;
}

}  // namespace

TEST_CASE("variants of every architecture answer as transformers does") {
    std::ifstream f(std::string(INLAY_SOURCE_ROOT) + "/tests/golden/variants.json", std::ios::binary);
    REQUIRE(f);
    const std::filesystem::path dir = std::filesystem::temp_directory_path() /
                                      ("inlay-variants-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
    std::string line;
    int seen = 0;
    while (std::getline(f, line)) {
        if (line.size() < 3) continue;
        if (line.back() == ',') line.pop_back();
        Memory mem;
        auto doc = io::JsonDocument::parse(mem, line, {.bytes = 64u << 20});
        const std::string name(io::need(doc.root(), "name").string());
        INFO(name);
        const size_t from = line.find("\"config\":") + 9, to = line.find(",\"tensors\":");
        write_folder(dir, std::string_view(line).substr(from, to - from), io::need(doc.root(), "tensors"));
        try {
            TestModel m(dir.string());
            std::vector<std::vector<int32_t>> together;
            const auto ids = io::need(doc.root(), "ids").items(), want = io::need(doc.root(), "want").items();
            for (size_t i = 0; i < ids.size(); ++i) {
                std::vector<int32_t> tokens;
                for (const io::Json &v : ids[i].items()) tokens.push_back(static_cast<int32_t>(*v.integer()));
                std::vector<double> row;
                for (const io::Json &v : want[i].items()) row.push_back(v.number());
                together.push_back(tokens);
                CHECK(static_cast<size_t>(m.config.ctx) >= tokens.size());
                const Result whole = m.run(tokens, {});
                std::vector<float> mean(static_cast<size_t>(m.config.hidden));
                const float *got = whole.row(static_cast<int64_t>(tokens.size()) - 1);
                if (!m.config.causal) {
                    model::pool(model::Pooling::mean, whole.rows.data(), static_cast<int64_t>(tokens.size()), m.config.hidden, mean.data());
                    got = mean.data();
                }
                const double e = nmse(got, row);
                INFO("sequence " << i << ": NMSE " << e);
                CHECK(e <= 1e-8);
                if (!m.config.causal) continue;
                CHECK(same_bits(whole, m.run(tokens, {.threads = 2, .chunk = 5})));
                CHECK(same_last_row(whole, m.run(tokens, {.threads = 2, .chunk = 5, .last_only = true})));
            }
            together.push_back({together[1].rbegin() + 3, together[1].rbegin() + 16});
            const std::vector<Result> batch = m.run_together(together, {.threads = 2, .chunk = 4});
            for (size_t i = 0; i < together.size(); ++i) CHECK(same_bits(batch[i], m.run(together[i], {})));
        } catch (const Error &e) {
            FAIL_CHECK(std::string(e.text()));
        }
        ++seen;
    }
    std::filesystem::remove_all(dir);
    CHECK(seen >= 42);
}

TEST_CASE("the same variants as GGUF files") {
    struct Case {
        std::string arch;
        std::function<void(ToyGguf &)> more;
    };
    auto steps = [](float first, float step, int n) {
        std::vector<float> v;
        for (int i = 0; i < n; ++i) v.push_back(first + step * static_cast<float>(i));
        return floats(v);
    };
    const std::map<std::string, Case> cases = {
        {"llama biases, untied, wide heads", {"llama", [](ToyGguf &) {}}},
        {"llama linear",
         {"llama",
          [](ToyGguf &g) {
              g.kv("llama.rope.freq_base", 20000.0f).kv("llama.rope.scaling.type", "linear").kv("llama.rope.scaling.factor", 4.0f);
          }}},
        {"llama yarn",
         {"llama",
          [](ToyGguf &g) {
              g.kv("llama.rope.scaling.type", "yarn")
                  .kv("llama.rope.scaling.factor", 4.0f)
                  .kv("llama.rope.scaling.original_context_length", uint32_t{32});
          }}},
        {"llama longrope",
         {"llama",
          [&](ToyGguf &g) {
              g.kv("llama.rope.scaling.attn_factor", std::sqrt(1.0f + std::log(4.0f) / std::log(32.0f)))
                  .kv("llama.rope.scaling.original_context_length", uint32_t{32});
              g.tensor("rope_factors_short.weight", DType::f32, {6}, steps(1.0f, 0.1f, 6))
                  .tensor("rope_factors_long.weight", DType::f32, {6}, steps(1.5f, 0.3f, 6));
          }}},
        {"qwen2 yarn, tied",
         {"qwen2",
          [](ToyGguf &g) {
              g.kv("qwen2.rope.freq_base", 1e6f).kv("qwen2.rope.scaling.type", "yarn").kv("qwen2.rope.scaling.factor", 4.0f);
              g.kv("qwen2.rope.scaling.original_context_length", uint32_t{32});
          }}},
        {"gemma2 old keys",
         {"gemma2",
          [](ToyGguf &g) {
              g.kv("gemma2.attn_logit_softcapping", 5.0f)
                  .kv("gemma2.final_logit_softcapping", 3.0f)
                  .kv("gemma2.attention.sliding_window", uint32_t{6});
              g.kv("gemma2.attention.scale", 1.0f / 16.0f);
          }}},
        {"gemma3 old keys",
         {"gemma3",
          [](ToyGguf &g) {
              g.kv("gemma3.final_logit_softcapping", 4.0f)
                  .kv("gemma3.attention.sliding_window", uint32_t{6})
                  .kv("gemma3.attention.sliding_window_pattern", uint32_t{3});
              g.kv("gemma3.attention.scale", 1.0f / 16.0f).kv("gemma3.rope.freq_base", 50000.0f).kv("gemma3.rope.freq_base_swa", 9000.0f);
              g.kv("gemma3.rope.scaling.type", "linear").kv("gemma3.rope.scaling.factor", 8.0f);
          }}},
        {"phi3 longrope",
         {"phi3",
          [&](ToyGguf &g) {
              g.kv("phi3.rope.dimension_count", uint32_t{8})
                  .kv("phi3.rope.scaling.attn_factor", std::sqrt(1.0f + std::log(4.0f) / std::log(32.0f)));
              g.kv("phi3.rope.scaling.original_context_length", uint32_t{32});
              g.tensor("rope_factors_short.weight", DType::f32, {4}, steps(1.0f, 0.1f, 4))
                  .tensor("rope_factors_long.weight", DType::f32, {4}, steps(1.5f, 0.3f, 4));
          }}},
        {"olmo2 biases, linear",
         {"olmo2", [](ToyGguf &g) { g.kv("olmo2.rope.scaling.type", "linear").kv("olmo2.rope.scaling.factor", 2.0f); }}},
        {"granite biases, untied",
         {"granite",
          [](ToyGguf &g) {
              g.kv("granite.embedding_scale", 3.0f)
                  .kv("granite.residual_scale", 0.5f)
                  .kv("granite.attention.scale", 0.2f)
                  .kv("granite.logit_scale", 3.0f);
          }}},
        {"mixtral window, 3 of 5",
         {"llama",
          [](ToyGguf &g) {
              g.kv("llama.expert_count", uint32_t{5})
                  .kv("llama.expert_used_count", uint32_t{3})
                  .kv("llama.attention.sliding_window", uint32_t{6});
              g.kv("llama.rope.freq_base", 1e6f);
          }}},
    };
    std::ifstream f(std::string(INLAY_SOURCE_ROOT) + "/tests/golden/variants.json", std::ios::binary);
    REQUIRE(f);
    const std::string path = (std::filesystem::temp_directory_path() /
                              ("inlay-variant-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + ".gguf"))
                                 .string();
    size_t seen = 0;
    for (std::string line; std::getline(f, line);) {
        if (line.size() < 3) continue;
        if (line.back() == ',') line.pop_back();
        Memory mem;
        auto doc = io::JsonDocument::parse(mem, line, {.bytes = 64u << 20});
        const std::string name(io::need(doc.root(), "name").string());
        auto it = cases.find(name);
        if (it == cases.end()) continue;
        ++seen;
        INFO(name);
        const std::string bytes =
            gguf_bytes(io::need(doc.root(), "config"), io::need(doc.root(), "tensors"), it->second.arch, it->second.more);
        std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        try {
            TestModel m(path);
            const auto ids = io::need(doc.root(), "ids").items(), want = io::need(doc.root(), "want").items();
            for (size_t i = 0; i < ids.size(); ++i) {
                std::vector<int32_t> tokens;
                for (const io::Json &v : ids[i].items()) tokens.push_back(static_cast<int32_t>(*v.integer()));
                std::vector<double> row;
                for (const io::Json &v : want[i].items()) row.push_back(v.number());
                const double e = nmse(m.run(tokens, {}).row(static_cast<int64_t>(tokens.size()) - 1), row);
                INFO("sequence " << i << ": NMSE " << e);
                CHECK(e <= 1e-8);
            }
        } catch (const Error &e) {
            FAIL_CHECK(std::string(e.text()));
        }
    }
    std::filesystem::remove(path);
    CHECK(seen == cases.size());
}
