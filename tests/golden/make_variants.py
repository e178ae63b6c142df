# SPDX-License-Identifier: Apache-2.0
"""Writes variants.json: tiny models with flipped options and what transformers answers in float32.

Weights are made by a formula (weight() here, and in tests/unit/model/variants_test.cpp), so the file holds configs,
tensor names and shapes, token ids and logits only. Needs torch and transformers; run it with the output path."""
import json
import os
import sys
import tempfile

import numpy as np
import torch
import transformers as T
from safetensors import safe_open
from safetensors.numpy import save_file

BASE = dict(vocab_size=67, hidden_size=48, intermediate_size=56, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2)
ENC = dict(vocab_size=67, hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=5, max_position_embeddings=64)
OUT = []


def weight(name, shape):
    """Element i: 24 bits of splitmix64(fnv1a(name) + i) as [-1, 1), scaled by what the tensor is."""
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = (h ^ b) * 0x100000001B3 % 2**64
    z = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(h)
    with np.errstate(over="ignore"):
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
    if len(shape) == 1:
        u = u * np.float32(0.25) + np.float32("norm" in name.lower() and name.endswith("weight") or ".ln_" in name and name.endswith("weight") or "emb_ln.weight" in name)
    else:
        u = u * np.float32(0.25)
    return u.astype(np.float32).reshape(shape)


def add(name, config, model, options, edit=None, lengths=(7, 40), encoder=False):
    with tempfile.TemporaryDirectory() as d:
        torch.manual_seed(0)
        m = model._from_config(config(**options), attn_implementation="eager").float()
        m.save_pretrained(d)
        path = d + "/model.safetensors"
        with safe_open(path, "np") as f:
            shapes = {k: list(f.get_slice(k).get_shape()) for k in f.keys()}
        save_file({k: weight(k, s) for k, s in shapes.items()}, path, {"format": "pt"})
        c = json.load(open(d + "/config.json"))
        if edit:
            edit(c)
            json.dump(c, open(d + "/config.json", "w"))
        m = model.from_pretrained(d, attn_implementation="eager").eval().float()
        case = {"name": name, "config": c, "tensors": shapes, "ids": [], "want": []}
        for n in lengths:
            ids = [(i * 37 + 11 * n) % (options["vocab_size"] - 3) + 3 for i in range(n)]
            with torch.no_grad():
                out = m(torch.tensor([ids]))
            row = out.last_hidden_state[0].mean(0) if encoder else out.logits[0, -1]
            case["ids"].append(ids)
            case["want"].append([float(f"{v:.7g}") for v in row.tolist()])
        OUT.append(case)
        print(name, flush=True)


def k(**more):
    return {**BASE, **more}


def old_rope(c, key="rope_type"):
    p = c.pop("rope_parameters")
    c["rope_theta"] = p.pop("rope_theta", 10000.0)
    p[key] = p.pop("rope_type", "default")
    c["rope_scaling"] = p if p[key] != "default" else None


def gemma3_old(c):
    for key in ("rope_parameters", "layer_types", "_sliding_window_pattern"):
        c.pop(key, None)
    c.update(sliding_window_pattern=3, rope_theta=50000.0, rope_local_base_freq=9000.0, rope_scaling={"rope_type": "linear", "factor": 8.0})


def phi3_old(c):
    p = c.pop("rope_parameters")
    p.pop("original_max_position_embeddings", None)
    c.update(rope_theta=p.pop("rope_theta"), partial_rotary_factor=p.pop("partial_rotary_factor"))
    p["type"] = p.pop("rope_type")
    c["rope_scaling"] = p


def rope(kind, theta=10000.0, **more):
    return dict(rope_type=kind, rope_theta=theta, **more)


