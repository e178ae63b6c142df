// SPDX-License-Identifier: Apache-2.0
// The sources that need no system call: memory and the host's functions; and the rules for names.
#include "io/source.h"

#include <cstring>

#include "base/checked.h"
#include "io/utf8.h"

namespace inlay::io {

void Source::read_at(uint64_t offset, std::span<std::byte> out) const {
    if (out.empty()) return;
    // raw: the left side asks for offset <= size_
    if (offset > size_ || out.size() > size_ - offset)
        fail_at(Code::format, {static_cast<int64_t>(offset & INT64_MAX), 0, 0}, "truncated: ", out.size(), " bytes at offset ", offset,
                " are needed, the file has ", size_);
    size_t done = 0;
    while (done < out.size()) {
        uint64_t at = (Checked(offset) + Checked(done)).value();
        size_t n = read_some(at, out.subspan(done));
        if (n == 0)
            fail_at(Code::format, {static_cast<int64_t>(at), 0, 0}, "truncated: the data ends at offset ", at, ", its size was given as ",
                    size_);
        // raw: read_some() returns at most what remains of out
        done += n;
    }
}

namespace {

class MemorySource final : public Source {
public:
    explicit MemorySource(std::span<const std::byte> bytes) : Source(bytes.size()), bytes_(bytes) {}
    std::span<const std::byte> in_memory() const noexcept override { return bytes_; }

private:
    size_t read_some(uint64_t offset, std::span<std::byte> out) const override {
        // raw: read_at() held the range to size()
        std::memcpy(out.data(), bytes_.data() + offset, out.size());
        return out.size();
    }
    std::span<const std::byte> bytes_;
};

// What the host's reader returned, as a count that may be trusted.
size_t host_count(int64_t got, size_t asked, uint64_t offset) {
    if (got < 0) fail(Code::io, "the host's read of ", asked, " bytes at offset ", offset, " failed with ", got);
    if (static_cast<uint64_t>(got) > asked)
        fail(Code::io, "the host's read at offset ", offset, " returned ", got, " bytes, ", asked, " were asked for");
    return static_cast<size_t>(got);
}

class HostSource final : public Source {
public:
    HostSource(const ReadHooks &hooks, uint64_t size) : Source(size), hooks_(hooks) {}

private:
    size_t read_some(uint64_t offset, std::span<std::byte> out) const override {
        return host_count(hooks_.read(hooks_.user, offset, out.data(), out.size()), out.size(), offset);
    }
    ReadHooks hooks_;
};

class HostFileSource final : public Source {
public:
    HostFileSource(const FileHooks &hooks, std::string_view path) : hooks_(hooks) {
        uint64_t size = 0;
        int32_t status = hooks_.open(hooks_.user, path.data(), path.size(), &file_, &size);
        if (status == static_cast<int32_t>(Code::not_found)) fail(Code::not_found, quoted{path}, " does not exist");
        if (status != 0) fail(Code::io, "the host's open of ", quoted{path}, " failed with ", status);
        set_size(size);
    }
    ~HostFileSource() override {
        if (hooks_.close) hooks_.close(hooks_.user, file_);
    }

private:
    size_t read_some(uint64_t offset, std::span<std::byte> out) const override {
        return host_count(hooks_.read(hooks_.user, file_, offset, out.data(), out.size()), out.size(), offset);
    }
    FileHooks hooks_;
    void *file_ = nullptr;
};

// "con", "CON.txt", "lpt1": names that open a device on Windows. They are refused everywhere, so that a folder made on
// one system means the same on another.
bool is_device_name(std::string_view name) noexcept {
    name = name.substr(0, name.find('.'));
    auto is = [&](std::string_view word) {
        if (name.size() < word.size()) return false;
        for (size_t i = 0; i < word.size(); ++i)
            // raw: a letter
            if ((name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]) != word[i]) return false;
        return true;
    };
    if (name.size() == 3) return is("con") || is("prn") || is("aux") || is("nul");
    return name.size() == 4 && (is("com") || is("lpt")) && name[3] >= '1' && name[3] <= '9';
}

}  // namespace

Owned<Source> memory_source(Memory &m, std::span<const std::byte> bytes) { return make_owned<MemorySource>(m, bytes); }

Owned<Source> host_source(Memory &m, const ReadHooks &hooks, uint64_t size) {
    if (!hooks.read) fail(Code::invalid_argument, "the host's read function is null");
    return make_owned<HostSource>(m, hooks, size);
}

Owned<Source> FileSystem::open_host(Memory &m, std::string_view path) const {
    if (!hooks_.read) fail(Code::invalid_argument, "the host's read function is null");
    return make_owned<HostFileSource>(m, hooks_, path);
}

Owned<Source> FileSystem::open_if_exists(Memory &m, std::string_view path, OpenMode mode) const {
    try {
        return open(m, path, mode);
    } catch (const Error &e) {
        if (e.code() == Code::not_found) return {};
        throw;
    }
}

String join_path(Memory &m, std::string_view folder, std::string_view name) {
    String path = make_string(m, folder);
    if (!path.empty() && path.back() != '/') path.push_back('/');
    path.append(name);
    return path;
}

void check_plain_name(std::string_view name, std::string_view what) {
    const char *why = nullptr;
    if (name.empty())
        why = "is empty";
    else if (name.size() > 255)
        why = "is longer than 255 bytes";
    else if (name == "." || name == "..")
        why = "is not a file";
    else if (utf8_valid_prefix(name) != name.size())
        why = "is not valid UTF-8";
    else if (is_device_name(name))
        why = "is a device name";
    for (char c : name.substr(0, 256)) {
        if (c == '/' || c == '\\' || c == ':')
            why = "is a path, not a plain file name";
        else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            why = "has a control character";
    }
    if (why) fail(Code::invalid_argument, what, " ", quoted{name}, " ", why);
}

}  // namespace inlay::io
