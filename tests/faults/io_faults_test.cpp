// SPDX-License-Identifier: Apache-2.0
// Every allocation and every I/O call of opening, checking and parsing fails in turn. simdjson allocates by operator new,
// so this program replaces it; files of the operating system are reached through replaced openat() and pread().
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <new>

#include "faults.h"
#include "io/validate.h"
#include "support/toy_gguf.h"

using namespace inlay;
using namespace inlay::io;
using namespace inlay_test;

namespace {

Fuse *new_fuse = nullptr;     // for operator new (nothrow), simdjson's
Fuse *system_fuse = nullptr;  // for openat and pread
int system_errno = EIO;       // 0: a short read

}  // namespace

// gcc takes the malloc in these for another allocator's once they are inlined.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void *operator new(size_t n, const std::nothrow_t &) noexcept { return new_fuse && new_fuse->burns() ? nullptr : std::malloc(n ? n : 1); }
void *operator new[](size_t n, const std::nothrow_t &t) noexcept { return operator new(n, t); }
void *operator new(size_t n) {
    if (void *p = std::malloc(n ? n : 1)) return p;
    throw std::bad_alloc();
}
void *operator new[](size_t n) { return operator new(n); }
void operator delete(void *p) noexcept { std::free(p); }
void operator delete[](void *p) noexcept { std::free(p); }
void operator delete(void *p, size_t) noexcept { std::free(p); }
void operator delete[](void *p, size_t) noexcept { std::free(p); }

extern "C" ssize_t pread(int fd, void *out, size_t n, off_t offset) {
    if (system_fuse && system_fuse->burns()) {
        if (system_errno) {
            errno = system_errno;
            return -1;
        }
        n = n > 1 ? n / 2 : n;
    }
    return syscall(SYS_pread64, fd, out, n, offset);
}
extern "C" int openat(int dir, const char *path, int flags, ...) {
    if (system_fuse && system_errno && system_fuse->burns()) {
        errno = system_errno;
        return -1;
    }
    return static_cast<int>(syscall(SYS_openat, dir, path, flags, 0));
}

namespace {

std::string entry(const std::string &name, int at) {
    return "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(at + 16) +
           "]}";
}

std::map<std::string, std::string> checkpoint_files() {
    std::map<std::string, std::string> f;
    f["toy.gguf"] = toy_base(DType::q8_0).build().bytes;
    auto split = [](int no, const char *tensor) {
        ToyGguf g;
        g.kv("general.architecture", "llama")
            .kv("split.no", static_cast<uint16_t>(no))
            .kv("split.count", uint16_t{2})
            .kv("split.tensors.count", int32_t{2});
        return g.tensor(tensor, DType::f32, {8}).build().bytes;
    };
    f["m-00001-of-00002.gguf"] = split(0, "a");
    f["m-00002-of-00002.gguf"] = split(1, "b");
    f["hf/config.json"] = R"({"model_type":"llama","architectures":["X"],"n":[1,2,3]})";
    f["hf/tokenizer_config.json"] = R"({"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t"}]})";
    f["hf/model.safetensors.index.json"] = R"({"weight_map":{"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"}})";
    f["hf/m-1.safetensors"] = toy_safetensors("{" + entry("a", 0) + "," + entry("b", 16) + "}", std::string(32, '\0'));
    f["hf/m-2.safetensors"] = toy_safetensors("{" + entry("c", 0) + "}", std::string(16, '\0'));
    return f;
}

std::map<std::string, std::string> &files_once() {
    static auto f = checkpoint_files();
    return f;
}

void use(const WeightsFile &w, Memory &m) {
    for (const TensorInfo &t : w.tensors()) {
        Buffer b(m, t.bytes, 64, MemTag::general);
        w.read(t, 0, {b.data(), b.size()});
    }
    w.chat_templates();
}

// One run of `body` with a memory and files whose calls burn `memory` and `files`.
void run(Fuse *memory, Fuse *files, FaultyFiles::Kind kind, const std::function<void(Memory &, const FileSystem &)> &body) {
    FaultyAllocator allocator{memory};
    FaultyFiles table;
    table.fuse = files;
    table.kind = kind;
    table.files = files_once();
    auto leftovers = [&] {
        CHECK(allocator.live_blocks == 0);
        CHECK(allocator.live_bytes == 0);
        CHECK(table.open_handles == 0);
    };
    try {
        Memory m(allocator.hooks());
        FileSystem fs(table.hooks());
        body(m, fs);
    } catch (...) {
        leftovers();
        throw;
    }
    leftovers();
}

const char *paths[] = {"toy.gguf", "m-00002-of-00002.gguf", "hf"};
bool no_memory(Code c) { return c == Code::out_of_memory; }
bool io_or_cut(Code c) { return c == Code::io || c == Code::format; }

}  // namespace

