// SPDX-License-Identifier: Apache-2.0
// make_toy OUT.gguf [TYPE]: the toy model of the tests as a file, for tests that are no C++.
#include <fstream>

#include "support/toy_gguf.h"

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    std::ofstream f(argv[1], std::ios::binary);
    const inlay_test::ToyFile toy = inlay_test::toy_base(argc > 2 && std::string(argv[2]) == "q8_0" ? inlay::DType::q8_0 : inlay::DType::f32).build();
    f.write(toy.bytes.data(), static_cast<std::streamsize>(toy.bytes.size()));
    return f ? 0 : 1;
}
