// SPDX-License-Identifier: Apache-2.0
// main() of a fuzz target where there is no libFuzzer: runs each file (and each file of a folder), each of its lines, and
// prefixes and suffixes of these.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
    size_t runs = 0;
    auto run = [&](const std::string &s) {
        LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(s.data()), s.size());
        ++runs;
    };
    std::vector<std::string> files;
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) files.push_back(argv[i]);
        else
            for (const auto &f : std::filesystem::directory_iterator(argv[i])) files.push_back(f.path().string());
    }
    std::sort(files.begin(), files.end());
    for (const std::string &file : files) {
        std::ifstream in(file, std::ios::binary);
        if (!in) return std::fprintf(stderr, "cannot read %s\n", file.c_str()), 1;
        std::string all{std::istreambuf_iterator<char>(in), {}};
        run(all);
        for (size_t from = 0; from < all.size();) {
            size_t end = all.find('\n', from);
            if (end == std::string::npos) end = all.size();
            std::string line = all.substr(from, end - from);
            run(line);
            for (size_t cut = 1; cut < line.size(); cut += 1 + line.size() / 40) run(line.substr(0, cut)), run(line.substr(cut));
            from = end + 1;
        }
    }
    std::printf("%zu inputs\n", runs);
    return runs ? 0 : 1;
}