TEST_CASE("faults: every allocation of opening a checkpoint and reading it") {
    for (const char *path : paths) {
        auto r = fail_each(
            path,
            [&](Fuse &f) { run(&f, nullptr, {}, [&](Memory &m, const FileSystem &fs) { use(*open_checkpoint(fs, m, path, {}, {}), m); }); },
            no_memory);
        CHECK(r.survived == 0);
        MESSAGE(std::string(path) << ": " << r.calls << " allocations, " << r.refused << " refusals");
    }
}

TEST_CASE("faults: every call of the host's files") {
    for (const char *path : paths) {
        auto scenario = [&](FaultyFiles::Kind kind) {
            return [=](Fuse &f) {
                run(nullptr, &f, kind, [&](Memory &m, const FileSystem &fs) { use(*open_checkpoint(fs, m, path, {}, {}), m); });
            };
        };
        auto r = fail_each(path, scenario(FaultyFiles::Kind::error), io_or_cut);
        CHECK(r.survived == 0);
        fail_each(path, scenario(FaultyFiles::Kind::zero), io_or_cut);
        MESSAGE(std::string(path) << ": " << r.calls << " calls");
        // Short reads are taken up where they stopped. Their number changes the number of calls, so each is a run of its own.
        for (int64_t i = 0; i < r.calls; ++i) {
            Fuse f{i, true};
            CHECK_NOTHROW(scenario(FaultyFiles::Kind::short_read)(f));
        }
    }
}

TEST_CASE("faults: every allocation and call of validation") {
    for (const char *path : paths) {
        auto body = [&](Memory &m, const FileSystem &fs) {
            auto problems = validate_checkpoint(fs, m, path, {}, {});  // outside of CHECK, which would swallow the Error
            CHECK(problems.empty());
        };
        fail_each(
            path, [&](Fuse &f) { run(&f, nullptr, {}, body); }, no_memory);
        fail_each(
            path, [&](Fuse &f) { run(nullptr, &f, FaultyFiles::Kind::error, body); }, io_or_cut);
    }
}

TEST_CASE("faults: every allocation of parsing JSON, simdjson's own among them") {
    std::string text = R"({"a":[1,2,{"b":"x\ny"}],"c":true,"d":-1.5e3,"e":{}})";
    for (int i = 0; i < 40; ++i) text.insert(text.size() - 1, ",\"key" + std::to_string(i) + "\":[" + std::to_string(i) + "]");
    auto parse = [&](Memory &m) {
        auto doc = JsonDocument::parse(m, text, {});  // outside of CHECK, which would swallow the Error
        CHECK(doc.root().find("key39")->items()[0].integer() == 39);
    };
    auto ours = fail_each(
        "json", [&](Fuse &f) { run(&f, nullptr, {}, [&](Memory &m, const FileSystem &) { parse(m); }); }, no_memory);
    auto theirs = fail_each(
        "simdjson",
        [&](Fuse &f) {
            new_fuse = &f;
            struct Off {
                ~Off() { new_fuse = nullptr; }
            } off;
            run(nullptr, nullptr, {}, [&](Memory &m, const FileSystem &) { parse(m); });
        },
        no_memory);
    CHECK(ours.survived == 0);
    CHECK(theirs.survived <= 1);  // its buffer for decoded strings is allocated, but never used by us
    MESSAGE("json: " << ours.calls << " allocations of ours, " << theirs.calls << " of simdjson");
}

TEST_CASE("faults: the operating system's files") {
    std::string folder = "/tmp/inlay-faults-XXXXXX";
    REQUIRE(mkdtemp(folder.data()));
    REQUIRE(mkdir((folder + "/hf").c_str(), 0700) == 0);
    for (auto &[name, bytes] : files_once()) std::ofstream(folder + "/" + name, std::ios::binary) << bytes;
    auto scenario = [&](const char *path) {
        return [&, path](Fuse &f) {
            system_fuse = &f;
            struct Off {
                ~Off() { system_fuse = nullptr; }
            } off;
            FaultyAllocator allocator;
            Memory m(allocator.hooks());
            FileSystem fs;
            use(*open_checkpoint(fs, m, folder + "/" + path, {}, {}), m);
        };
    };
    int before = dup(0);
    close(before);
    for (const char *path : paths) {
        for (int e : {EIO, EMFILE, ENOMEM, EAGAIN, ESTALE}) {
            system_errno = e;
            fail_each(path, scenario(path), [&](Code c) { return io_or_cut(c) || c == Code::out_of_memory; });
        }
        // Interrupted calls are made again, short ones go on.
        for (int e : {EINTR, 0}) {
            system_errno = e;
            Fuse whole;
            scenario(path)(whole);
            for (int64_t i = 0; i < whole.calls; ++i) {
                Fuse f{i, false};
                CHECK_NOTHROW(scenario(path)(f));
            }
        }
    }
    int after = dup(0);
    close(after);
    CHECK(before == after);  // no descriptor was left open
    std::string clean = "rm -r " + folder;
    CHECK(std::system(clean.c_str()) == 0);
}
