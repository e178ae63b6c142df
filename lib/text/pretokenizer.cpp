// SPDX-License-Identifier: Apache-2.0
// The table of pre-tokenizers by name. Facts about each come from the tokenizer.json of the model that the name is
// called after; where llama.cpp's converter dropped something (NFC), it stands here.
#include "text/pretokenizer.h"

namespace inlay::text {
namespace {

using namespace scan;

constexpr PreTokenizer kGpt2{gpt2}, kLlama3{llama3}, kQwen2{qwen2}, kQwen35{qwen35}, kGpt4o{gpt4o}, kTekken{tekken};
constexpr PreTokenizer kDigitsFirst{digit, gpt2};
constexpr PreTokenizer kDeepseekLlm{newline, latin, wide_punctuation, trailing_space, cjk_deepseek, digit};
constexpr PreTokenizer kDeepseekCoder{newline, space_letters, space_punctuation, cjk_deepseek, digit};
constexpr PreTokenizer kDeepseek3{digit_triples, cjk_deepseek3, deepseek3};
constexpr PreTokenizer kFalcon{punctuation_runs, gpt2, mapped_digit_runs, ascii_triples};
constexpr PreTokenizer kDefault{punctuation_symbols, gpt2, digit_runs, ascii_triples};
constexpr PreTokenizer kBloom{bloom}, kViking{bloom, digit}, kBailing{bailing}, kSeedCoder{seed_coder}, kLines{lines};

constexpr NamedPreTokenizer kTable[] = {
    {"gpt-2", kGpt2},
    {"phi-2", kGpt2},
    {"mpt", kGpt2, false, false, false, true},
    {"olmo", kGpt2, false, false, false, true},
    {"jais", kGpt2},
    {"jina-es", kGpt2},
    {"jina-de", kGpt2},
    {"jina-v2-es", kGpt2},
    {"jina-v2-de", kGpt2},
    {"jina-v1-en", kGpt2, false, false, true},
    {"jina-v2-code", kGpt2, false, false, true},
    {"roberta-bpe", kGpt2, false, false, true},
    {"modern-bert", kGpt2, false, false, false, true},
    {"exaone4", kGpt2},
    {"mellum", kGpt2},
    {"gigachat", kGpt2},
    {"a.x-4.0", kGpt2},
    {"trillion", kGpt2},
    {"granite-docling", kGpt2},

    {"llama3", kLlama3, true, true},
    {"llama-v3", kLlama3, true, true},
    {"llama-bpe", kLlama3, true, true},
    {"falcon3", kLlama3, true, true},
    {"falcon-h1", kLlama3, true, true},
    {"pixtral", kLlama3, true, true},
    {"lfm2", kLlama3, true, true},
    {"midm-2.0", kLlama3, true, true},
    {"jina-v5-nano", kLlama3, true, true},
    {"smaug-bpe", kLlama3},
    {"dbrx", kLlama3},
    {"glm4", kLlama3},
    {"chatglm-bpe", kLlama3},

    {"qwen2", kQwen2, false, false, false, true},
    {"deepseek-r1-qwen", kQwen2, false, false, false, true},
    {"megrez", kQwen2, false, false, false, true},
    {"kormo", kQwen2},
    {"f2llmv2", kQwen2, false, false, false, true},
    {"stablelm2", kQwen2, false, false, false, true},
    {"hunyuan", kQwen2},
    {"solar-open", kQwen2},
    {"grok-2", kQwen2},
    {"qwen35", kQwen35, false, false, false, true},

    {"gpt-4o", kGpt4o},
    {"llama4", kGpt4o},
    {"kanana2", kGpt4o},
    {"talkie", kGpt4o},
    {"minimax-m2", kGpt4o},
    {"tekken", kTekken, true, true},

    {"deepseek-llm", kDeepseekLlm},
    {"deepseek-coder", kDeepseekCoder},
    {"deepseek-v3", kDeepseek3},
    {"hunyuan-dense", kDeepseek3},
    {"joyai-llm", kDeepseek3},
    {"hy_v4", kDeepseek3},

    {"starcoder", kDigitsFirst},
    {"refact", kDigitsFirst},
    {"command-r", kDigitsFirst, false, false, false, true},
    {"smollm", kDigitsFirst},
    {"codeshell", kDigitsFirst},
    {"exaone", kDigitsFirst},
    {"minerva-7b", kDigitsFirst},
    {"mellum2", kDigitsFirst},
    {"falcon", kFalcon},

    {"default", kDefault},
    {"bloom", kBloom},
    {"gpt3-finnish", kBloom},
    {"poro-chat", kBloom},
    {"viking", kViking},
    {"bailingmoe", kBailing},
    {"bailingmoe2", kBailing},
    {"llada-moe", kBailing},
    {"seed-coder", kSeedCoder},
    {"gemma4", kLines, false, true, false, false, true},
};

}  // namespace

const NamedPreTokenizer *find_pretokenizer(std::string_view name) noexcept {
    for (const NamedPreTokenizer &t : kTable)
        if (t.name == name) return &t;
    return nullptr;
}

}  // namespace inlay::text
