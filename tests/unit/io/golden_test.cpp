// SPDX-License-Identifier: Apache-2.0
// Files made by the formats' own writers (tests/golden/io/make.py): every value type, several tensor types.
#include <doctest/doctest.h>

#include "io/safetensors.h"
#include "io/weights_file.h"

using namespace inlay;
using namespace inlay::io;

namespace {

const std::string folder = INLAY_SOURCE_ROOT "/tests/golden/io/";

}  // namespace

TEST_CASE("golden: a file of gguf-py") {
    FileSystem files;
    Memory m;
    auto w = open_checkpoint(files, m, folder + "writer.gguf", {}, {});
    const Gguf &g = *w->gguf();
    CHECK(g.version() == 3);
    CHECK(g.need_string("general.architecture") == "llama");
    CHECK(g.need_string("general.name") == "golden \xC3\xA9");
    CHECK(g.need_int("t.u8") == 200);
    CHECK(g.need_int("t.i8") == -100);
    CHECK(g.need_int("t.u16") == 60000);
    CHECK(g.need_int("t.i16") == -30000);
    CHECK(g.need_int("t.u32") == 4000000000);
    CHECK(g.need_int("t.i32") == -2000000000);
    CHECK(g.need_int("t.u64") == 9000000000000000000);
    CHECK(g.need_int("t.i64") == -9000000000000000000);
    CHECK(g.need_double("t.f32") == 0.5);
    CHECK(g.need_double("t.f64") == 0.1);
    CHECK(g.get_bool("t.yes", false));
    CHECK(g.need("t.ints").integer(1) == -2);
    CHECK(g.need("t.floats").number(1) == -1.5);
    CHECK(g.need("t.bools").count() == 3);
    CHECK_FALSE(g.need("t.bools").boolean(1));
    CHECK(g.need("t.bools").boolean(2));
    CHECK(g.need("t.texts").string(0) == "");
    CHECK(g.need("t.texts").string(2) == "bcd");
    struct {
        const char *name;
        DType type;
        uint64_t bytes;
    } want[] = {{"f32", DType::f32, 2048},      {"f16", DType::f16, 1024},   {"q4_0", DType::q4_0, 16 * 18}, {"q5_1", DType::q5_1, 16 * 24},
                {"q8_0", DType::q8_0, 16 * 34}, {"bf16", DType::bf16, 1024}, {"odd", DType::i32, 28}};
    REQUIRE(w->tensors().size() == std::size(want));
    for (size_t i = 0; i < std::size(want); ++i) {
        const TensorInfo &t = w->tensors()[i];
        CHECK(t.name == want[i].name);
        CHECK(t.dtype == want[i].type);
        CHECK(t.bytes == want[i].bytes);
        if (i < 6) CHECK((t.n_dims == 2 && t.shape[0] == 2 && t.shape[1] == 256));
    }
    float first[256], last;
    w->read(*w->find("f32"), 0, std::as_writable_bytes(std::span(first)));
    CHECK(first[0] == -4.0f);
    CHECK(first[255] == 255.0f / 64 - 4);
    w->read(*w->find("f32"), 2044, std::as_writable_bytes(std::span(&last, 1)));
    CHECK(last == 511.0f / 64 - 4);
    int32_t odd[7];
    w->read(*w->find("odd"), 0, std::as_writable_bytes(std::span(odd)));
    CHECK(odd[6] == 6);
}

TEST_CASE("golden: a file of the safetensors crate") {
    FileSystem files;
    Memory m;
    auto source = files.open(m, folder + "crate.safetensors");
    Arena names(m);
    Vector<TensorInfo> out{Alloc<TensorInfo>(m)};
    read_safetensors(m, *source, 0, {}, names, out);
    REQUIRE(out.size() == 5);
    auto find = [&](std::string_view name) {
        for (auto &t : out)
            if (t.name == name) return t;
        return TensorInfo();
    };
    CHECK(find("b").shape[0] == 2);
    CHECK(find("b").shape[1] == 3);
    CHECK(find("a.weight").dtype == DType::f16);
    CHECK(find("n").n_dims == 0);
    CHECK(find("n").dtype == DType::i64);
    CHECK(find("empty").bytes == 0);
    CHECK(find("mask").dtype == kForeignDType);
    float b[6];
    source->read_at(find("b").offset, std::as_writable_bytes(std::span(b)));
    CHECK(b[5] == 5.0f);
}
