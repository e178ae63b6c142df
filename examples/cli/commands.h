// SPDX-License-Identifier: Apache-2.0
// One function a command: it declares its options, parses its words, and returns the exit status.
#pragma once

#include <string>
#include <vector>

namespace cli {

using Words = std::vector<std::string>;

int cmd_generate(const Words &);
int cmd_chat(const Words &);
int cmd_batch(const Words &);
int cmd_tokenize(const Words &);
int cmd_detokenize(const Words &);
int cmd_render(const Words &);
int cmd_match(const Words &);
int cmd_parse(const Words &);
int cmd_score(const Words &);
int cmd_perplexity(const Words &);
int cmd_embed(const Words &);
int cmd_info(const Words &);
int cmd_validate(const Words &);
int cmd_models(const Words &);
int cmd_pull(const Words &);
int cmd_bench(const Words &);

// Thrown by a command for `inlay help COMMAND`: the text to print.
struct HelpText {
    std::string text;
};
// Parses, or throws HelpText when the words are just --help.
class Args;
void parse_or_help(Args &a, const Words &words, const char *usage);

}  // namespace cli
