// SPDX-License-Identifier: Apache-2.0
#include "tensor/packed.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "base/error.h"
#include "unit/tensor/weights.h"

using namespace inlay;
using namespace inlay::tensor;
using test::Random;

namespace {

std::vector<uint8_t> file_bytes(const std::string &path) {
    std::vector<uint8_t> out;
    if (FILE *f = std::fopen(path.c_str(), "rb")) {
        uint8_t buf[4096];
        for (size_t n; (n = std::fread(buf, 1, sizeof buf, f)) > 0;) out.insert(out.end(), buf, buf + n);
        std::fclose(f);
    }
    return out;
}

template <class F>
Code code_of(F &&f) {
    try {
        f();
    } catch (const Error &e) {
        return e.code();
    }
    return Code::ok;
}

}  // namespace

TEST_CASE("dequantize gives the gguf package's bits") {
    auto data = file_bytes(std::string(INLAY_SOURCE_ROOT) + "/tests/golden/dequant/blocks.bin");
    REQUIRE(data.size() > 12);
    int n_types = 0;
    for (size_t at = 0; at < data.size(); ++n_types) {
        int32_t head[3];
        std::memcpy(head, data.data() + at, 12);
        at += 12;
        const auto t = static_cast<DType>(head[0]);
        INFO(dtype_name(t));
        std::vector<float> out(static_cast<size_t>(head[2]));
        dequantize(t, data.data() + at, head[2], out.data());
        at += static_cast<size_t>(head[1]);
        int wrong = 0;
        for (int32_t i = 0; i < head[2]; ++i)
            wrong += std::memcmp(&out[static_cast<size_t>(i)], data.data() + at + 4 * static_cast<size_t>(i), 4) != 0;
        CHECK(wrong == 0);
        at += 4 * static_cast<size_t>(head[2]);
    }
    CHECK(n_types == 22);
}

TEST_CASE("a packed row gives back the file's values, wherever it lies") {
    Memory mem;
    Random r(1);
    for (DType t : test::kPackable) {
        INFO(dtype_name(t));
        const int64_t block = dtype_info(t)->block;
        for (int64_t cols : {block, 3 * block, 4 * block + (block == 1 ? 3 : 0)}) {
            const int64_t rows = 37;
            auto file = random_weights(t, rows, cols, r);
            const size_t row_bytes = file_row_bytes(t, cols);
            PackedMatrix w = make_packed(mem, t, rows, cols);
            CHECK(w.bytes() == packed_bytes(t, rows, cols));
            pack_rows(w, 0, 5, file.data());  // slices of any size and place
            pack_rows(w, 20, 17, file.data() + 20 * row_bytes);
            pack_rows(w, 5, 15, file.data() + 5 * row_bytes);
            std::vector<float> a(static_cast<size_t>(cols)), b(a);
            for (int64_t i = 0; i < rows; ++i) {
                dequantize(t, file.data() + static_cast<size_t>(i) * row_bytes, cols, a.data());
                unpack_row(w, i, b.data());
                REQUIRE(std::memcmp(a.data(), b.data(), a.size() * 4) == 0);
            }
        }
    }
}

TEST_CASE("packed bytes are the file's bytes, but for the lattice and base 3 types") {
    auto grown = [](DType t) {  // bytes of 256 weights
        switch (t) {
        case DType::tq1_0: return 66;
        case DType::iq1_s:
        case DType::iq1_m:
        case DType::iq2_xxs:
        case DType::iq2_xs:
        case DType::iq2_s: return 110;
        case DType::iq3_xxs:
        case DType::iq3_s: return 136;
        default: return 0;
        }
    };
    for (DType t : test::kPackable) {
        INFO(dtype_name(t));
        // 2048: whole units of every type and headers of whole lines.
        CHECK(packed_bytes(t, 4096, 2048) == 4096 * (grown(t) ? static_cast<uint64_t>(grown(t)) * 8 : file_row_bytes(t, 2048)));
    }
}

TEST_CASE("shapes that cannot be are refused") {
    CHECK(code_of([] { (void)packed_bytes(DType::q4_k, 16, 255); }) == Code::format);
    CHECK(code_of([] { (void)packed_bytes(DType::i8, 16, 256); }) == Code::unsupported);
    CHECK(code_of([] { (void)packed_bytes(DType::f32, INT64_MAX, 1 << 20); }) == Code::limit);
    CHECK(code_of([] { (void)packed_bytes(DType::f32, 16, INT64_MAX - 1); }) == Code::limit);
    Memory mem;
    PackedMatrix w = make_packed(mem, DType::q8_0, 4, 32);
    uint8_t row[34 * 5] = {};
    CHECK(code_of([&] { pack_rows(w, 0, 5, row); }) == Code::internal);
    CHECK(code_of([&] { pack_rows(w, 4, 1, row); }) == Code::internal);
}
