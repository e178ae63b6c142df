// SPDX-License-Identifier: Apache-2.0
// What a call came to: its status and text, and that it gave all memory back.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "io/weights_file.h"

namespace inlay_test {

struct Outcome {
    inlay::Code code = inlay::Code::ok;
    std::string text;
    uint64_t peak = 0;
    bool truncated() const { return code == inlay::Code::format && text.starts_with("truncated:"); }
    bool mismatch() const { return code == inlay::Code::format && text.starts_with("mismatch:"); }
};

template <class F>
Outcome outcome_of(F &&f) {
    inlay::Memory m;
    Outcome o;
    try {
        f(m);
    } catch (const inlay::Error &e) {
        o.code = e.code();
        o.text = e.text();
        CHECK(o.text.size() > 0);
        CHECK(o.text.size() <= 512);
    }
    CHECK(m.used() == 0);
    o.peak = m.peak();
    return o;
}

inline std::span<const std::byte> as_bytes(const std::string &s) { return {reinterpret_cast<const std::byte *>(s.data()), s.size()}; }

// Through the reading path (no bytes in memory for the parser), as a file would be.
class CopySource final : public inlay::io::Source {
public:
    explicit CopySource(const std::string &s) : Source(s.size()), s_(s) {}

private:
    size_t read_some(uint64_t offset, std::span<std::byte> out) const override {
        std::memcpy(out.data(), s_.data() + offset, out.size());
        return out.size();
    }
    const std::string &s_;
};

inline Outcome open_bytes(const std::string &s, const inlay::Limits &limits = {}) {
    Outcome a = outcome_of([&](inlay::Memory &m) { inlay::io::open_gguf(m, inlay::make_owned<CopySource>(m, s), limits, {}); });
    Outcome b = outcome_of([&](inlay::Memory &m) { inlay::io::open_gguf(m, inlay::io::memory_source(m, as_bytes(s)), limits, {}); });
    CHECK(a.code == b.code);
    CHECK(a.text == b.text);
    return a;
}

// A folder of its own under the system's temporary one, gone with the object.
class TempFolder {
public:
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "inlay-io-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TempFolder() {
        std::error_code ec;
        std::filesystem::remove_all(path_, ec);
    }
    std::string operator/(const std::string &name) const { return path_ + "/" + name; }
    const std::string &path() const { return path_; }
    std::string write(const std::string &name, const std::string &bytes) const {
        std::ofstream(*this / name, std::ios::binary) << bytes;
        return *this / name;
    }

private:
    std::string path_;
};

}  // namespace inlay_test
