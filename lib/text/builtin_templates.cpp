// SPDX-License-Identifier: Apache-2.0
// Chat formats for models whose file brings no template. Written here from the formats' own descriptions; content that
// is null counts as empty, and a system message goes where the format has a place for it.
#include "text/messages.h"

namespace inlay::text {

namespace {

constexpr std::string_view kChatml = R"J({%- for m in messages -%}
{{ '<|im_start|>' + m.role + '\n' + (m.content or '') + '<|im_end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%})J";

constexpr std::string_view kLlama2 = R"J({%- set ns = namespace(system='') -%}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{%- set ns.system = '<<SYS>>\n' + (m.content or '') + '\n<</SYS>>\n\n' -%}
{%- elif m.role == 'assistant' -%}{{ ' ' + (m.content or '') + ' ' + (eos_token or '') }}
{%- else -%}{{ (bos_token or '') + '[INST] ' + ns.system + (m.content or '') + ' [/INST]' }}{%- set ns.system = '' -%}
{%- endif -%}
{%- endfor -%})J";

constexpr std::string_view kLlama3 = R"J({{ bos_token or '' }}
{%- for m in messages -%}
{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + (m.content or '') + '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif -%})J";

constexpr std::string_view kMistral = R"J({%- set ns = namespace(system='') -%}
{{ bos_token or '' }}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{%- set ns.system = (m.content or '') + '\n\n' -%}
{%- elif m.role == 'assistant' -%}{{ ' ' + (m.content or '') + (eos_token or '') }}
{%- else -%}{{ '[INST] ' + ns.system + (m.content or '') + ' [/INST]' }}{%- set ns.system = '' -%}
{%- endif -%}
{%- endfor -%})J";

constexpr std::string_view kGemma = R"J({%- set ns = namespace(system='') -%}
{{ bos_token or '' }}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{%- set ns.system = (m.content or '') + '\n\n' -%}
{%- elif m.role == 'assistant' -%}{{ '<start_of_turn>model\n' + (m.content or '') + '<end_of_turn>\n' }}
{%- else -%}{{ '<start_of_turn>' + m.role + '\n' + ns.system + (m.content or '') + '<end_of_turn>\n' }}{%- set ns.system = '' -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%})J";

constexpr std::string_view kPhi3 = R"J({%- for m in messages -%}
{{ '<|' + m.role + '|>\n' + (m.content or '') + '<|end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>\n' }}{%- endif -%})J";

constexpr std::string_view kZephyr = R"J({%- for m in messages -%}
{{ '<|' + m.role + '|>\n' + (m.content or '') + (eos_token or '</s>') + '\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>\n' }}{%- endif -%})J";

constexpr std::string_view kVicuna = R"J({%- for m in messages -%}
{%- if m.role == 'system' -%}{{ (m.content or '') + '\n\n' }}
{%- elif m.role == 'assistant' -%}{{ 'ASSISTANT: ' + (m.content or '') + (eos_token or '</s>') + '\n' }}
{%- else -%}{{ 'USER: ' + (m.content or '') + '\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'ASSISTANT:' }}{%- endif -%})J";

constexpr std::string_view kAlpaca = R"J({%- for m in messages -%}
{%- if m.role == 'system' -%}{{ (m.content or '') + '\n\n' }}
{%- elif m.role == 'assistant' -%}{{ '### Response:\n' + (m.content or '') + (eos_token or '') + '\n\n' }}
{%- else -%}{{ '### Instruction:\n' + (m.content or '') + '\n\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '### Response:\n' }}{%- endif -%})J";

constexpr std::string_view kRaw = R"J({%- for m in messages -%}{{ m.content or '' }}{%- endfor -%})J";

struct Builtin {
    std::string_view name, source;
};
constexpr Builtin kBuiltins[] = {{"chatml", kChatml}, {"llama2", kLlama2}, {"llama3", kLlama3}, {"mistral", kMistral}, {"gemma", kGemma},
                                 {"phi3", kPhi3}, {"zephyr", kZephyr}, {"vicuna", kVicuna}, {"alpaca", kAlpaca}, {"raw", kRaw}};

}  // namespace

std::string_view builtin_template(std::string_view name) {
    for (const Builtin &b : kBuiltins)
        if (b.name == name) return b.source;
    return {};
}

}  // namespace inlay::text
