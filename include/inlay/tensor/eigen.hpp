// SPDX-License-Identifier: Apache-2.0
// Views as Eigen maps and back, without copies. Needs Eigen 3.4 (MPL-2.0 parts alone).
#pragma once

#ifndef EIGEN_MPL2_ONLY
#define EIGEN_MPL2_ONLY
#endif
#include <Eigen/Core>

#include "views.hpp"

namespace inlay::tensor_core {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline Eigen::Map<RowMajor, 0, Eigen::OuterStride<>> as_eigen(MatrixView<float> v) {
    return {v.data(), static_cast<Eigen::Index>(v.size(0)), static_cast<Eigen::Index>(v.size(1)), Eigen::OuterStride<>(static_cast<Eigen::Index>(v.stride(0)))};
}
inline Eigen::Map<const RowMajor, 0, Eigen::OuterStride<>> as_eigen(MatrixView<const float> v) {
    return {v.data(), static_cast<Eigen::Index>(v.size(0)), static_cast<Eigen::Index>(v.size(1)), Eigen::OuterStride<>(static_cast<Eigen::Index>(v.stride(0)))};
}
inline MatrixView<float> as_view(RowMajor &m) { return {m.data(), {static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols())}}; }
inline MatrixView<const float> as_view(const RowMajor &m) { return {m.data(), {static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols())}}; }

}  // namespace inlay::tensor_core
