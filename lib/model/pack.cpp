// SPDX-License-Identifier: Apache-2.0
// Weights to and from their sidecar file: each matrix's panels are a section, as they lie in memory, and the small tensors
// are the last one. What the file must be is worked out from the plan, so a pack can only be used where it fits exactly.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "base/hash.h"
#include "model/first_error.h"
#include "model/weights.h"
#include "thread/fp_env.h"

namespace inlay::model {

namespace {

// What tells one file from another without reading it: size, time of writing, and bytes here and there.
uint64_t source_id(Memory &m, const io::Source &s) {
    if (s.modified_ns() == 0) fail(Code::unsupported, "a pack file needs a model that is opened by its path");
    uint64_t h = mix64(s.size(), static_cast<uint64_t>(s.modified_ns()));
    constexpr size_t piece = 4096;
    constexpr uint64_t samples = 32;
    Buffer b(m, piece, 64, MemTag::scratch);
    const uint64_t n = std::min<uint64_t>(s.size(), piece), room = s.size() - n;
    for (uint64_t i = 0; i < samples; ++i) {
        s.read_at(i + 1 < samples ? room / (samples - 1) * i : room, {b.data(), static_cast<size_t>(n)});
        h = hash_bytes(b.data(), static_cast<size_t>(n), h);
    }
    return h;
}

// Hashes of all pieces of all sections, spread over the executor, then one checksum each.
Vector<uint64_t> checksums(Memory &m, std::span<const std::span<const std::byte>> data, thread::Executor &executor) {
    struct Piece {
        uint32_t section;
        uint64_t index;
    };
    Vector<Piece> pieces(m);
    for (size_t s = 0; s < data.size(); ++s)
        for (uint64_t i = 0; i < io::pack_pieces(data[s].size()); ++i) pieces.push_back({static_cast<uint32_t>(s), i});
    Vector<uint64_t> hashes(pieces.size(), 0, m);
    thread::parallel_for(executor, static_cast<int64_t>(pieces.size()), [&](int64_t i, int) {
        const Piece &p = pieces[static_cast<size_t>(i)];
        hashes[static_cast<size_t>(i)] = io::piece_hash(data[p.section], p.index);
    });
    Vector<uint64_t> out(m);
    size_t at = 0;
    for (const auto &d : data) {
        const size_t n = static_cast<size_t>(io::pack_pieces(d.size()));
        out.push_back(io::section_checksum({hashes.data() + at, n}));
        at += n;
    }
    return out;
}

}  // namespace

io::PackKey Weights::pack_key(const io::WeightsFile &file) const {
    io::PackKey k;
    k.words[0] = hash_bytes(kernels::kNumericsId, std::strlen(kernels::kNumericsId), 1);
    k.words[1] = config_id_;
    k.words[2] = static_cast<uint64_t>(range_.begin) << 32 | static_cast<uint32_t>(range_.end);
    for (uint32_t i = 0; i < file.n_sources(); ++i) k.words[3] = mix64(k.words[3], source_id(*memory_, file.source(i)));
    // The plan: another library may join other tensors, or lay panels out in another way.
    for (const MatrixSpec &s : specs_) {
        k.words[4] = mix64(k.words[4] ^ tensor::panel_layout_id(s.dtype), static_cast<uint64_t>(s.dtype));
        k.words[5] = mix64(k.words[5] ^ static_cast<uint64_t>(s.rows), static_cast<uint64_t>(s.cols));
    }
    auto name = [](const io::TensorInfo *t) { return hash_bytes(t->name.data(), t->name.size(), 2); };
    for (const RowSource &s : sources_) {
        k.words[6] = mix64(k.words[6] ^ name(s.tensor), static_cast<uint64_t>(s.matrix) << 32 | static_cast<uint32_t>(s.dst_row));
        k.words[6] = mix64(k.words[6] ^ s.first, static_cast<uint64_t>(s.rows) ^ s.stride.row << 32 ^ s.stride.step << 16);
    }
    for (const SmallSource &s : small_sources_) {
        uint32_t plus;
        std::memcpy(&plus, &s.plus, 4);
        k.words[7] = mix64(k.words[7] ^ name(s.tensor) ^ s.first, static_cast<uint64_t>(s.n) << 32 | plus);
        k.words[7] = mix64(k.words[7] ^ static_cast<uint64_t>(s.offset), static_cast<uint64_t>(s.step));
    }
    return k;
}

Vector<io::PackSection> Weights::pack_sections() const {
    Vector<io::PackSection> out(*memory_);
    for (const MatrixSpec &s : specs_)
        out.push_back({static_cast<uint32_t>(s.dtype), static_cast<uint64_t>(s.rows), static_cast<uint64_t>(s.cols),
                       tensor::packed_bytes(s.dtype, s.rows, s.cols), 0});
    const uint64_t n = static_cast<uint64_t>(std::max<int64_t>(small_count_, 1));
    out.push_back({static_cast<uint32_t>(DType::f32), 1, n, (Checked(n) * Checked(sizeof(float))).value(), 0});
    return out;
}

void Weights::check_all_finite(thread::Executor &executor) const {
    FirstError error;
    for (const tensor::PackedMatrix &w : matrices_) {
        constexpr int64_t rows = 64;  // a task
        Vector<float> values(static_cast<size_t>(w.cols()) * static_cast<size_t>(executor.width()), 0.0f, *memory_);
        thread::parallel_for(executor, (w.rows() + rows - 1) / rows, [&](int64_t task, int worker) {
            error.catching([&] {
                float *v = values.data() + static_cast<size_t>(worker) * static_cast<size_t>(w.cols());
                for (int64_t r = task * rows; r < std::min(w.rows(), (task + 1) * rows); ++r) {
                    tensor::unpack_row(w, r, v);
                    if (!std::all_of(v, v + w.cols(), [](float x) { return std::isfinite(x); }))
                        fail(Code::format, "numeric: row ", r, " of a packed matrix holds NaN or infinity");
                }
            });
        });
        error.rethrow();
    }
}

bool Weights::load_pack(const io::WeightsFile &file, const io::FileSystem &files, std::string_view path, thread::Executor &executor,
                        const LoadProgress &progress, bool validate, const Log &log) {
    if (!files.native()) fail(Code::unsupported, "a pack file needs the system's files, and this runtime has the host's");
    thread::FpGuard fp;
    const Vector<io::PackSection> wanted = pack_sections();
    auto pack = io::open_pack(files, *memory_, path, pack_key(file), wanted, log);
    if (!pack) return false;
    auto tell = [&](uint64_t done) {
        if (progress.fn && progress.fn(progress.user, done, file_bytes_)) fail(Code::cancelled, "loading was cancelled");
    };
    tell(0);
    const auto &small = pack->data.back();
    const std::span<const std::span<const std::byte>> all = pack->data, part = validate ? all : all.last(1);
    const Vector<uint64_t> found = checksums(*memory_, part, executor);
    for (size_t i = 0; i < found.size(); ++i) {
        const size_t section = all.size() - part.size() + i;
        if (found[i] != pack->checksums[section]) fail(Code::format, "checksum: section ", section, " of pack file ", quoted{path}, " is damaged");
    }
    Buffer table(*memory_, small.size(), 64, MemTag::weights);
    std::memcpy(table.data(), small.data(), small.size());
    Vector<tensor::PackedMatrix> views(*memory_);
    for (size_t i = 0; i < specs_.size(); ++i) views.push_back(tensor::packed_view(specs_[i].dtype, specs_[i].rows, specs_[i].cols, all[i]));
    matrices_ = std::move(views);
    small_ = std::move(table);
    pack_ = std::move(pack->map);
    if (validate) check_all_finite(executor);
    loaded_ = true;
    tell(file_bytes_);
    return true;
}

void Weights::write_pack(const io::WeightsFile &file, std::string_view path, thread::Executor &executor) const {
    if (!loaded_) fail(Code::internal, "a pack of weights that are not loaded");
    const io::PackKey key = pack_key(file);
    Vector<io::PackSection> sections = pack_sections();
    Vector<std::span<const std::byte>> data(*memory_);
    for (const tensor::PackedMatrix &w : matrices_) data.push_back({reinterpret_cast<const std::byte *>(w.panel(0)), static_cast<size_t>(w.bytes())});
    data.push_back({small_.data(), small_.size()});
    const Vector<uint64_t> sums = checksums(*memory_, data, executor);
    for (size_t i = 0; i < sections.size(); ++i) sections[i].checksum = sums[i];
    io::write_pack(*memory_, path, key, sections, data);
}

}  // namespace inlay::model
