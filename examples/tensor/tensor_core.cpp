// SPDX-License-Identifier: Apache-2.0
// The tensor core without a model: a small feed-forward block, y = W2 softmax(W1 norm(x)), in the library's kernels and
// once more in Eigen, side by side.
//   c++ -std=c++20 tensor_core.cpp $(pkg-config --cflags --libs inlay eigen3) -o tensor_core && ./tensor_core
#include <cmath>
#include <cstdio>
#include <inlay/tensor/eigen.hpp>
#include <utility>
#include <vector>

using namespace inlay::tensor_core;

int main() {
    try {
        inlay_runtime_params params;
        inlay_runtime_params_init(&params, sizeof params);
#ifdef EIGEN_USE_BLAS  // built with -DEIGEN_USE_BLAS -lopenblas: then both sides multiply by OpenBLAS
        params.flags = INLAY_RUNTIME_BLAS;
#endif
        inlay_runtime *rt = nullptr;
        check([&](inlay_error *e) { return inlay_runtime_create(&params, &rt, e); });
        std::unique_ptr<inlay_runtime, void (*)(inlay_runtime *)> owner(rt, inlay_runtime_free);

        // 5 tokens of 96 values; 96 is no multiple of 64 or 256: any size goes.
        RowMajor x = RowMajor::Random(5, 96), w1 = RowMajor::Random(200, 96), w2 = RowMajor::Random(96, 200);
        std::vector<float> weight(96, 1.5f);

        // Weights are packed once into panels of 16 rows, in the type that they have in a file: here f32.
        Matrix m1(rt, INLAY_DTYPE_F32, 200, 96), m2(rt, INLAY_DTYPE_F32, 96, 200);
        m1.load(0, 200, w1.data());
        m2.load(0, 96, w2.data());

        RowMajor n(5, 96), h(5, 200), y(5, 96);
        check([&](inlay_error *e) { return inlay_tensor_norm_submit(rt, x.data(), weight.data(), 5, 96, 1e-6f, n.data(), e); });
        m1.multiply(as_view(std::as_const(n)), as_view(h));
        check([&](inlay_error *e) { return inlay_tensor_softmax_submit(rt, h.data(), 5, 200, e); });
        m2.multiply(as_view(std::as_const(h)), as_view(y));

        // The same in Eigen.
        RowMajor en = x;
        for (Eigen::Index r = 0; r < en.rows(); ++r) en.row(r) *= 1.5f / std::sqrt(en.row(r).squaredNorm() / 96 + 1e-6f);
        RowMajor eh = en * w1.transpose();
        for (Eigen::Index r = 0; r < eh.rows(); ++r) {
            eh.row(r) = (eh.row(r).array() - eh.row(r).maxCoeff()).exp();
            eh.row(r) /= eh.row(r).sum();
        }
        RowMajor ey = eh * w2.transpose();
        const float worst = (y - ey).cwiseAbs().maxCoeff();
        std::printf("y(0, 0) = %.6f, Eigen %.6f, largest difference %.2g\n", static_cast<double>(y(0, 0)), static_cast<double>(ey(0, 0)),
                    static_cast<double>(worst));
        return worst < 1e-5f ? 0 : 1;
    } catch (const std::exception &e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
