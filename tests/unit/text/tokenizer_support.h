// SPDX-License-Identifier: Apache-2.0
// What the tokenizer tests share: opening, encoding to a plain vector, lines of a file.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "io/json.h"
#include "text/tokenizer_gguf.h"

REGISTER_EXCEPTION_TRANSLATOR(inlay::Error &e) { return doctest::String(e.text().data(), static_cast<unsigned>(e.text().size())); }

namespace inlay_test {

using Ids = std::vector<int32_t>;

inline inlay::Owned<inlay::text::Tokenizer> open_gguf(inlay::Memory &m, const std::string &path) {
    inlay::Limits limits;
    inlay::Log log;
    auto source = inlay::io::FileSystem().open(m, path);
    auto file = inlay::io::Gguf::read(m, *source, limits, log);
    return inlay::text::tokenizer_from_gguf(m, *file, limits, log);
}

inline Ids encode(inlay::text::EncodeScratch &s, const inlay::text::Tokenizer &t, std::string_view text, bool add_special, bool parse_special,
                  std::vector<uint32_t> *begins = nullptr) {
    inlay::Vector<int32_t> ids{inlay::Alloc<int32_t>(s.memory)};
    inlay::Vector<uint32_t> at{inlay::Alloc<uint32_t>(s.memory)};
    t.encode(s, text, {add_special, parse_special}, ids, begins ? &at : nullptr);
    if (begins) begins->assign(at.begin(), at.end());
    return Ids(ids.begin(), ids.end());
}

inline std::string decode(inlay::Memory &m, const inlay::text::Tokenizer &t, const Ids &ids, bool skip_special = false) {
    inlay::String out{inlay::Alloc<char>(m)};
    t.decode(ids, skip_special, out);
    return std::string(out);
}

inline std::string read_file(const std::string &path) {
    std::ifstream f(path, std::ios::binary);
    std::ostringstream s;
    s << f.rdbuf();
    return s.str();
}

inline std::vector<std::string> split(const std::string &text, const std::string &by) {
    std::vector<std::string> out;
    size_t pos = 0, hit;
    while ((hit = text.find(by, pos)) != std::string::npos) {
        out.push_back(text.substr(pos, hit - pos));
        pos = hit + by.size();
    }
    out.push_back(text.substr(pos));
    return out;
}

inline std::string show(const Ids &ids) {
    std::string s;
    for (int32_t i : ids) s += " " + std::to_string(i);
    return s;
}

}  // namespace inlay_test
