// SPDX-License-Identifier: Apache-2.0
// The operating system's files: regular ones only, read by position, so that one descriptor serves all threads. What
// is not a regular file is refused before anything could block on it.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <climits>
#include <cstring>
#include <iterator>

#include "base/checked.h"
#include "io/file_writer.h"
#include "io/source.h"

namespace inlay::io {

namespace {

// strerror() reads the locale, and these are the reasons that occur.
const char *reason(int e) noexcept {
    switch (e) {
        case EACCES:
            return "permission denied";
        case EPERM:
            return "not permitted";
        case EIO:
            return "input/output error";
        case EMFILE:
            return "too many open files in this process";
        case ENFILE:
            return "too many open files in the system";
        case ELOOP:
            return "too many links";
        case ENAMETOOLONG:
            return "the name is too long";
        case ENOMEM:
            return "out of memory";
        case EISDIR:
            return "it is a folder";
        case ENXIO:
            return "it is a device or socket";
        case EBADF:
            return "the descriptor is not open for reading";
        case ESTALE:
            return "the file handle is stale";
        case EOVERFLOW:
        case EFBIG:
            return "the file is too large";
        case ENOSPC:
            return "no space left";
        case EDQUOT:
            return "the disk quota is used up";
        case EROFS:
            return "the file system is read-only";
        default:
            return nullptr;
    }
}

[[noreturn]] void fail_errno(int e, const char *what, std::string_view path) {
    if (e == ENOENT || e == ENOTDIR) fail(Code::not_found, quoted{path}, " does not exist");
    Code code = e == ENOMEM ? Code::out_of_memory : e == ENXIO || e == ENAMETOOLONG || e == EISDIR ? Code::invalid_argument : Code::io;
    if (const char *why = reason(e)) fail(code, what, " ", quoted{path}, ": ", why);
    fail(code, what, " ", quoted{path}, ": errno ", e);
}

void check_regular(mode_t mode, std::string_view path) {
    if (S_ISREG(mode)) return;
    const char *what = S_ISDIR(mode)    ? "a folder"
                       : S_ISFIFO(mode) ? "a FIFO"
                       : S_ISSOCK(mode) ? "a socket"
                       : S_ISLNK(mode)  ? "a link"
                                        : "a device";
    fail(Code::invalid_argument, quoted{path}, " is ", what, ", a regular file is needed");
}

class Descriptor {
public:
    explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
    Descriptor(Descriptor &&o) noexcept : fd_(o.fd_) { o.fd_ = -1; }
    Descriptor &operator=(Descriptor &&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const noexcept { return fd_; }

private:
    int fd_;
};

// O_NONBLOCK: a FIFO that slips in between stat and open does not wait for its writer.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

Descriptor open_at(int dir, const char *name, int extra_flags, std::string_view path) {
    struct stat st;
    // Opening a device may act on it, so its kind is asked first; and again after, about what was really opened.
    if (::fstatat(dir, name, &st, extra_flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) != 0) fail_errno(errno, "cannot open", path);
    check_regular(st.st_mode, path);
    int fd;
    do fd = ::openat(dir, name, kOpenFlags | extra_flags);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) fail_errno(errno, "cannot open", path);
    Descriptor owner(fd);
    if (::fstat(fd, &st) != 0) fail_errno(errno, "cannot examine", path);
    check_regular(st.st_mode, path);
    return owner;
}

uint64_t file_size(int fd, std::string_view path, int64_t *modified_ns = nullptr) {
    struct stat st;
    if (::fstat(fd, &st) != 0) fail_errno(errno, "cannot examine", path);
    check_regular(st.st_mode, path);
    // raw: 2^63 ns are 292 years; a stranger's clock beyond that gives some other number, and that is all it must be
    if (modified_ns) *modified_ns = static_cast<int64_t>(static_cast<uint64_t>(st.st_mtim.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(st.st_mtim.tv_nsec));
    return Checked(st.st_size).value();
}

size_t pread_some(int fd, uint64_t offset, std::span<std::byte> out) {
    // Linux moves at most 0x7ffff000 bytes a call; asking for less keeps the count in ssize_t anywhere.
    size_t n = out.size() < (1u << 30) ? out.size() : size_t{1} << 30;
    ssize_t got;
    do got = ::pread(fd, out.data(), n, Checked(offset).to<off_t>("file offset"));
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        int e = errno;
        const char *why = reason(e);
        if (!why) fail(Code::io, "reading ", n, " bytes at offset ", offset, ": errno ", e);
        fail(Code::io, "reading ", n, " bytes at offset ", offset, ": ", why);
    }
    return static_cast<size_t>(got);
}

class FileSource final : public Source {
public:
    FileSource(Descriptor fd, std::string_view path) : fd_(std::move(fd)) { set_size(file_size(fd_.get(), path, &modified_ns_)); }
    int64_t modified_ns() const noexcept override { return modified_ns_; }

private:
    size_t read_some(uint64_t offset, std::span<std::byte> out) const override { return pread_some(fd_.get(), offset, out); }
    Descriptor fd_;
    int64_t modified_ns_ = 0;
};

class MappedSource final : public Source {
public:
    MappedSource(Descriptor fd, std::string_view path) {
        size_t n = Checked(file_size(fd.get(), path, &modified_ns_)).size();
        if (n) {
            void *p = ::mmap(nullptr, n, PROT_READ, MAP_PRIVATE, fd.get(), 0);
            if (p == MAP_FAILED) fail_errno(errno, "cannot map", path);
            data_ = static_cast<std::byte *>(p);
        }
        set_size(n);
    }
    ~MappedSource() override {
        if (data_) ::munmap(data_, static_cast<size_t>(size()));
    }
    std::span<const std::byte> in_memory() const noexcept override { return {data_, static_cast<size_t>(size())}; }
    int64_t modified_ns() const noexcept override { return modified_ns_; }

private:
    size_t read_some(uint64_t offset, std::span<std::byte> out) const override {
        // raw: read_at() held the range to size()
        std::memcpy(out.data(), data_ + offset, out.size());
        return out.size();
    }
    std::byte *data_ = nullptr;
    int64_t modified_ns_ = 0;
};

class RangeSource final : public Source {
public:
    RangeSource(int fd, uint64_t offset, uint64_t length) : Source(length), fd_(fd), base_(offset) {}

private:
    size_t read_some(uint64_t offset, std::span<std::byte> out) const override {
        return pread_some(fd_, (Checked(base_) + Checked(offset)).value(), out);
    }
    int fd_;
    uint64_t base_;
};

// The path as the system takes it: ended by NUL, and none inside.
String system_path(Memory &m, std::string_view path) {
    if (path.empty()) fail(Code::invalid_argument, "the path is empty");
    // raw: a constant
    if (path.size() >= PATH_MAX) fail(Code::invalid_argument, "the path has ", path.size(), " bytes, limit ", PATH_MAX - 1);
    if (path.find('\0') != std::string_view::npos) fail(Code::invalid_argument, "the path ", quoted{path}, " holds a NUL");
    return make_string(m, path);
}

Owned<Source> wrap(Memory &m, Descriptor fd, std::string_view path, OpenMode mode) {
    if (mode == OpenMode::map) return make_owned<MappedSource>(m, std::move(fd), path);
    return make_owned<FileSource>(m, std::move(fd), path);
}

}  // namespace

Owned<Source> fd_source(Memory &m, int fd, uint64_t offset, uint64_t length) {
    if (fd < 0) fail(Code::invalid_argument, "file descriptor ", fd, " is negative");
    uint64_t have = file_size(fd, "the descriptor");
    // raw: the left side asks for offset <= have
    if (offset > have || length > have - offset)
        fail(Code::format, "truncated: the range of ", length, " bytes at offset ", offset, " ends beyond the file's ", have, " bytes");
    return make_owned<RangeSource>(m, fd, offset, length);
}

Owned<Source> FileSystem::open(Memory &m, std::string_view path, OpenMode mode) const {
    if (hooks_.open) return open_host(m, path);
    String p = system_path(m, path);
    return wrap(m, open_at(AT_FDCWD, p.c_str(), 0, path), path, mode);
}

Owned<Source> FileSystem::open_named(Memory &m, std::string_view folder, std::string_view name, OpenMode mode) const {
    check_plain_name(name, "file name");
    String path = join_path(m, folder, name);
    if (hooks_.open) return open_host(m, path);
    String dir = system_path(m, folder.empty() ? std::string_view(".") : folder), file = system_path(m, name);
    int raw;
    do raw = ::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (raw < 0 && errno == EINTR);
    if (raw < 0) fail_errno(errno, "cannot open", folder);
    Descriptor d(raw);
    char buf[512];
    ssize_t n = ::readlinkat(d.get(), file.c_str(), buf, sizeof buf);
    if (n < 0) return wrap(m, open_at(d.get(), file.c_str(), O_NOFOLLOW, path), path, mode);
    // A hub cache's snapshot folder is all links to ../../blobs/<hash>; any other link out of the folder is refused,
    // because the name came from a file that a stranger wrote.
    std::string_view target(buf, static_cast<size_t>(n)), rest = target;
    constexpr std::string_view blobs = "../../blobs/";
    if (rest.starts_with(blobs)) rest.remove_prefix(blobs.size());
    if (n == sizeof buf || rest.find('/') != std::string_view::npos || rest == ".." || rest.empty())
        fail(Code::invalid_argument, quoted{path}, " is a link out of its folder, to ", quoted{target});
    String t = system_path(m, target);
    return wrap(m, open_at(d.get(), t.c_str(), O_NOFOLLOW, path), path, mode);
}

bool FileSystem::is_folder(Memory &m, std::string_view path) const {
    if (hooks_.open) {
        for (const char *name : {"config.json", "tokenizer.json"})
            if (open_if_exists(m, join_path(m, path, name))) return true;
        return false;
    }
    struct stat st;
    String p = system_path(m, path);
    return ::stat(p.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

FileWriter::FileWriter(Memory &m, std::string_view path) : path_(system_path(m, path)), temporary_(path_) {
    char digits[24];
    auto end = std::to_chars(digits, std::end(digits), static_cast<long>(::getpid())).ptr;
    temporary_.append(".tmp-").append(digits, end);
    if (temporary_.size() >= PATH_MAX) fail(Code::invalid_argument, "the path has ", path.size(), " bytes, too many for a file beside it");
    // A file of that name is what a process of our number left when it was killed.
    (void)::unlink(temporary_.c_str());
    do fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0) fail_errno(errno, "cannot write", temporary_);
}

FileWriter::~FileWriter() {
    if (fd_ < 0) return;
    ::close(fd_);
    (void)::unlink(temporary_.c_str());
}

void FileWriter::write_at(uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        size_t n = bytes.size() < (1u << 30) ? bytes.size() : size_t{1} << 30;
        ssize_t put = ::pwrite(fd_, bytes.data(), n, Checked(offset).to<off_t>("file offset"));
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) fail_errno(put < 0 ? errno : ENOSPC, "cannot write", temporary_);
        bytes = bytes.subspan(static_cast<size_t>(put));
        offset = (Checked(offset) + Checked(put)).value();
    }
}

void FileWriter::commit(uint64_t size) {
    if (::ftruncate(fd_, Checked(size).to<off_t>("file size")) != 0 || ::fsync(fd_) != 0) fail_errno(errno, "cannot write", temporary_);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_errno(errno, "cannot rename to", path_);
    ::close(fd_);
    fd_ = -1;
}

}  // namespace inlay::io
