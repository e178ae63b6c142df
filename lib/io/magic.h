// SPDX-License-Identifier: Apache-2.0
// What a file that is not a model looks like: people open zip archives, web pages and Git LFS pointers, and want to be
// told so.
#pragma once

#include <string_view>

namespace inlay::io {

// "a ZIP archive (a PyTorch checkpoint?)" …, or null when the first bytes say nothing.
inline const char *looks_like(std::string_view head) noexcept {
    struct Known {
        std::string_view magic;
        const char *what;
    };
    using namespace std::string_view_literals;
    static constexpr Known known[] = {
        {"FUGG"sv, "a GGUF file with its bytes swapped (big-endian)"},
        {"gguf"sv, "a GGUF file whose magic is in lower case"},
        {"GGJT"sv, "a GGJT file, a format before GGUF"},
        {"tjgg"sv, "a GGJT file, a format before GGUF"},
        {"GGLA"sv, "a GGLA adapter, a format before GGUF"},
        {"algg"sv, "a GGLA adapter, a format before GGUF"},
        {"GGML"sv, "a GGML file, a format before GGUF"},
        {"lmgg"sv, "a GGML file, a format before GGUF"},
        {"fmgg"sv, "a GGMF file, a format before GGUF"},
        {"\x89PNG"sv, "a PNG image"},
        {"\xFF\xD8\xFF"sv, "a JPEG image"},
        {"PK\x03\x04"sv, "a ZIP archive (a PyTorch checkpoint?)"},
        {"\x1F\x8B"sv, "a gzip archive"},
        {"7z\xBC\xAF"sv, "a 7z archive"},
        {"\x28\xB5\x2F\xFD"sv, "a zstd archive"},
        {"\x7F"
         "ELF"sv,
         "an ELF program"},
        {"MZ"sv, "a Windows program"},
        {"%PDF"sv, "a PDF document"},
        {"version https://git-lfs"sv, "a Git LFS pointer: the file itself was not fetched"},
        {"<!"sv, "a web page"},
        {"<html"sv, "a web page"},
        {"\x80\x02"sv, "a Python pickle"},
        {"\x80\x04"sv, "a Python pickle"},
        {"{"sv, "a JSON text"},
    };
    if (head.size() > 8 && head[8] == '{' && head[7] == 0 && head[6] == 0) return "a safetensors file: open the folder that holds it";
    for (const Known &k : known)
        if (head.starts_with(k.magic)) return k.what;
    return nullptr;
}

}  // namespace inlay::io
