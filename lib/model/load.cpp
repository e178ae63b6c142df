// SPDX-License-Identifier: Apache-2.0
// Reads and packs: tasks of a quarter MiB of file bytes, each a range of panels of one matrix, so that no two tasks
// share a panel. Every worker has one staging buffer. Progress is told, and cancel asked, between groups of tasks; what else
// opening has to do (the tokenizer) is a task of the first group.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/error.h"
#include "model/first_error.h"
#include "model/weights.h"
#include "tensor/huge_pages.h"
#include "thread/fp_env.h"

namespace inlay::model {

// Rows [row0, row0 + rows) of a matrix, from sources [source0, ...).
struct Weights::Task {
    int32_t matrix;
    int64_t row0, rows;
    uint32_t source0;
    uint64_t bytes;  // of the file
    uint32_t file;   // order of reading
    uint64_t offset;
};

namespace {

// Long enough for a call of the system, short enough that what was read is still in the L2 when it is packed.
constexpr uint64_t kTaskBytes = 256u << 10;
constexpr uint64_t kArenaBytes = 256u << 20;
constexpr uint64_t kGroupBytes = 32u << 20;  // between two progress calls: some 10 ms
// What each other thread may pack while one works beside: the largest vocabularies take 100 ms, as long as 300 MiB do.
constexpr uint64_t kBesideBytes = 256u << 20;

void not_finite(const io::TensorInfo &t) { fail(Code::format, "numeric: tensor ", quoted{t.name}, " holds NaN or infinity"); }

void check_finite(const io::TensorInfo &t, const std::byte *rows, int64_t n, int64_t cols) {
    const DTypeInfo &info = *dtype_info(t.dtype);
    float values[256];  // no type has longer blocks
    const int64_t step = 256 / info.block * info.block, total = n * cols;
    for (int64_t i = 0; i < total; i += step) {
        const int64_t count = std::min(step, total - i);
        tensor::dequantize(t.dtype, rows + i / info.block * info.block_bytes, count, values);
        for (int64_t j = 0; j < count; ++j)
            if (!std::isfinite(values[j])) not_finite(t);
    }
}

}  // namespace

// Matrices side by side in few large blocks: one of its own each would leave a quarter of a small model on 4 KiB pages,
// as 2 MiB pages cover whole multiples only. A block is rounded up to them, which wastes 1 MiB of 256 on average.
void Weights::place_matrices() {
    auto bytes_of = [&](size_t i) { return tensor::packed_bytes(specs_[i].dtype, specs_[i].rows, specs_[i].cols); };
    matrices_.reserve(specs_.size());
    for (size_t begin = 0, end; begin < specs_.size(); begin = end) {
        Checked total = 0;
        for (end = begin; end < specs_.size() && (end == begin || (total + Checked(bytes_of(end))) <= Checked(kArenaBytes)); ++end)
            total += Checked(bytes_of(end));
        const bool huge = total >= Checked(tensor::kHugePage);
        const size_t size = (huge ? total.rounded_up(tensor::kHugePage) : total).size();
        Buffer &arena = arenas_.emplace_back(*memory_, size, huge ? tensor::kHugePage : 64, MemTag::weights);
        tensor::advise_huge_pages(arena.data(), arena.size());
        std::span<std::byte> room(arena.data(), arena.size());
        for (size_t i = begin; i < end; ++i) {
            const size_t n = Checked(bytes_of(i)).size();  // a multiple of 64
            matrices_.push_back(tensor::place_packed(specs_[i].dtype, specs_[i].rows, specs_[i].cols, room.first(n)));
            room = room.subspan(n);
        }
    }
}

void Weights::load_small(const io::WeightsFile &file) {
    const size_t n = static_cast<size_t>(std::max<int64_t>(small_count_, 1));
    small_ = Buffer(*memory_, n * sizeof(float), 64, MemTag::weights);
    std::fill_n(small_.as<float>(), n, 0.0f);
    Buffer staging;
    for (const SmallSource &s : small_sources_) {
        const DTypeInfo &info = *dtype_info(s.tensor->dtype);
        const Checked blocks = Checked(static_cast<uint64_t>(s.n)) / static_cast<uint64_t>(info.block);
        if ((Checked(s.first) % static_cast<uint64_t>(info.block)) != Checked(0) ||
            blocks * static_cast<uint64_t>(info.block) != Checked(static_cast<uint64_t>(s.n)))
            fail(Code::format, "mismatch: tensor ", quoted{s.tensor->name}, " of type ", info.name, " is not cut at whole blocks");
        const size_t bytes = (blocks * static_cast<uint64_t>(info.block_bytes)).size();
        if (staging.size() < bytes) staging = Buffer(*memory_, bytes, 64, MemTag::scratch);
        file.read(*s.tensor, (Checked(s.first) / static_cast<uint64_t>(info.block) * static_cast<uint64_t>(info.block_bytes)).value(),
                  {staging.data(), bytes});
        float *out = small_.as<float>() + s.offset;
        if (s.step == 1) {
            tensor::dequantize(s.tensor->dtype, staging.data(), s.n, out);
        } else {
            const int64_t half = s.n / 2;
            for (int64_t i = 0; i < s.n; ++i)
                tensor::dequantize(s.tensor->dtype, staging.data() + i * info.block_bytes, 1, out + (i % 2) * half + i / 2);
        }
        if (validate_ && !std::all_of(out, out + s.n, [](float v) { return std::isfinite(v); })) not_finite(*s.tensor);
        if (s.plus != 0.0f)
            for (int64_t i = 0; i < s.n; ++i) out[i] += s.plus;
    }
}

void Weights::pack(const io::WeightsFile &file, const Task &task, std::span<std::byte> staging) {
    tensor::PackedMatrix &m = matrices_[static_cast<size_t>(task.matrix)];
    const uint64_t row_bytes = tensor::file_row_bytes(m.dtype(), m.cols());
    int64_t row = task.row0;
    const int64_t end = task.row0 + task.rows;
    for (uint32_t i = task.source0; row < end; ++i) {
        const RowSource &s = sources_[i];
        const int64_t n = std::min(end, s.dst_row + s.rows) - row;
        const uint64_t skipped = static_cast<uint64_t>(row - s.dst_row);
        const size_t bytes = (Checked(static_cast<uint64_t>(n)) * row_bytes).size();
        const uint64_t first = s.stride.row ? 0 : s.first + skipped;
        if (s.stride.row) {
            // A strip of columns of the file becomes rows here: read below them, turned, in the same staging.
            const size_t size = static_cast<size_t>(dtype_info(m.dtype())->block_bytes);
            const size_t strip = static_cast<size_t>((static_cast<uint64_t>(n) - 1) * s.stride.step + 1) * size;
            std::byte *in = staging.data() + bytes;
            for (int64_t k = 0; k < m.cols(); ++k) {
                const Checked at = (Checked(s.first) + skipped * s.stride.step + Checked(static_cast<uint64_t>(k)) * s.stride.row) * size;
                file.read(*s.tensor, at.value(), staging.subspan(bytes, strip));
                for (int64_t r = 0; r < n; ++r)
                    std::copy_n(in + static_cast<size_t>(r) * s.stride.step * size, size,
                                staging.data() + static_cast<size_t>(r) * row_bytes + static_cast<size_t>(k) * size);
            }
            if (validate_) check_finite(*s.tensor, staging.data(), n, m.cols());
            tensor::pack_rows(m, row, n, staging.data());
        } else if (auto all = file.in_memory(*s.tensor); !all.empty()) {
            const std::byte *rows = all.subspan((Checked(first) * row_bytes).size(), bytes).data();
            if (validate_) check_finite(*s.tensor, rows, n, m.cols());
            tensor::pack_rows(m, row, n, rows);
        } else {
            file.read(*s.tensor, (Checked(first) * row_bytes).value(), staging.first(bytes));
            if (validate_) check_finite(*s.tensor, staging.data(), n, m.cols());
            tensor::pack_rows(m, row, n, staging.data());
        }
        row += n;
    }
}

void Weights::load(const io::WeightsFile &file, thread::Executor &executor, const LoadProgress &progress, bool validate,
                   const LoadBeside &beside) {
    validate_ = validate;
    thread::FpGuard fp;
    auto tell = [&](uint64_t done) {
        if (progress.fn && progress.fn(progress.user, done, file_bytes_)) fail(Code::cancelled, "loading was cancelled");
    };
    tell(0);
    load_small(file);
    place_matrices();

    Vector<Task> tasks(*memory_);
    uint64_t staging_bytes = 0;
    uint32_t source = 0;
    for (size_t m = 0; m < specs_.size(); ++m) {
        const uint64_t row_bytes = tensor::file_row_bytes(specs_[m].dtype, specs_[m].cols);
        const int64_t step = std::max<int64_t>(1, static_cast<int64_t>(kTaskBytes / row_bytes) / kernels::kPanelRows) * kernels::kPanelRows;
        while (source < sources_.size() && static_cast<size_t>(sources_[source].matrix) < m) ++source;
        for (int64_t row = 0; row < specs_[m].rows; row += step) {
            while (sources_[source].dst_row + sources_[source].rows <= row) ++source;
            const RowSource &s = sources_[source];
            const int64_t n = std::min(step, specs_[m].rows - row);
            const uint64_t bytes = (Checked(static_cast<uint64_t>(n)) * row_bytes).value();
            staging_bytes =
                std::max(staging_bytes, s.stride.row ? bytes + static_cast<uint64_t>(n) * s.stride.step *
                                                                   static_cast<uint64_t>(dtype_info(specs_[m].dtype)->block_bytes)
                                                     : bytes);
            tasks.push_back({static_cast<int32_t>(m), row, n, source, bytes, s.tensor->source,
                             s.tensor->offset + static_cast<uint64_t>(row - s.dst_row) * row_bytes});
        }
    }
    std::sort(tasks.begin(), tasks.end(),
              [](const Task &a, const Task &b) { return a.file != b.file ? a.file < b.file : a.offset < b.offset; });

    Vector<Buffer> staging(*memory_);
    for (int i = 0; i < executor.width(); ++i)
        staging.emplace_back(*memory_, static_cast<size_t>(std::max<uint64_t>(staging_bytes, 64)), 64, MemTag::scratch);
    FirstError error;
    uint64_t done = 0;
    if (tasks.empty() && beside.fn) beside.fn(beside.user);
    const uint64_t meanwhile = beside.fn ? kBesideBytes * static_cast<uint64_t>(executor.width() - 1) : 0;
    for (size_t at = 0; at < tasks.size();) {
        const bool extra = at == 0 && beside.fn;  // the first task of the first group
        const uint64_t least = extra ? std::max(meanwhile, kGroupBytes) : kGroupBytes;
        size_t end = at;
        uint64_t group = 0;
        for (; end < tasks.size() && group < least; ++end) group += tasks[end].bytes;
        thread::parallel_for(executor, static_cast<int64_t>(end - at) + extra, [&](int64_t i, int worker) {
            Buffer &b = staging[static_cast<size_t>(worker)];
            error.catching([&] {
                if (extra && i == 0) return beside.fn(beside.user);
                pack(file, tasks[at + static_cast<size_t>(i - extra)], {b.data(), b.size()});
            });
        });
        error.rethrow();
        at = end;
        done += group;
        tell(done);
    }
    loaded_ = true;
}

}  // namespace inlay::model
