// SPDX-License-Identifier: Apache-2.0
// How fast a vocabulary encodes a text on one core, and how long its tokenizer takes to build:
//   build/bench/bench_tokenize MODEL.gguf TEXT [passes]
// bench/tokenize.py runs the same text through the tokenizers and sentencepiece packages.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include "text/tokenizer_gguf.h"

using namespace inlay;

int main(int argc, char **argv) {
    if (argc < 3) return std::fprintf(stderr, "usage: bench_tokenize MODEL.gguf TEXT [passes]\n"), 2;
    int passes = argc > 3 ? std::atoi(argv[3]) : 5;
    std::ifstream f(argv[2], std::ios::binary);
    std::ostringstream all;
    all << f.rdbuf();
    const std::string text = all.str();
    // Processor time, so that a busy machine measures the same; one thread works.
    auto now = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
    try {
        Memory m;
        auto source = io::FileSystem().open(m, argv[1]);
        auto t0 = now();
        auto file = io::Gguf::read(m, *source, Limits(), Log());
        auto t1 = now();
        auto t = text::tokenizer_from_gguf(m, *file, Limits(), Log());
        auto t2 = now();
        std::printf("%s: metadata %.0f ms, tokenizer %.0f ms\n", argv[1], (t1 - t0) * 1e3, (t2 - t1) * 1e3);
        double best = 1e9;
        size_t n = 0;
        for (int i = 0; i < passes; ++i) {
            text::EncodeScratch s(m);  // fresh: the word cache starts cold each time
            Vector<int32_t> ids{Alloc<int32_t>(m)};
            auto a = now();
            t->encode(s, text, {false, false}, ids);
            best = std::min(best, now() - a);
            n = ids.size();
        }
        std::printf("encode: %zu bytes, %zu tokens, %.1f MB/s (best of %d)\n", text.size(), n, static_cast<double>(text.size()) / best / 1e6, passes);
    } catch (const Error &e) {
        return std::fprintf(stderr, "%.*s\n", static_cast<int>(e.text().size()), e.text().data()), 1;
    }
}
