// SPDX-License-Identifier: Apache-2.0
#include "inlay/tensor/tensor.h"

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "capi/handles.h"
#include "kv/store.h"
#include "tensor/activations.h"
#include "tensor/attention.h"
#include "tensor/matmul_blas.h"
#include "tensor/packed.h"
#include "tensor/rope.h"

using namespace inlay;
using namespace inlay::capi;

struct inlay_tensor_matrix {
    static constexpr uint32_t kTag = 0x4d415431;
    uint32_t tag;
    std::shared_ptr<engine::Runtime> owner;
    tensor::PackedMatrix impl;
};

namespace {

DType weight_type(int32_t dtype) {
    const DTypeInfo *info = dtype_info(dtype);
    if (!info || !tensor::packable(info->type)) fail(Code::unsupported, "dtype ", dtype, " is no weight type of this library");
    return info->type;
}

int64_t count(uint64_t v, const char *name) {
    // 2^31 values a side keep every product of two sizes and an element size inside of 64 bits.
    if (v > INT32_MAX) fail(Code::limit, name, " ", v, " exceeds ", INT32_MAX);
    return static_cast<int64_t>(v);
}

// Tasks of about 64 K values: some microseconds each, many more than threads.
int64_t rows_a_task(int64_t n) { return std::max<int64_t>(1, 65536 / std::max<int64_t>(n, 1)); }

template <class F>
void over_rows(engine::Runtime &rt, int64_t n_rows, int64_t n, F &&f) {
    const int64_t step = rows_a_task(n);
    std::lock_guard lock(rt.executor_mutex());
    thread::parallel_for(rt.executor(), (n_rows + step - 1) / step, [&](int64_t i, int) { f(i * step, std::min(n_rows, (i + 1) * step)); });
}

}  // namespace

