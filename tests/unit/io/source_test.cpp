// SPDX-License-Identifier: Apache-2.0
// Sources: what may be opened, and readers that lie (G-49 G-50 G-52).
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "io_support.h"
#include "support/toy_gguf.h"

using namespace inlay;
using namespace inlay::io;
using namespace inlay_test;

TEST_CASE("source: only regular files open, at once (G-49)") {
    FileSystem files;
    TempFolder dir;
    auto open = [&](const std::string &p, OpenMode mode = OpenMode::read) {
        return outcome_of([&](Memory &m) { files.open(m, p, mode); }).code;
    };
    std::string f = dir.write("f", "hello");
    CHECK(open(f) == Code::ok);
    CHECK(open(f, OpenMode::map) == Code::ok);
    CHECK(open(dir.write("empty", ""), OpenMode::map) == Code::ok);
    CHECK(open(dir.path()) == Code::invalid_argument);
    REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
    CHECK(open(dir / "fifo") == Code::invalid_argument);
    CHECK(open("/dev/zero") == Code::invalid_argument);
    CHECK(open("/dev/null") == Code::invalid_argument);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    std::string name = dir / "sock";
    REQUIRE(name.size() < sizeof a.sun_path);
    std::memcpy(a.sun_path, name.c_str(), name.size() + 1);
    REQUIRE(bind(s, reinterpret_cast<sockaddr *>(&a), sizeof a) == 0);
    CHECK(open(name) == Code::invalid_argument);
    close(s);
    std::filesystem::create_symlink("nowhere", dir / "dangling");
    CHECK(open(dir / "dangling") == Code::not_found);
    std::filesystem::create_symlink("loop", dir / "loop");
    CHECK(open(dir / "loop") == Code::io);
    CHECK(open(dir / "missing") == Code::not_found);
    CHECK(open(f + "/below") == Code::not_found);
    CHECK(open("") == Code::invalid_argument);
    CHECK(open(std::string("a\0b", 3)) == Code::invalid_argument);
    CHECK(open(std::string(5000, 'x')) == Code::invalid_argument);
    if (geteuid() != 0) {
        chmod(f.c_str(), 0);
        CHECK(open(f) == Code::io);
    }
    CHECK(outcome_of([&](Memory &m) { open_checkpoint(files, m, dir / "fifo", {}, {}); }).code == Code::invalid_argument);
    CHECK(outcome_of([&](Memory &m) { open_checkpoint(files, m, "/dev/zero", {}, {}); }).code == Code::invalid_argument);
}

TEST_CASE("source: ranges are exact, also of a part of a descriptor and from many threads") {
    TempFolder dir;
    std::string text(300'000, 0);
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + i / 256);
    std::string f = dir.write("f", text);
    Memory m;
    int fd = open(f.c_str(), O_RDONLY);
    FileSystem files;
    Owned<Source> all[] = {files.open(m, f), files.open(m, f, OpenMode::map), memory_source(m, as_bytes(text)),
                           fd_source(m, fd, 0, text.size())};
    for (auto &s : all) {
        CHECK(s->size() == text.size());
        std::thread threads[4];
        bool good[4] = {};
        for (int t = 0; t < 4; ++t)
            threads[t] = std::thread([&, t] {
                std::string out(1000, 0);
                good[t] = true;
                for (size_t at = static_cast<size_t>(t) * 777; at + 1000 <= text.size(); at += 9973) {
                    s->read_at(at, std::as_writable_bytes(std::span(out)));
                    good[t] = good[t] && text.compare(at, 1000, out) == 0;
                }
            });
        for (auto &t : threads) t.join();
        for (bool g : good) CHECK(g);
        std::string out(10, 0);
        CHECK(outcome_of([&](Memory &) { s->read_at(text.size() - 9, std::as_writable_bytes(std::span(out))); }).truncated());
        CHECK(outcome_of([&](Memory &) { s->read_at(UINT64_MAX, std::as_writable_bytes(std::span(out))); }).truncated());
    }
    auto part = fd_source(m, fd, 1000, 50);
    std::string out(50, 0);
    part->read_at(0, std::as_writable_bytes(std::span(out)));
    CHECK(out == text.substr(1000, 50));
    CHECK(outcome_of([&](Memory &) { part->read_at(1, std::as_writable_bytes(std::span(out))); }).truncated());
    CHECK(outcome_of([&](Memory &) { fd_source(m, fd, text.size() - 10, 11); }).truncated());
    CHECK(outcome_of([&](Memory &) { fd_source(m, fd, UINT64_MAX, 2); }).truncated());
    CHECK(outcome_of([&](Memory &) { fd_source(m, -1, 0, 2); }).code == Code::invalid_argument);
    int pipes[2];
    REQUIRE(pipe(pipes) == 0);
    CHECK(outcome_of([&](Memory &) { fd_source(m, pipes[0], 0, 2); }).code == Code::invalid_argument);
    close(pipes[0]);
    close(pipes[1]);
    // A model inside an asset pack.
    std::string g = toy_base().build().bytes;
    std::string pack = dir.write("pack", std::string(777, 'p') + g + std::string(55, 'q'));
    int pfd = open(pack.c_str(), O_RDONLY);
    CHECK(open_gguf(m, fd_source(m, pfd, 777, g.size()), {}, {})->find("output.weight"));
    close(pfd);
    close(fd);
}

