// SPDX-License-Identifier: Apache-2.0
// Every cap on input, in one place (BAD_INPUTS.md section 2). A runtime holds one Limits; each field is tested at
// cap - 1, cap and cap + 1 where it is enforced.
#pragma once

#include <cstdint>

namespace inlay {

struct Limits {
    // GGUF
    uint64_t gguf_kv = 65'536;
    uint64_t gguf_tensors = 262'144;
    uint64_t gguf_key_bytes = 65'535;
    uint64_t gguf_name_bytes = 255;
    uint64_t gguf_string_bytes = 16u << 20;
    uint64_t gguf_metadata_bytes = 512u << 20;
    uint64_t gguf_array = 16'777'216;
    uint64_t dim = 1ull << 40;
    uint64_t alignment_max = 65'536;
    // model
    uint64_t layers = 4'096, heads = 4'096, experts = 65'536, vocab = 4'194'304, ctx = 16'777'216;
    uint64_t embedding = 1u << 20;
    // safetensors
    uint64_t st_header_bytes = 100'000'000;
    uint64_t st_tensors = 1'048'576;
    uint64_t st_shards = 4'096;
    uint32_t st_json_depth = 8;
    // tokenizer
    uint64_t tokenizer_json_bytes = 256u << 20;
    uint32_t tokenizer_json_depth = 64;
    uint64_t added_tokens = 65'536;
    uint64_t merges = 4'194'304;
    uint64_t token_bytes = 64u << 10;
    uint64_t text_bytes = 0x7fffffff;
    // templates
    uint64_t template_bytes = 1u << 20;
    uint32_t template_ast_depth = 128, template_call_depth = 64;
    uint64_t template_fuel = 10'000'000;
    uint64_t template_output_bytes = 16u << 20;
    uint64_t template_heap_bytes = 64u << 20;
    uint64_t template_range = 100'000;
    // constraints
    uint64_t grammar_bytes = 1u << 20;
    uint64_t grammar_rules = 65'536;
    uint32_t grammar_depth = 256;
    uint64_t grammar_repeat = 65'535;
    uint64_t schema_bytes = 2u << 20;
    uint32_t schema_depth = 256;
    uint64_t regex_bytes = 64u << 10;
    uint64_t regex_states = 50'000;
    uint64_t grammar_step_fuel = 200'000;
    // request
    uint64_t request_json_bytes = 8u << 20;
    uint32_t request_json_depth = 64;
    uint64_t request_json_keys = 10'000;
    uint32_t number_chars = 64;
    uint32_t n_choices = 8;
    uint32_t logprobs = 20;
    uint32_t stops = 16, stop_bytes = 256;
    uint32_t logit_bias = 1'024;
    uint32_t tools = 1'024;
};

}  // namespace inlay