extern "C" inlay_status inlay_tensor_get_bytes(int32_t dtype, uint64_t n, uint64_t *out_bytes, inlay_error *err) {
    return guard(err, [&] {
        need_pointer(out_bytes, "out_bytes");
        const DTypeInfo *info = dtype_info(weight_type(dtype));
        const uint64_t block = static_cast<uint64_t>(info->block);
        if (n % block) fail(Code::format, n, " values are no multiple of ", info->name, "'s block of ", block);
        *out_bytes = (Checked(n / block) * info->block_bytes).value();
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tensor_decode(int32_t dtype, const void *src, uint64_t n, float *dst, inlay_error *err) {
    return guard(err, [&] {
        const DType t = weight_type(dtype);
        if (n) need_pointer(src, "src"), need_pointer(dst, "dst");
        if (n % static_cast<uint64_t>(dtype_info(t)->block))
            fail(Code::format, n, " values are no multiple of ", dtype_name(t), "'s block");
        tensor::dequantize(t, src, count(n, "n"), dst);
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tensor_matrix_create(inlay_runtime *rt, int32_t dtype, uint64_t rows, uint64_t cols,
                                                   inlay_tensor_matrix **out_matrix, inlay_error *err) {
    return guard(err, [&] {
        auto &owner = need_handle(rt, "rt").owner;
        need_pointer(out_matrix, "out_matrix");
        if (rows == 0 || cols == 0) fail(Code::invalid_argument, "a matrix of ", rows, " x ", cols);
        *out_matrix = new_handle<inlay_tensor_matrix>(
            owner, tensor::make_packed(owner->memory(), weight_type(dtype), count(rows, "rows"), count(cols, "cols")));
        return INLAY_OK;
    });
}

extern "C" void inlay_tensor_matrix_free(inlay_tensor_matrix *matrix) { free_handle(matrix); }

extern "C" inlay_status inlay_tensor_matrix_load(inlay_tensor_matrix *matrix, uint64_t row, uint64_t n_rows, const void *src,
                                                 inlay_error *err) {
    return guard(err, [&] {
        tensor::PackedMatrix &m = need_handle(matrix, "matrix").impl;
        const uint64_t rows = static_cast<uint64_t>(m.rows());
        if (row > rows || n_rows > rows - row) fail(Code::invalid_argument, "rows [", row, ", + ", n_rows, ") of ", rows);
        if (n_rows == 0) return INLAY_OK;
        need_pointer(src, "src");
        tensor::pack_rows(m, static_cast<int64_t>(row), static_cast<int64_t>(n_rows), src);
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tensor_matrix_read(const inlay_tensor_matrix *matrix, uint64_t row, float *out, inlay_error *err) {
    return guard(err, [&] {
        const tensor::PackedMatrix &m = need_handle(matrix, "matrix").impl;
        need_pointer(out, "out");
        if (row >= static_cast<uint64_t>(m.rows())) fail(Code::invalid_argument, "row ", row, " of ", m.rows());
        tensor::unpack_row(m, static_cast<int64_t>(row), out);
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tensor_matmul_submit(const inlay_tensor_matrix *matrix, const float *x, uint64_t ldx, uint64_t n_tokens,
                                                   float *y, uint64_t ldy, inlay_error *err) {
    return guard(err, [&] {
        const inlay_tensor_matrix &h = need_handle(matrix, "matrix");
        const tensor::PackedMatrix &m = h.impl;
        engine::Runtime &rt = *h.owner;
        const int64_t tokens = count(n_tokens, "n_tokens"), lx = count(ldx, "ldx"), ly = count(ldy, "ldy");
        if (tokens == 0) return INLAY_OK;
        need_pointer(x, "x");
        need_pointer(y, "y");
        if (lx < m.cols()) fail(Code::invalid_argument, "ldx ", ldx, " is below the ", m.cols(), " columns");
        if (ly < m.rows()) fail(Code::invalid_argument, "ldy ", ldy, " is below the ", m.rows(), " rows");
        tensor::Activations a(rt.memory(), tensor::act_kind(m.dtype()), tokens, m.cols());
        Buffer scratch(rt.memory(), static_cast<size_t>(rt.n_threads()) * tensor::kMatmulScratch, 64, MemTag::scratch);
        over_rows(rt, tokens, m.cols(),
                  [&](int64_t from, int64_t to) { tensor::quantize_rows(rt.kernels(), x + from * lx, lx, from, to - from, a); });
        constexpr int64_t panels_a_task = 4;  // 64 rows: enough tasks for balance, each long beside a barrier
        std::lock_guard lock(rt.executor_mutex());
        thread::parallel_for(rt.executor(), (m.n_panels() + panels_a_task - 1) / panels_a_task, [&](int64_t i, int worker) {
            const int64_t p0 = i * panels_a_task, p1 = std::min(m.n_panels(), p0 + panels_a_task);
            std::byte *own = scratch.data() + static_cast<size_t>(worker) * tensor::kMatmulScratch;
            if (rt.blas() && tensor::blas_takes(m.dtype(), tokens) && std::max(lx, ly) <= INT32_MAX)
                tensor::blas_matmul_panels(m, a, 0, tokens, p0, p1, y + p0 * kernels::kPanelRows, ly, own);
            else
                tensor::matmul_panels(rt.kernels(), m, a, 0, tokens, p0, p1, y + p0 * kernels::kPanelRows, ly, own);
        });
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tensor_norm_submit(inlay_runtime *rt, const float *x, const float *weight, uint64_t n_rows, uint64_t n,
                                                 float eps, float *y, inlay_error *err) {
    return guard(err, [&] {
        engine::Runtime &r = *need_handle(rt, "rt").owner;
        const int64_t rows = count(n_rows, "n_rows"), cols = count(n, "n");
        if (!(eps > 0) || !std::isfinite(eps)) fail(Code::invalid_argument, "eps ", static_cast<double>(eps), " is not above 0");
        if (rows == 0 || cols == 0) return INLAY_OK;
        need_pointer(x, "x");
        need_pointer(y, "y");
        over_rows(r, rows, cols, [&](int64_t from, int64_t to) {
            const kernels::NormArgs args{x + from * cols, weight, nullptr, nullptr, y + from * cols, cols, 0, cols, to - from, cols, eps};
            r.kernels().rms_norm(&args);
        });
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tensor_rope_submit(inlay_runtime *rt, float *x, const int32_t *positions, uint64_t n_rows, uint64_t n_heads,
                                                 uint64_t head_dim, uint64_t n_rot, double theta, inlay_error *err) {
    return guard(err, [&] {
        engine::Runtime &r = *need_handle(rt, "rt").owner;
        const int64_t rows = count(n_rows, "n_rows"), heads = count(n_heads, "n_heads"), dim = count(head_dim, "head_dim"),
                      rot = count(n_rot, "n_rot");
        if (rot > dim || rot % 2) fail(Code::invalid_argument, "n_rot ", n_rot, " is odd or above head_dim ", head_dim);
        if (!(theta > 0) || !std::isfinite(theta)) fail(Code::invalid_argument, "theta ", theta, " is not above 0");
        const int64_t width = (Checked(heads) * dim).to<int32_t>("n_heads * head_dim");
        if (rows == 0 || width == 0 || rot == 0) return INLAY_OK;
        need_pointer(x, "x");
        need_pointer(positions, "positions");
        const int64_t half = rot / 2;
        Buffer freqs(r.memory(), static_cast<size_t>(half) * sizeof(double), 64, MemTag::scratch);
        tensor::rope_frequencies(theta, rot, freqs.as<double>());
        Buffer table(r.memory(), (Checked(rows) * half * 2 * sizeof(float)).size(), 64, MemTag::scratch);
        float *cos = table.as<float>(), *sin = cos + rows * half;
        over_rows(r, rows, width, [&](int64_t from, int64_t to) {
            for (int64_t i = from; i < to; ++i)
                r.kernels().rope_table(freqs.as<double>(), half, positions[i], 1.0, cos + i * half, sin + i * half);
            const kernels::RopeArgs args{x + from * width, cos + from * half, sin + from * half, width, half, to - from, heads, dim, rot};
            r.kernels().rope_halves(&args);
        });
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tensor_softmax_submit(inlay_runtime *rt, float *x, uint64_t n_rows, uint64_t n, inlay_error *err) {
    return guard(err, [&] {
        engine::Runtime &r = *need_handle(rt, "rt").owner;
        const int64_t rows = count(n_rows, "n_rows"), cols = count(n, "n");
        if (rows == 0 || cols == 0) return INLAY_OK;
        need_pointer(x, "x");
        over_rows(r, rows, cols, [&](int64_t from, int64_t to) { r.kernels().softmax(x + from * cols, cols, to - from, cols); });
        return INLAY_OK;
    });
}

extern "C" inlay_status inlay_tensor_attention_submit(inlay_runtime *rt, const inlay_tensor_attention_params *params, const float *q,
                                                      const float *k, const float *v, float *out, inlay_error *err) {
    return guard(err, [&] {
        engine::Runtime &r = *need_handle(rt, "rt").owner;
        need_pointer(params, "params");
        inlay_tensor_attention_params p{};
        copy_in(params, &p, "params");
        if (p.n_heads == 0 || p.n_kv_heads == 0 || p.n_heads % p.n_kv_heads)
            fail(Code::invalid_argument, "n_heads ", p.n_heads, " is no multiple of n_kv_heads ", p.n_kv_heads);
        if (p.head_dim == 0 || p.head_dim > 65536) fail(Code::invalid_argument, "head_dim ", p.head_dim, " is outside of 1..65536");
        if (p.n_heads > 65536) fail(Code::limit, "n_heads ", p.n_heads, " exceeds 65536");
        if (p.n_queries > p.n_keys) fail(Code::invalid_argument, "n_queries ", p.n_queries, " exceeds n_keys ", p.n_keys);
        if (p.n_queries == 0) return INLAY_OK;
        for (const void *ptr :
             {static_cast<const void *>(q), static_cast<const void *>(k), static_cast<const void *>(v), static_cast<const void *>(out)})
            need_pointer(ptr, "q, k, v or out");
        Memory &m = r.memory();
        const int64_t keys = count(p.n_keys, "n_keys"), dim = p.head_dim;
        kv::LayerShape layer{static_cast<int32_t>(p.n_kv_heads), static_cast<int32_t>(dim), static_cast<int32_t>(dim)};
        const int32_t n_blocks = static_cast<int32_t>((keys + kv::kBlockTokens - 1) / kv::kBlockTokens);
        kv::Store store(m, kv::Layout(m, kernels::KvType::f32, {&layer, 1}), n_blocks);
        Vector<int32_t> blocks((Alloc<int32_t>(m)));
        for (int32_t b = 0; b < n_blocks; ++b) blocks.push_back(b);
        const int64_t ld_kv = (Checked(p.n_kv_heads) * dim).to<int32_t>("n_kv_heads * head_dim"),
                      ld_q = (Checked(p.n_heads) * dim).to<int32_t>("n_heads * head_dim");
        store.write(r.kernels(), 0, blocks.data(), 0, keys, k, ld_kv, v, ld_kv);
        tensor::AttnShape shape;
        shape.n_head = static_cast<int32_t>(p.n_heads);
        shape.n_kv_head = static_cast<int32_t>(p.n_kv_heads);
        shape.k_dim = shape.v_dim = static_cast<int32_t>(dim);
        shape.scale = p.scale != 0 ? p.scale : static_cast<float>(1.0 / std::sqrt(static_cast<double>(dim)));
        shape.softcap = p.softcap;
        shape.window = static_cast<int32_t>(count(p.window, "window"));
        shape.causal = p.causal != 0;
        const tensor::AttnSeq seq{blocks.data(), keys - static_cast<int64_t>(p.n_queries), p.n_queries, keys, 0};
        tensor::AttnPlan plan(m);
        std::lock_guard lock(r.executor_mutex());
        plan.build(r.kernels(), shape, store.view(0), {q, out, ld_q, ld_q}, {&seq, 1}, r.n_threads());
        thread::parallel_for(r.executor(), plan.n_tasks(), [&](int64_t i, int worker) { plan.run(i, worker); });
        return INLAY_OK;
    });
}
