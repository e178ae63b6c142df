// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "base/containers.h"
#include "base/half.h"
#include "base/reader.h"
#include "base/rng.h"

using namespace inlay;

namespace {

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

TEST_CASE("checked integers throw LIMIT instead of wrapping") {
    CHECK((Checked(3) * Checked(4) + Checked(1)).value() == 13);
    CHECK(code_of([] { (void)(Checked(UINT64_MAX) + Checked(1)); }) == Code::limit);
    CHECK(code_of([] { (void)(Checked(1ull << 32) * Checked(1ull << 32)); }) == Code::limit);
    CHECK(code_of([] { (void)(Checked(1) - Checked(2)); }) == Code::limit);
    CHECK(code_of([] { (void)Checked(-1); }) == Code::limit);
    CHECK(code_of([] { (void)Checked(256).to<uint8_t>(); }) == Code::limit);
    CHECK(Checked(33).rounded_up(32).value() == 64);
    CHECK(Checked(64).rounded_up(32).value() == 64);
    CHECK(code_of([] { (void)Checked(UINT64_MAX).rounded_up(32); }) == Code::limit);
}

TEST_CASE("a reader never passes its end") {
    std::byte b[6] = {std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{9}, std::byte{8}};
    Reader r(b, 100);
    CHECK(r.read<uint32_t>("n") == 1);
    CHECK(code_of([&] { r.read<uint32_t>("m"); }) == Code::format);
    CHECK(r.remaining() == 2);
    CHECK(code_of([&] { r.skip(Checked(UINT64_MAX), "x"); }) == Code::format);
    CHECK(r.bytes(Checked(2), "s").size() == 2);
    CHECK(r.remaining() == 0);
}

TEST_CASE("memory counts by tag, holds its cap and reports the need") {
    Memory m({}, 1000);
    {
        Vector<char> v(Alloc<char>(m, MemTag::text));
        v.resize(600);
        CHECK(m.used() == 600);
        CHECK(m.used(MemTag::text) == 600);
        CHECK(code_of([&] { Buffer(m, 500, 64, MemTag::kv); }) == Code::limit);
        CHECK(m.used() == 600);
    }
    CHECK(m.used() == 0);
    CHECK(m.peak() == 600);
}

TEST_CASE("a host allocator that fails becomes OUT_OF_MEMORY") {
    Memory m({nullptr, [](void *, size_t, size_t) -> void * { return nullptr; }, [](void *, void *, size_t, size_t) {}});
    CHECK(code_of([&] { Buffer(m, 5, 64, MemTag::general); }) == Code::out_of_memory);
    CHECK(m.used() == 0);
}

TEST_CASE("f16: every value survives the round trip, halves round to even") {
    for (uint32_t h = 0; h < 0x10000; ++h) {
        float f = f32_from_f16(static_cast<uint16_t>(h));
        if (std::isnan(f)) {
            CHECK(std::isnan(f32_from_f16(f16_from_f32(f))));
            continue;
        }
        REQUIRE(f16_from_f32(f) == h);
    }
    CHECK(f16_from_f32(65520.0f) == 0x7c00);
    CHECK(f16_from_f32(65519.996f) == 0x7bff);
    CHECK(f16_from_f32(1.0f + 0x1p-11f) == 0x3c00);
    CHECK(f16_from_f32(1.0f + 0x3p-11f) == 0x3c02);
    CHECK(f16_from_f32(0x1p-25f) == 0);
    CHECK(f16_from_f32(0x1.8p-25f) == 1);
}

TEST_CASE("philox gives the paper's vectors") {
    PhiloxBlock z = philox(0, 0, 0);
    CHECK(z.w[0] == 0x6627e8d5u);
    CHECK(z.w[1] == 0xe169c58du);
    CHECK(z.w[2] == 0xbc57ac4cu);
    CHECK(z.w[3] == 0x9b00dbd8u);
    PhiloxBlock f = philox(UINT64_MAX, UINT64_MAX, UINT64_MAX);
    CHECK(f.w[0] == 0x408f276du);
    CHECK(f.w[1] == 0x41c83b0eu);
    CHECK(f.w[2] == 0xa20bc7c6u);
    CHECK(f.w[3] == 0x6d5451fdu);
}

TEST_CASE("messages escape input and stay within their buffer") {
    Message m;
    m << "token " << quoted{std::string_view("a\0\xff'", 4)};
    CHECK(m.view() == "token 'a\\x00\\xff\\x27'");
    Message long_one;
    for (int i = 0; i < 300; ++i) long_one << "é";
    CHECK(long_one.view().size() <= 511);
    CHECK(static_cast<unsigned char>(long_one.view().back()) == 0xa9);
}
