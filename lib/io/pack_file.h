// SPDX-License-Identifier: Apache-2.0
// The sidecar file of packed weights: sections of bytes that are mapped as they lie. Its whole layout follows from what the
// reader wants (a key and a list of sections), so nothing in a file is believed: the head either equals the wanted one but for
// the checksums, or the file is stale, or it is damaged.
//
//   0    "inlaypk\n"   u32 version   u32 n_sections   u64 head_bytes   u64 file_bytes   u64 key[10]   u64 checksum of the head   u64 0
//   128  n_sections of { u32 dtype  u32 0  u64 rows  u64 cols  u64 offset  u64 bytes  u64 checksum }
//   then the sections, each at the next multiple of 4,096. Little endian.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/containers.h"
#include "base/log.h"
#include "io/source.h"

namespace inlay::io {

struct PackKey {
    uint64_t words[10] = {};
    bool operator==(const PackKey &) const = default;
};

struct PackSection {
    uint32_t dtype = 0;
    uint64_t rows = 0, cols = 0, bytes = 0;
    uint64_t checksum = 0;
};

// Of a section's bytes, in pieces that may be hashed by different threads: piece i of `pack_pieces(n)` covers pack_piece bytes.
inline constexpr uint64_t pack_piece = 1u << 20;
// raw: less than 2^44 + 1
inline uint64_t pack_pieces(uint64_t bytes) noexcept { return bytes / pack_piece + (bytes % pack_piece != 0); }
uint64_t piece_hash(std::span<const std::byte> section, uint64_t piece) noexcept;
uint64_t section_checksum(std::span<const uint64_t> piece_hashes) noexcept;

// Where each section begins, and the size of the file, by the rule above.
struct PackLayout {
    PackLayout(Memory &m, std::span<const PackSection> sections);
    Vector<uint64_t> offsets;
    uint64_t head_bytes = 0, file_bytes = 0;
};

// A usable file, mapped: a file that is cut short while it is mapped is a signal in the host, which is why packs are opt-in.
struct OpenedPack {
    Owned<Source> map;
    Vector<std::span<const std::byte>> data;  // of each section
    Vector<uint64_t> checksums;
};

// Nothing when the file does not exist or is stale: of another version or key. A file that is no pack, or one that is damaged
// (its head's checksum, its size, sections that are not the wanted ones), is FORMAT: it is never overwritten.
std::optional<OpenedPack> open_pack(const FileSystem &files, Memory &m, std::string_view path, const PackKey &key,
                                    std::span<const PackSection> wanted, const Log &log);

// Writes beside `path` and renames, so that a reader sees the old file or the whole new one. IO with the system's reason.
void write_pack(Memory &m, std::string_view path, const PackKey &key, std::span<const PackSection> sections,
                std::span<const std::span<const std::byte>> data);

}  // namespace inlay::io
