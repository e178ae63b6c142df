// SPDX-License-Identifier: Apache-2.0
// Header-only C++20 over tensor.h: typed strided views, and a matrix that frees itself. No ABI of its own: everything here
// is compiled into the program that includes it, and reaches the library through its C functions alone.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

#include "tensor.h"

namespace inlay::tensor_core {

// A failed call. what() is the library's message.
class Error : public std::runtime_error {
public:
    Error(inlay_status status, const inlay_error &e) : std::runtime_error(e.message), status_(status) {}
    inlay_status status() const noexcept { return status_; }

private:
    inlay_status status_;
};

template <class F>
void check(F &&call) {
    inlay_error e;
    const inlay_status st = call(&e);
    if (st < 0) throw Error(st, e);
}

// Rank values at `data`, the last dimension contiguous unless strides say otherwise. Does not own.
template <class T, std::size_t Rank>
class View {
public:
    using Shape = std::array<std::size_t, Rank>;

    View(T *data, Shape shape) noexcept : data_(data), shape_(shape) {
        std::size_t step = 1;
        for (std::size_t d = Rank; d-- > 0;) {
            strides_[d] = step;
            step *= shape[d];
        }
    }
    View(T *data, Shape shape, Shape strides) noexcept : data_(data), shape_(shape), strides_(strides) {}

    T *data() const noexcept { return data_; }
    std::size_t size(std::size_t d) const noexcept { return shape_[d]; }
    std::size_t stride(std::size_t d) const noexcept { return strides_[d]; }
    const Shape &shape() const noexcept { return shape_; }

    template <class... I>
        requires(sizeof...(I) == Rank)
    T &operator()(I... i) const noexcept {
        std::size_t at = 0, d = 0;
        ((at += static_cast<std::size_t>(i) * strides_[d++]), ...);
        return data_[at];
    }
    // The part at index i of the first dimension.
    View<T, Rank - 1> operator[](std::size_t i) const noexcept
        requires(Rank > 1)
    {
        typename View<T, Rank - 1>::Shape shape, strides;
        for (std::size_t d = 1; d < Rank; ++d) shape[d - 1] = shape_[d], strides[d - 1] = strides_[d];
        return {data_ + i * strides_[0], shape, strides};
    }

private:
    T *data_;
    Shape shape_;
    Shape strides_{};
};

template <class T>
using MatrixView = View<T, 2>;

// Packed weights [rows, cols].
class Matrix {
public:
    Matrix(inlay_runtime *rt, int32_t dtype, std::size_t rows, std::size_t cols) : rows_(rows), cols_(cols) {
        inlay_tensor_matrix *m = nullptr;
        check([&](inlay_error *e) { return inlay_tensor_matrix_create(rt, dtype, rows, cols, &m, e); });
        handle_.reset(m);
    }
    std::size_t rows() const noexcept { return rows_; }
    std::size_t cols() const noexcept { return cols_; }
    void load(std::size_t row, std::size_t n_rows, const void *file_rows) {
        check([&](inlay_error *e) { return inlay_tensor_matrix_load(handle_.get(), row, n_rows, file_rows, e); });
    }
    // y [tokens, rows] = x [tokens, cols] times the transposed matrix.
    void multiply(MatrixView<const float> x, MatrixView<float> y) const {
        if (x.size(1) != cols_ || y.size(1) != rows_ || x.size(0) != y.size(0) || x.stride(1) != 1 || y.stride(1) != 1)
            throw std::invalid_argument("multiply: x is [tokens, cols], y [tokens, rows], rows contiguous");
        check([&](inlay_error *e) { return inlay_tensor_matmul_submit(handle_.get(), x.data(), x.stride(0), x.size(0), y.data(), y.stride(0), e); });
    }

private:
    struct Free {
        void operator()(inlay_tensor_matrix *m) const noexcept { inlay_tensor_matrix_free(m); }
    };
    std::unique_ptr<inlay_tensor_matrix, Free> handle_;
    std::size_t rows_, cols_;
};

}  // namespace inlay::tensor_core
