// SPDX-License-Identifier: Apache-2.0
// Where bytes come from: a regular file, memory, a range of a descriptor, or the host's functions. A Source is
// immutable, knows its size and answers any range from any thread; it never returns less than was asked for.
// FileSystem opens names: the operating system's files by default, or the host's own table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/containers.h"
#include "base/error.h"

namespace inlay::io {

class Source {
public:
    virtual ~Source() = default;
    Source(const Source &) = delete;
    Source &operator=(const Source &) = delete;
    uint64_t size() const noexcept { return size_; }
    // Fills all of `out` or throws: "truncated: …" (FORMAT) where the range or the data ends early, IO otherwise.
    void read_at(uint64_t offset, std::span<std::byte> out) const;
    // All bytes, where they stand in memory anyway (a buffer, a mapping); else empty. Valid as long as the Source.
    virtual std::span<const std::byte> in_memory() const noexcept { return {}; }
    // When the file was last written, as it was opened; 0 where nobody knows (memory, the host's functions).
    virtual int64_t modified_ns() const noexcept { return 0; }

protected:
    explicit Source(uint64_t size = 0) : size_(size) {}
    void set_size(uint64_t size) noexcept { size_ = size; }
    // Up to out.size() bytes into `out`; returns how many (0 = no more), throws IO. The range lies inside size().
    virtual size_t read_some(uint64_t offset, std::span<std::byte> out) const = 0;

private:
    uint64_t size_;
};

// The host's reader of one file. Returns bytes read (at most n), 0 at the end, negative on error. Any thread.
struct ReadHooks {
    void *user = nullptr;
    int64_t (*read)(void *user, uint64_t offset, void *out, size_t n) = nullptr;
};

// The host's files. open() gives a file handle and its size, or a negative inlay_status (NOT_FOUND and IO are told
// apart, others pass as IO). Names inside a folder are joined with '/'. Any thread.
struct FileHooks {
    void *user = nullptr;
    int32_t (*open)(void *user, const char *path, size_t n_path, void **out_file, uint64_t *out_size) = nullptr;
    int64_t (*read)(void *user, void *file, uint64_t offset, void *out, size_t n) = nullptr;
    void (*close)(void *user, void *file) = nullptr;
};

enum class OpenMode : uint8_t {
    read,  // reads into own memory; a file that shrinks becomes "truncated:"
    map,   // opt-in: a file that shrinks, or a disk error, is a signal in the host. Falls back to read under FileHooks
};

Owned<Source> memory_source(Memory &m, std::span<const std::byte> bytes);      // borrows the bytes
Owned<Source> fd_source(Memory &m, int fd, uint64_t offset, uint64_t length);  // borrows the descriptor
Owned<Source> host_source(Memory &m, const ReadHooks &hooks, uint64_t size);

class FileSystem {
public:
    FileSystem() = default;
    explicit FileSystem(const FileHooks &hooks) : hooks_(hooks) {}

    // Regular files only: a directory, FIFO, device or socket is refused (INVALID_ARGUMENT) without waiting on it.
    // Statuses: NOT_FOUND, IO (with the system's reason), INVALID_ARGUMENT.
    Owned<Source> open(Memory &m, std::string_view path, OpenMode mode = OpenMode::read) const;
    bool native() const noexcept { return !hooks_.open; }  // the operating system's files
    // Null where the name does not exist.
    Owned<Source> open_if_exists(Memory &m, std::string_view path, OpenMode mode = OpenMode::read) const;
    // As open(), for a `name` that a file told us to open (a shard of an index): one plain name inside `folder`. On the
    // operating system's files it may be a link only to its own folder or to the blobs of a hub cache.
    Owned<Source> open_named(Memory &m, std::string_view folder, std::string_view name, OpenMode mode = OpenMode::read) const;
    // Whether `path` is a folder; a host's table has no folders, there it is "holds a config.json or tokenizer.json".
    bool is_folder(Memory &m, std::string_view path) const;

private:
    Owned<Source> open_host(Memory &m, std::string_view path) const;
    FileHooks hooks_;
};

// folder + '/' + name; an empty folder is the current one.
String join_path(Memory &m, std::string_view folder, std::string_view name);
// INVALID_ARGUMENT unless `name` is one plain file name: no separators, drive, "..", device name or control character.
void check_plain_name(std::string_view name, std::string_view what);

}  // namespace inlay::io
