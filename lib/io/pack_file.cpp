// SPDX-License-Identifier: Apache-2.0
#include "io/pack_file.h"

#include <bit>
#include <cstring>

#include "base/checked.h"
#include "base/hash.h"
#include "io/file_writer.h"

namespace inlay::io {

namespace {

static_assert(std::endian::native == std::endian::little, "heads are written as they lie in memory");

constexpr char kMagic[9] = "inlaypk\n";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kAlign = 4096;  // a page: sections are mapped
constexpr uint64_t kSeed = 0x9c6e6877736c46e3u;

struct Head {
    char magic[8];
    uint32_t version, n_sections;
    uint64_t head_bytes, file_bytes;
    uint64_t key[10];
    uint64_t checksum;  // of the head with 0 here
    uint64_t reserved;
};
struct Entry {
    uint32_t dtype, reserved;
    uint64_t rows, cols, offset, bytes, checksum;
};
static_assert(sizeof(Head) == 128 && sizeof(Entry) == 48);

Buffer make_head(Memory &m, const PackKey &key, std::span<const PackSection> sections, const PackLayout &l) {
    Buffer out(m, Checked(l.head_bytes).size(), 8, MemTag::general);
    Head h = {};
    std::memcpy(h.magic, kMagic, 8);
    h.version = kVersion;
    h.n_sections = Checked(sections.size()).to<uint32_t>("sections");
    h.head_bytes = l.head_bytes;
    h.file_bytes = l.file_bytes;
    std::memcpy(h.key, key.words, sizeof h.key);
    Entry *e = reinterpret_cast<Entry *>(out.data() + sizeof h);  // raw: head_bytes has room for a Head and all entries
    for (size_t i = 0; i < sections.size(); ++i) {
        const PackSection &s = sections[i];
        e[i] = {s.dtype, 0, s.rows, s.cols, l.offsets[i], s.bytes, s.checksum};
    }
    std::memcpy(out.data(), &h, sizeof h);
    h.checksum = hash_bytes(out.data(), out.size(), kSeed);
    std::memcpy(out.data(), &h, sizeof h);
    return out;
}

}  // namespace

uint64_t piece_hash(std::span<const std::byte> section, uint64_t piece) noexcept {
    const size_t at = static_cast<size_t>(piece) * pack_piece;  // raw: piece < pack_pieces(section.size())
    return hash_bytes(section.data() + at, section.size() - at < pack_piece ? section.size() - at : pack_piece, kSeed);  // raw: at <= size
}

uint64_t section_checksum(std::span<const uint64_t> h) noexcept { return hash_bytes(h.data(), h.size_bytes(), kSeed); }

PackLayout::PackLayout(Memory &m, std::span<const PackSection> sections) : offsets(m) {
    const Checked head = Checked(sizeof(Head)) + Checked(sections.size()) * Checked(sizeof(Entry));
    head_bytes = head.value();
    Checked at = head.rounded_up(kAlign);
    for (const PackSection &s : sections) {
        offsets.push_back(at.value());
        at = (at + Checked(s.bytes)).rounded_up(kAlign);
    }
    file_bytes = at.value();
}

std::optional<OpenedPack> open_pack(const FileSystem &files, Memory &m, std::string_view path, const PackKey &key,
                                    std::span<const PackSection> wanted, const Log &log) {
    Owned<Source> map = files.open_if_exists(m, path, OpenMode::map);
    if (!map) return std::nullopt;
    const std::span<const std::byte> all = map->in_memory();
    Head h;
    if (all.size() < sizeof h || std::memcmp(all.data(), kMagic, 8) != 0)
        fail(Code::format, quoted{path}, " is no pack file of inlay (it begins otherwise); it is left as it is");
    std::memcpy(&h, all.data(), sizeof h);
    auto stale = [&](const char *why) {
        log.line(LogLevel::info, "pack file ", quoted{path}, " is ", why, ": made anew");
        return std::nullopt;
    };
    if (h.version != kVersion) return stale("of another version");
    // The head's own fields give its size; the checksum says whether they can be believed, the wanted layout whether they are right.
    if (h.file_bytes != all.size()) fail(Code::format, "truncated: pack file ", quoted{path}, " has ", all.size(), " bytes, its head says ", h.file_bytes);
    if (h.head_bytes < sizeof h || h.head_bytes > all.size() ||
        Checked(h.head_bytes) != Checked(sizeof h) + Checked(h.n_sections) * Checked(sizeof(Entry)))
        fail(Code::format, "pack file ", quoted{path}, ": a head of ", h.head_bytes, " bytes for ", h.n_sections, " sections");
    Buffer head(m, Checked(h.head_bytes).size(), 8, MemTag::general);
    std::memcpy(head.data(), all.data(), head.size());
    std::memset(head.data() + offsetof(Head, checksum), 0, sizeof h.checksum);  // raw: inside the Head
    if (hash_bytes(head.data(), head.size(), kSeed) != h.checksum) fail(Code::format, "checksum: the head of pack file ", quoted{path}, " is damaged");
    PackKey found;
    std::memcpy(found.words, h.key, sizeof h.key);
    if (found != key) return stale("of another model, file or layout");
    const PackLayout l(m, wanted);
    if (h.n_sections != wanted.size() || h.head_bytes != l.head_bytes || h.file_bytes != l.file_bytes || h.reserved)
        fail(Code::format, "pack file ", quoted{path}, " has ", h.n_sections, " sections in ", h.file_bytes, " bytes, the model needs ",
             wanted.size(), " in ", l.file_bytes);
    OpenedPack out{std::move(map), Vector<std::span<const std::byte>>(m), Vector<uint64_t>(m)};
    const Entry *e = reinterpret_cast<const Entry *>(head.data() + sizeof h);  // raw: head_bytes holds all entries
    for (size_t i = 0; i < wanted.size(); ++i) {
        const PackSection &w = wanted[i];
        if (e[i].dtype != w.dtype || e[i].reserved || e[i].rows != w.rows || e[i].cols != w.cols || e[i].bytes != w.bytes || e[i].offset != l.offsets[i])
            fail(Code::format, "pack file ", quoted{path}, ": section ", i, " is not the model's");
        out.data.push_back(all.subspan(static_cast<size_t>(e[i].offset), static_cast<size_t>(e[i].bytes)));  // the layout's, and it ends at all.size()
        out.checksums.push_back(e[i].checksum);
    }
    return out;
}

void write_pack(Memory &m, std::string_view path, const PackKey &key, std::span<const PackSection> sections,
                std::span<const std::span<const std::byte>> data) {
    const PackLayout l(m, sections);
    Buffer head = make_head(m, key, sections, l);
    FileWriter out(m, path);
    out.write_at(0, {head.data(), head.size()});
    for (size_t i = 0; i < data.size(); ++i) out.write_at(l.offsets[i], data[i]);
    out.commit(l.file_bytes);
}

}  // namespace inlay::io
