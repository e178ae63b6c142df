// SPDX-License-Identifier: Apache-2.0
// A Hugging Face folder as a map from name to bytes: a llama of one layer, 32 wide, with a byte-level BPE tokenizer of 256
// bytes, a few merges and two special tokens. And the host's file table over such a map.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "io/source.h"
#include "support/toy_gguf.h"

namespace inlay_test {

using ToyFolder = std::map<std::string, std::string>;

inline ToyFolder toy_hf() {
    ToyFolder f;
    f["config.json"] =
        R"({"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":32,"intermediate_size":64,"num_hidden_layers":1,)"
        R"("num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"vocab_size":264,"max_position_embeddings":64,"rms_norm_eps":1e-5,)"
        R"("rope_theta":10000.0,"rope_scaling":{"rope_type":"linear","factor":2.0},"hidden_act":"silu","tie_word_embeddings":false,)"
        R"("attention_bias":false,"bos_token_id":262,"eos_token_id":263,"torch_dtype":"float32"})";
    f["generation_config.json"] = R"({"eos_token_id":[263],"temperature":0.6,"top_k":20})";
    // GPT-2's printable stand-ins of the bytes: themselves, or U+0100 on for those that do not print.
    std::string vocab;
    auto quoted = [](uint32_t u) {
        char esc[8];
        std::snprintf(esc, sizeof esc, "\\u%04x", u);
        return std::string(esc);
    };
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; ++b) {
        bool prints = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        vocab += "\"" + quoted(prints ? b : next++) + "\":" + std::to_string(b) + ",";
    }
    const char *merges[][3] = {{"h", "e", "he"},       {"l", "l", "ll"}, {"he", "ll", "hell"},
                               {"hell", "o", "hello"}, {"o", "r", "or"}, {"or", "l", "orl"}};
    std::string list;
    int id = 256;
    for (auto &m : merges) {
        vocab += "\"" + std::string(m[2]) + "\":" + std::to_string(id++) + ",";
        list += (list.empty() ? "\"" : ",\"") + std::string(m[0]) + " " + m[1] + "\"";
    }
    vocab.pop_back();
    f["tokenizer.json"] =
        R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)"
        R"({"id":262,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},)"
        R"({"id":263,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],)"
        R"("normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},)"
        R"("post_processor":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true},)"
        R"("decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},)"
        R"("model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,)"
        R"("fuse_unk":false,"byte_fallback":false,"vocab":{)" +
        vocab + "},\"merges\":[" + list + "]}}";
    f["tokenizer_config.json"] =
        R"({"bos_token":"<s>","eos_token":"</s>","add_bos_token":true,"chat_template":"{{ messages[0].content }}"})";
    struct Tensor {
        const char *name;
        uint64_t rows, cols;
    } tensors[] = {{"model.embed_tokens.weight", 264, 32},
                   {"model.layers.0.input_layernorm.weight", 32, 0},
                   {"model.layers.0.self_attn.q_proj.weight", 32, 32},
                   {"model.layers.0.self_attn.k_proj.weight", 16, 32},
                   {"model.layers.0.self_attn.v_proj.weight", 16, 32},
                   {"model.layers.0.self_attn.o_proj.weight", 32, 32},
                   {"model.layers.0.post_attention_layernorm.weight", 32, 0},
                   {"model.layers.0.mlp.gate_proj.weight", 64, 32},
                   {"model.layers.0.mlp.up_proj.weight", 64, 32},
                   {"model.layers.0.mlp.down_proj.weight", 32, 64},
                   {"model.norm.weight", 32, 0},
                   {"lm_head.weight", 264, 32}};
    std::string header = "{\"__metadata__\":{\"format\":\"pt\"}", data;
    for (auto &t : tensors) {
        std::string bytes = ToyGguf::fill(inlay::DType::f32, {t.cols ? t.cols : 1, t.rows}, t.name);
        header += std::string(",\"") + t.name + "\":{\"dtype\":\"F32\",\"shape\":[" + std::to_string(t.rows) +
                  (t.cols ? "," + std::to_string(t.cols) : "") + "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
                  std::to_string(data.size() + bytes.size()) + "]}";
        data += bytes;
    }
    f["model.safetensors"] = toy_safetensors(header + "}", data);
    return f;
}

// The host's table over a map whose names are full paths ("hf/config.json").
inline inlay::io::FileHooks map_hooks(ToyFolder &files) {
    return {&files,
            [](void *user, const char *path, size_t n, void **out, uint64_t *size) -> int32_t {
                auto &f = *static_cast<ToyFolder *>(user);
                auto it = f.find(std::string(path, n));
                if (it == f.end()) return static_cast<int32_t>(inlay::Code::not_found);
                *out = &it->second;
                *size = it->second.size();
                return 0;
            },
            [](void *, void *file, uint64_t offset, void *out, size_t n) -> int64_t {
                auto &s = *static_cast<std::string *>(file);
                n = offset < s.size() ? std::min<size_t>(n, s.size() - offset) : 0;
                std::memcpy(out, s.data() + offset, n);
                return static_cast<int64_t>(n);
            },
            [](void *, void *) {}};
}

}  // namespace inlay_test
