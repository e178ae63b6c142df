// SPDX-License-Identifier: Apache-2.0
// The one place where tests find data that is not part of the project: the reference data beside the checkout, and
// fetched models. Absent data is an empty path; the caller prints a visible SKIP line.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace inlay_test {

// shared_path("data/vocabs") → the path, or "" when there is no such file. INLAY_SHARED overrides where to look.
inline std::string shared_path(const std::string &relative) {
    namespace fs = std::filesystem;
    std::error_code ec;
    if (const char *env = std::getenv("INLAY_SHARED")) {
        fs::path p = fs::path(env) / relative;
        return fs::exists(p, ec) ? p.string() : "";
    }
    for (fs::path dir = fs::path(INLAY_SOURCE_ROOT); dir.has_relative_path(); dir = dir.parent_path()) {
        fs::path p = dir.parent_path() / "shared" / relative;
        if (fs::exists(p, ec)) return p.string();
    }
    return "";
}

// model_path("gemma3-270m") → a fetched GGUF file in the cache of `inlay pull`, or "".
inline std::string model_path(const std::string &name) {
    namespace fs = std::filesystem;
    std::error_code ec;
    std::string cache = std::getenv("XDG_CACHE_HOME") ? std::getenv("XDG_CACHE_HOME") : std::string(std::getenv("HOME") ? std::getenv("HOME") : "") + "/.cache";
    for (const char *dir : {"/inlay/", "/inlay-check/"}) {
        std::string p = cache + dir + name + ".gguf";
        if (fs::exists(p, ec)) return p;
    }
    return "";
}

}  // namespace inlay_test
