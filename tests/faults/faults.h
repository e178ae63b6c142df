// SPDX-License-Identifier: Apache-2.0
// "Run, count N, fail each i of N, once and for good": a host whose i-th allocation or I/O call fails. The scenario must
// answer every fault with an Error (or manage without, where one failed call can be retried), give back all memory and
// handles, and work again afterwards.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "base/memory.h"
#include "io/source.h"

namespace inlay_test {

// Decides which call fails. Shared by all tables of one run.
struct Fuse {
    int64_t at = -1;        // index of the call that fails; -1 = none
    bool for_good = false;  // and all after it
    int64_t calls = 0;
    int64_t blown = 0;

    bool burns() {
        int64_t i = calls++;
        bool now = at >= 0 && (i == at || (for_good && i > at));
        blown += now;
        return now;
    }
};

// An allocator that counts what is alive.
struct FaultyAllocator {
    Fuse *fuse = nullptr;
    int64_t live_blocks = 0, live_bytes = 0;

    inlay::MemoryHooks hooks() {
        return {this,
                [](void *user, size_t bytes, size_t align) -> void * {
                    auto &a = *static_cast<FaultyAllocator *>(user);
                    if (a.fuse && a.fuse->burns()) return nullptr;
                    void *p = nullptr;
                    if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, bytes)) return nullptr;
                    ++a.live_blocks;
                    a.live_bytes += static_cast<int64_t>(bytes);
                    return p;
                },
                [](void *user, void *p, size_t bytes, size_t) {
                    auto &a = *static_cast<FaultyAllocator *>(user);
                    --a.live_blocks;
                    a.live_bytes -= static_cast<int64_t>(bytes);
                    std::free(p);
                }};
    }
};

// Files in memory behind the host's table; open and read can fail, and reads may be short.
struct FaultyFiles {
    enum class Kind { error, zero, short_read };
    Fuse *fuse = nullptr;
    Kind kind = Kind::error;
    int open_handles = 0;
    std::map<std::string, std::string> files;

    inlay::io::FileHooks hooks() {
        return {this,
                [](void *user, const char *path, size_t n, void **out, uint64_t *size) -> int32_t {
                    auto &f = *static_cast<FaultyFiles *>(user);
                    auto it = f.files.find(std::string(path, n));
                    if (it == f.files.end()) return static_cast<int32_t>(inlay::Code::not_found);
                    if (f.fuse && f.kind == Kind::error && f.fuse->burns()) return static_cast<int32_t>(inlay::Code::io);
                    *out = &it->second;
                    *size = it->second.size();
                    ++f.open_handles;
                    return 0;
                },
                [](void *user, void *file, uint64_t offset, void *out, size_t n) -> int64_t {
                    auto &f = *static_cast<FaultyFiles *>(user);
                    auto &s = *static_cast<std::string *>(file);
                    n = offset < s.size() ? std::min<size_t>(n, s.size() - offset) : 0;
                    if (f.fuse && f.fuse->burns()) {
                        if (f.kind == Kind::error) return -1;
                        if (f.kind == Kind::zero) return 0;
                        n = n > 1 ? n / 2 : n;
                    }
                    std::memcpy(out, s.data() + offset, n);
                    return static_cast<int64_t>(n);
                },
                [](void *user, void *) { --static_cast<FaultyFiles *>(user)->open_handles; }};
    }
};

struct FaultReport {
    int64_t calls = 0, refused = 0, survived = 0;
};

inline std::string at(const char *name, int64_t call) { return std::string(name) + ": call " + std::to_string(call); }

// Runs `scenario(fuse)` once whole, then with each of its calls failing. `scenario` throws Error on a refusal and must
// itself check that nothing is left over; `allowed` says which statuses a fault may come out as.
inline FaultReport fail_each(const char *name, const std::function<void(Fuse &)> &scenario, const std::function<bool(inlay::Code)> &allowed,
                             bool must_refuse_for_good = true, int64_t most = INT64_MAX) {
    FaultReport report;
    Fuse whole;
    scenario(whole);
    report.calls = whole.calls;
    CHECK_MESSAGE(report.calls > 0, std::string(name));
    // Beyond `most` calls an even choice of them: the first ones are all among it, where handles are made.
    int64_t step = report.calls > most ? (report.calls + most - 1) / most : 1;
    for (int64_t i = 0; i < report.calls; i += i < most / 4 ? 1 : step)
        for (bool for_good : {false, true}) {
            Fuse fuse{i, for_good};
            bool refused = false;
            try {
                scenario(fuse);
            } catch (const inlay::Error &e) {
                refused = true;
                std::string says = at(name, i) + " gave " + std::string(e.text());
                CHECK_MESSAGE(allowed(e.code()), says);
            }
            std::string unreached = at(name, i) + " was not reached again", unnoticed = at(name, i) + " failed for good and nobody noticed";
            CHECK_MESSAGE(fuse.blown > 0, unreached);
            if (for_good && must_refuse_for_good) CHECK_MESSAGE(refused, unnoticed);
            (refused ? report.refused : report.survived) += 1;
        }
    Fuse again;
    scenario(again);
    CHECK(again.calls == report.calls);
    return report;
}

}  // namespace inlay_test
