// SPDX-License-Identifier: Apache-2.0
// make_toy OUT.gguf [q8_0 | tools]: the toy model of the tests as a file, for tests that are no C++. `tools`: its vocabulary
// has the control tokens of one format of tool calls.
#include <fstream>

#include "support/toy_gguf.h"

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    std::ofstream f(argv[1], std::ios::binary);
    const std::string kind = argc > 2 ? argv[2] : "";
    std::vector<std::string> control;
    if (kind == "tools") control = {"[TOOL_CALLS]", "[ARGS]", "[THINK]", "[/THINK]"};
    const inlay_test::ToyFile toy = inlay_test::toy_base(kind == "q8_0" ? inlay::DType::q8_0 : inlay::DType::f32, control).build();
    f.write(toy.bytes.data(), static_cast<std::streamsize>(toy.bytes.size()));
    return f ? 0 : 1;
}
