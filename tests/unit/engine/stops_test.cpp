// SPDX-License-Identifier: Apache-2.0
// Stop strings against their definition, over random cuts of random texts.
#include "engine/stops.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

using namespace inlay;

TEST_CASE("stop strings: any cutting of the text gives the same, kept or not") {
    Memory m;
    std::mt19937 rng(5);
    for (int round = 0; round < 2000; ++round) {
        Vector<String> stops((Alloc<String>(m)));
        for (uint32_t i = 0; i < 1 + rng() % 3; ++i) {
            String &s = stops.emplace_back(m);
            for (uint32_t k = 0; k < 1 + rng() % 4; ++k) s.push_back(static_cast<char>('a' + rng() % 2));
        }
        std::string text;
        for (int i = 0; i < 12; ++i) text.push_back(static_cast<char>('a' + rng() % 3));
        const bool keep = rng() % 2;
        // By definition: the first place at which some stop string ends, and of those the one that begins first.
        std::string expected = text;
        bool found = false;
        for (size_t end = 1; end <= text.size() && !found; ++end) {
            size_t longest = 0;
            for (const String &s : stops)
                if (std::string_view(text).substr(0, end).ends_with(s)) longest = std::max(longest, s.size());
            if (longest) found = true, expected = text.substr(0, keep ? end : end - longest);
        }
        for (size_t most : {1, 2, 5, 12}) {
            engine::StopFilter f(m, stops, keep);
            String out(m);
            bool stopped = false;
            for (size_t at = 0; at < text.size() && !stopped;) {
                const size_t n = 1 + rng() % most;
                f.pending().append(std::string_view(text).substr(at, n));
                at += n;
                stopped = f.scan(out);
                CHECK(expected.starts_with(std::string_view(out)));  // nothing that would have to be taken back
            }
            if (!stopped) f.flush(out);
            CHECK(stopped == found);
            CHECK(std::string_view(out) == expected);
        }
    }
}