TEST_CASE("source: a file that shrinks while it is open is truncated (G-50)") {
    TempFolder dir;
    std::string g = toy_base().build().bytes, f = dir.write("m.gguf", g);
    FileSystem files;
    auto o = outcome_of([&](Memory &m) {
        auto w = open_checkpoint(files, m, f, {}, {});
        std::filesystem::resize_file(f, g.size() / 2);
        const TensorInfo *t = w->find("output.weight");
        Buffer b(m, t->bytes, 64, MemTag::general);
        w->read(*t, 0, {b.data(), b.size()});
    });
    CHECK(o.truncated());
}

TEST_CASE("source: a host's reader that lies (G-52)") {
    std::string g = toy_base().build().bytes;
    struct Host {
        const std::string *bytes;
        int mode;
        int calls = 0;
        static int64_t read(void *user, uint64_t offset, void *out, size_t n) {
            Host &h = *static_cast<Host *>(user);
            ++h.calls;
            size_t have = offset < h.bytes->size() ? std::min(n, h.bytes->size() - offset) : 0;
            switch (h.mode) {
                case 1:
                    have = std::min<size_t>(have, 7);
                    break;  // short reads are no error
                case 2:
                    return 0;
                case 3:
                    return static_cast<int64_t>(n) + 1;
                case 4:
                    return -1;
                case 5:
                    return INT64_MIN;
                case 6:
                    if (h.calls > 3) return 0;
                    break;  // ends early on a later read
                case 7:     // other bytes on the second look
                    std::memcpy(out, h.bytes->data() + offset, have);
                    if (h.calls > 2 && offset < 24) std::memset(static_cast<char *>(out) + 16, 0x7f, 8);
                    return static_cast<int64_t>(have);
            }
            std::memcpy(out, h.bytes->data() + offset, have);
            return static_cast<int64_t>(have);
        }
    };
    auto open = [&](int mode, uint64_t size) {
        Host h{&g, mode};
        return outcome_of([&](Memory &m) {
            auto w = open_gguf(m, host_source(m, {&h, Host::read}, size), {}, {});
            Buffer b(m, 2048 * 32, 64, MemTag::general);
            w->read(*w->find("output.weight"), 0, {b.data(), b.size()});
        });
    };
    CHECK(open(0, g.size()).code == Code::ok);
    CHECK(open(1, g.size()).code == Code::ok);
    CHECK(open(2, g.size()).truncated());
    CHECK(open(3, g.size()).code == Code::io);
    CHECK(open(4, g.size()).code == Code::io);
    CHECK(open(5, g.size()).code == Code::io);
    CHECK(open(6, g.size()).truncated());
    CHECK(open(7, g.size()).code != Code::ok);
    CHECK(open(0, g.size() + 4096).code == Code::ok);  // bytes after the last tensor are never read
    CHECK(open(0, UINT64_MAX).code == Code::ok);
    CHECK(open(0, g.size() - 1).truncated());
    CHECK(outcome_of([&](Memory &m) { host_source(m, {}, 5); }).code == Code::invalid_argument);
}

TEST_CASE("source: a folder opens through the host's own files") {
    struct Host {
        std::map<std::string, std::string> files;
        int open_handles = 0;
    } host;
    FileHooks hooks{&host,
                    [](void *user, const char *path, size_t n, void **out, uint64_t *size) -> int32_t {
                        Host &h = *static_cast<Host *>(user);
                        auto it = h.files.find(std::string(path, n));
                        if (it == h.files.end()) return -7;
                        if (it->second == "broken") return -6;
                        *out = &it->second;
                        *size = it->second.size();
                        ++h.open_handles;
                        return 0;
                    },
                    [](void *, void *file, uint64_t offset, void *out, size_t n) -> int64_t {
                        auto &s = *static_cast<std::string *>(file);
                        n = std::min<size_t>(n, s.size() - offset);
                        std::memcpy(out, s.data() + offset, n);
                        return static_cast<int64_t>(n);
                    },
                    [](void *user, void *) { --static_cast<Host *>(user)->open_handles; }};
    FileSystem files(hooks);
    auto open = [&](const char *p) { return outcome_of([&](Memory &m) { open_checkpoint(files, m, p, {}, {}, OpenMode::map); }).code; };
    CHECK(open("asset:/m") == Code::not_found);
    host.files["asset:/m/config.json"] = "{\"model_type\":\"x\"}";
    host.files["asset:/m/model.safetensors"] = toy_safetensors(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "abc");
    host.files["asset:/toy.gguf"] = toy_base().build().bytes;
    CHECK(open("asset:/m") == Code::ok);
    CHECK(open("asset:/toy.gguf") == Code::ok);
    host.files["asset:/m/config.json"] = "broken";
    CHECK(open("asset:/m") == Code::io);
    CHECK(host.open_handles == 0);
}
