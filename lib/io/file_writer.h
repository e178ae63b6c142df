// SPDX-License-Identifier: Apache-2.0
// Writes a file that appears whole or not at all: bytes go into "<path>.tmp-<process>" beside it, which commit() flushes
// and renames. Without commit() nothing is left.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/containers.h"

namespace inlay::io {

class FileWriter {
public:
    // IO with the system's reason; NOT_FOUND when the folder does not exist.
    FileWriter(Memory &m, std::string_view path);
    ~FileWriter();
    FileWriter(const FileWriter &) = delete;
    FileWriter &operator=(const FileWriter &) = delete;
    void write_at(uint64_t offset, std::span<const std::byte> bytes);
    void commit(uint64_t size);  // bytes never written are 0

private:
    String path_, temporary_;
    int fd_ = -1;
};

}  // namespace inlay::io