def main():
    llama = (T.LlamaConfig, T.LlamaForCausalLM)
    add("llama biases, untied, wide heads", *llama, k(attention_bias=True, mlp_bias=True, head_dim=20))
    add("llama tied, gelu, no groups", *llama, k(tie_word_embeddings=True, hidden_act="gelu", num_key_value_heads=4))
    add("llama linear", *llama, k(rope_parameters=rope("linear", 20000.0, factor=4.0)))
    add("llama linear, old keys", *llama, k(rope_parameters=rope("linear", 20000.0, factor=4.0)), edit=lambda c: old_rope(c, "type"))
    add("llama dynamic", *llama, k(max_position_embeddings=32, rope_parameters=rope("dynamic", factor=2.0)), lengths=(7, 100))
    add("llama yarn", *llama, k(rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=32)))
    add("llama yarn, all keys", *llama, k(rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=32, beta_fast=16.0, beta_slow=2.0, truncate=False, attention_factor=0.9)), edit=old_rope)
    add("llama llama3", *llama, k(rope_parameters=rope("llama3", 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)), edit=old_rope)
    add("llama longrope", *llama, k(rope_parameters=rope("longrope", factor=4.0, original_max_position_embeddings=32, short_factor=[1.0 + 0.1 * i for i in range(6)], long_factor=[1.5 + 0.3 * i for i in range(6)])), lengths=(7, 60))
    mistral = (T.MistralConfig, T.MistralForCausalLM)
    add("mistral without window", *mistral, k(sliding_window=None, head_dim=32))
    add("mistral window of 5", *mistral, k(sliding_window=5, hidden_act="gelu_pytorch_tanh"))
    qwen2 = (T.Qwen2Config, T.Qwen2ForCausalLM)
    add("qwen2 window by layer types", *qwen2, k(use_sliding_window=True, sliding_window=9, max_window_layers=1))
    add("qwen2 window by depth", *qwen2, k(use_sliding_window=True, sliding_window=9, max_window_layers=2), edit=lambda c: (c.pop("layer_types"), old_rope(c)))
    add("qwen2 yarn, tied", *qwen2, k(tie_word_embeddings=True, rope_parameters=rope("yarn", 1e6, factor=4.0, original_max_position_embeddings=32)))
    qwen3 = (T.Qwen3Config, T.Qwen3ForCausalLM)
    add("qwen3 biases, window", *qwen3, k(attention_bias=True, head_dim=20, use_sliding_window=True, sliding_window=6, max_window_layers=0))
    add("qwen3 dynamic", *qwen3, k(max_position_embeddings=24, head_dim=16, rope_parameters=rope("dynamic", 1e6, factor=3.0)), lengths=(7, 50))
    gemma2 = (T.Gemma2Config, T.Gemma2ForCausalLM)
    add("gemma2 without caps", *gemma2, k(head_dim=20, query_pre_attn_scalar=40, sliding_window=6, attn_logit_softcapping=None, final_logit_softcapping=None))
    add("gemma2 old keys", *gemma2, k(head_dim=16, attention_bias=True, sliding_window=6, attn_logit_softcapping=5.0, final_logit_softcapping=3.0), edit=lambda c: (c.pop("layer_types"), old_rope(c)))
    gemma3 = (T.Gemma3TextConfig, T.Gemma3ForCausalLM)
    add("gemma3 seven layers", *gemma3, k(num_hidden_layers=7, head_dim=20, sliding_window=6, query_pre_attn_scalar=30))
    add("gemma3 old keys", *gemma3, k(num_hidden_layers=4, head_dim=20, sliding_window=6, final_logit_softcapping=4.0, attn_logit_softcapping=6.0), edit=gemma3_old)
    phi3 = (T.Phi3Config, T.Phi3ForCausalLM)
    long_rope = dict(short_factor=[1.0 + 0.1 * i for i in range(4)], long_factor=[1.5 + 0.3 * i for i in range(4)])
    add("phi3 partial, tied", *phi3, k(tie_word_embeddings=True, rope_parameters=rope("default", partial_rotary_factor=0.5)))
    add("phi3 longrope", *phi3, k(original_max_position_embeddings=32, rope_parameters=rope("longrope", partial_rotary_factor=0.67, **long_rope)), lengths=(7, 60))
    add("phi3 longrope, old keys", *phi3, k(original_max_position_embeddings=32, sliding_window=11, rope_parameters=rope("longrope", partial_rotary_factor=0.67, **long_rope)), lengths=(7, 60), edit=phi3_old)
    smollm3 = (T.SmolLM3Config, T.SmolLM3ForCausalLM)
    add("smollm3 by interval, biases", *smollm3, k(no_rope_layer_interval=2, attention_bias=True, mlp_bias=True, tie_word_embeddings=False), edit=lambda c: c.pop("no_rope_layers"))
    add("smollm3 window", *smollm3, k(no_rope_layer_interval=2, use_sliding_window=True, sliding_window=7))
    add("olmo2 biases, linear", T.Olmo2Config, T.Olmo2ForCausalLM, k(attention_bias=True, tie_word_embeddings=True, rope_parameters=rope("linear", factor=2.0)))
    olmo3 = (T.Olmo3Config, T.Olmo3ForCausalLM)
    add("olmo3", *olmo3, k(num_hidden_layers=5, sliding_window=6))
    add("olmo3 old keys", *olmo3, k(num_hidden_layers=5, sliding_window=6), edit=lambda c: (c.pop("rope_parameters"), c.update(rope_theta=30000.0, rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32})))
    add("granite biases, untied", T.GraniteConfig, T.GraniteForCausalLM, k(attention_bias=True, mlp_bias=True, embedding_multiplier=3.0, residual_multiplier=0.5, attention_multiplier=0.2, logits_scaling=3.0))
    gpt2 = (T.GPT2Config, T.GPT2LMHeadModel)
    small = dict(vocab_size=67, n_embd=40, n_layer=2, n_head=5, n_positions=64, bos_token_id=1, eos_token_id=2)
    add("gpt2 untied, relu, by layer", *gpt2, dict(small, tie_word_embeddings=False, scale_attn_by_inverse_layer_idx=True, activation_function="relu"))
    add("gpt2 unscaled", *gpt2, dict(small, n_inner=100, scale_attn_weights=False, activation_function="gelu"))
    add("mixtral window, 3 of 5", T.MixtralConfig, T.MixtralForCausalLM, k(head_dim=20, sliding_window=6, num_local_experts=5, num_experts_per_tok=3))
    moe = (T.Qwen3MoeConfig, T.Qwen3MoeForCausalLM)
    add("qwen3moe every second layer", *moe, k(head_dim=20, moe_intermediate_size=24, num_experts=6, num_experts_per_tok=3, norm_topk_prob=False, decoder_sparse_step=2, attention_bias=True, num_hidden_layers=4))
    add("qwen3moe one dense layer", *moe, k(head_dim=20, moe_intermediate_size=24, num_experts=6, num_experts_per_tok=3, norm_topk_prob=True, mlp_only_layers=[1], use_sliding_window=True, sliding_window=9))
    add("gpt-oss 3 of 5", T.GptOssConfig, T.GptOssForCausalLM, k(head_dim=20, num_local_experts=5, num_experts_per_tok=3, sliding_window=6))
    latent = dict(num_key_value_heads=4, kv_lora_rank=20, qk_nope_head_dim=12, qk_rope_head_dim=8, v_head_dim=10, moe_intermediate_size=24, num_experts_per_tok=3,
                  n_routed_experts=6, first_k_dense_replace=1, n_shared_experts=2, routed_scaling_factor=1.5)
    yarn = rope("yarn", factor=8.0, original_max_position_embeddings=32, mscale=0.7, mscale_all_dim=0.7)
    add("deepseek2 groups, yarn", T.DeepseekV2Config, T.DeepseekV2ForCausalLM, k(**latent, q_lora_rank=None, topk_method="group_limited_greedy", n_group=3, topk_group=2, rope_parameters=yarn))
    add("deepseek2 low-rank queries", T.DeepseekV2Config, T.DeepseekV2ForCausalLM, k(**latent, q_lora_rank=28, topk_method="greedy", n_group=1, topk_group=1), edit=old_rope)
    add("deepseek3 halves, yarn", T.DeepseekV3Config, T.DeepseekV3ForCausalLM, k(**latent, q_lora_rank=28, n_group=2, topk_group=1, rope_interleave=False, attention_bias=True, rope_parameters=yarn))
    add("bert", T.BertConfig, T.BertModel, dict(ENC, hidden_act="gelu_new", layer_norm_eps=1e-6, type_vocab_size=3), encoder=True)
    add("xlm-roberta", T.XLMRobertaConfig, T.XLMRobertaModel, dict(ENC, type_vocab_size=1, pad_token_id=1), encoder=True)
    add("modern-bert biases", T.ModernBertConfig, T.ModernBertModel, dict(ENC, num_hidden_layers=4, norm_bias=True, attention_bias=True, mlp_bias=True, local_attention=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2), encoder=True)
    add("nomic-bert wide heads", T.NomicBertConfig, T.NomicBertModel, dict(ENC, head_dim=12, pad_token_id=0), encoder=True)
    with open(sys.argv[1], "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in OUT) + "\n]\n")


main()
