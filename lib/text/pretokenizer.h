// SPDX-License-Identifier: Apache-2.0
// Cutting a text into words: up to eight scanners, each inside the pieces of the one before. The known ones stand in
// one table by the names that GGUF files use.
#pragma once

#include <string_view>

#include "text/scan.h"

namespace inlay::text {

struct PreTokenizer {
    static constexpr int max_steps = 8;
    Scan steps[max_steps] = {};
    int n = 0;
    bool drop_space = false;  // pieces that begin with white space are dropped
    constexpr PreTokenizer() = default;
    constexpr PreTokenizer(std::initializer_list<Scan> list) {
        for (Scan s : list) steps[n++] = s;
    }
    bool add(Scan s) {
        if (n == max_steps) return false;
        steps[n++] = s;
        return true;
    }
};

// Calls f(word) for each piece of `text`. Each step's piece is kept until its end is reached, so that the whole costs
// one pass a step.
template <class F>
void for_each_word(const PreTokenizer &pre, std::string_view text, const F &f) {
    const char *p = text.data(), *const end = p + text.size();
    if (p == end) return;
    if (pre.n == 0) return f(text);
    const char *ends[PreTokenizer::max_steps];
    int level = 0;
    while (p != end) {
        for (; level < pre.n; ++level) ends[level] = pre.steps[level](p, level == 0 ? end : ends[level - 1]);
        const char *stop = ends[pre.n - 1];
        if (!pre.drop_space || !(scan::at(p, end).mask & cls::space)) f(std::string_view(p, static_cast<size_t>(stop - p)));
        p = stop;
        while (level > 0 && ends[level - 1] == p) --level;
    }
}

// What a pre-tokenizer's name says about a vocabulary, besides how to cut.
struct NamedPreTokenizer {
    std::string_view name;
    PreTokenizer cut;
    bool ignore_merges = false;
    bool add_bos = false;
    bool add_sep = false;
    bool nfc = false;            // the original normalises to NFC, which GGUF files do not say
    bool escape_blanks = false;  // characters and U+2581 instead of bytes
};
// Null for a name that we do not know.
const NamedPreTokenizer *find_pretokenizer(std::string_view name) noexcept;

}  // namespace inlay::text
