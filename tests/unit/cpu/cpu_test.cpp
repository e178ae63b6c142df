// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "cpu/tier.h"
#include "cpu/topology.h"

using namespace inlay;
using namespace inlay::cpu;
namespace fs = std::filesystem;

namespace {

template <class F>
Code code_of(F &&f) {
    try {
        f();
    } catch (const Error &e) {
        return e.code();
    }
    return Code::ok;
}

// A folder of fake sysfs and cgroup files, removed at the end.
struct FakeRoot {
    fs::path dir;
    FakeRoot() {
        static int n = 0;
        dir = fs::temp_directory_path() / ("inlay-topology-" + std::to_string(n++) + "-" + std::to_string(reinterpret_cast<uintptr_t>(this)));
        fs::create_directories(dir);
    }
    ~FakeRoot() { fs::remove_all(dir); }
    void put(const std::string &path, const std::string &text) {
        fs::path p = dir / path;
        fs::create_directories(p.parent_path());
        std::ofstream(p) << text;
    }
    void cpu(int c, const std::string &siblings) {
        put("sys/devices/system/cpu/cpu" + std::to_string(c) + "/topology/thread_siblings_list", siblings + "\n");
    }
    Topology read() { return read_topology(dir.c_str()); }
};

}  // namespace

TEST_CASE("tier names parse back, and others do not") {
    for (int i = 0; i < static_cast<int>(Tier::count_); ++i) {
        Tier t;
        REQUIRE(tier_from_name(tier_name(static_cast<Tier>(i)), &t));
        CHECK(static_cast<int>(t) == i);
    }
    Tier t;
    CHECK_FALSE(tier_from_name("AVX2", &t));
    CHECK_FALSE(tier_from_name("", &t));
}

TEST_CASE("a tier is chosen from what is there") {
    TierSet zen4;
    for (Tier t : {Tier::avx2, Tier::avx512, Tier::avx512vnni}) zen4.add(t);
    CHECK(select_tiers("", zen4) == zen4);
    CHECK(select_tiers("auto", zen4).best() == Tier::avx512vnni);
    CHECK(select_tiers("scalar", zen4).best() == Tier::scalar);
    TierSet upto = select_tiers("avx512", zen4);
    CHECK(upto.best() == Tier::avx512);
    CHECK(upto.has(Tier::avx2));
    CHECK_FALSE(upto.has(Tier::avxvnni));
    CHECK(code_of([&] { select_tiers("avxvnni", zen4); }) == Code::unsupported);
    CHECK(code_of([&] { select_tiers("neon", zen4); }) == Code::unsupported);
    CHECK(code_of([&] { select_tiers("sse9", zen4); }) == Code::invalid_argument);
    CHECK(code_of([&] { select_tiers("", detect_tiers()); }) == Code::ok);
}

TEST_CASE("detection agrees with the compiler's own") {
    TierSet s = detect_tiers();
    CHECK(s.has(Tier::scalar));
#if defined(__x86_64__)
    CHECK(s.has(Tier::avx2) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")));
    CHECK(s.has(Tier::avx512vnni) == (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni")));
#endif
}

TEST_CASE("SMT siblings count once") {
    FakeRoot r;
    r.put("sys/devices/system/cpu/online", "0-3,8\n");
    r.cpu(0, "0,2");
    r.cpu(1, "1,3");
    r.cpu(2, "0,2");
    r.cpu(3, "1,3");
    r.cpu(8, "7-8");  // its sibling 7 is offline
    Topology t = r.read();
    CHECK(t.logical == 5);
    CHECK(t.physical == 3);
    CHECK(t.core_cpu[1] == 1);
    CHECK(t.core_cpu[2] == 8);
    CHECK(t.default_threads() == 3);
    CHECK(t.quota == 0);
    CHECK(t.memory_limit == 0);
}

TEST_CASE("cgroup v2: the smallest limit on the path holds") {
    FakeRoot r;
    r.put("sys/devices/system/cpu/online", "0-7\n");
    r.put("proc/self/cgroup", "0::/a/b\n");
    r.put("sys/fs/cgroup/cpu.max", "max 100000\n");
    r.put("sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    r.put("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
    r.put("sys/fs/cgroup/a/memory.max", "1073741824\n");
    r.put("sys/fs/cgroup/a/b/memory.max", "max\n");
    Topology t = r.read();
    CHECK(t.physical == 8);
    CHECK(t.quota == 2.5);
    CHECK(t.default_threads() == 2);
    CHECK(t.memory_limit == 1073741824u);
}

TEST_CASE("cgroup v2: a path that the container does not show falls back to the mount's root") {
    FakeRoot r;
    r.put("sys/devices/system/cpu/online", "0-3\n");
    r.put("proc/self/cgroup", "0::/../outside\n");
    r.put("sys/fs/cgroup/cpu.max", "50000 100000\n");
    CHECK(r.read().default_threads() == 1);
}

TEST_CASE("cgroup v1: quota -1 and the huge memory number mean no limit") {
    FakeRoot r;
    r.put("sys/devices/system/cpu/online", "0-3\n");
    r.put("proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/c\n3:cpuset:/\n");
    r.put("sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "-1\n");
    r.put("sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n");
    r.put("sys/fs/cgroup/memory/m/memory.limit_in_bytes", "9223372036854771712\n");
    Topology t = r.read();
    CHECK(t.quota == 0);
    CHECK(t.memory_limit == 0);
    r.put("sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "300000\n");
    r.put("sys/fs/cgroup/memory/m/memory.limit_in_bytes", "536870912\n");
    t = r.read();
    CHECK(t.quota == 3.0);
    CHECK(t.memory_limit == 536870912u);
}

TEST_CASE("a system without these files is one core without limits, and this machine has some") {
    FakeRoot r;
    Topology none = r.read();
    CHECK(none.logical == 1);
    CHECK(none.default_threads() == 1);
    Topology here = read_topology();
    CHECK(here.physical >= 1);
    CHECK(here.logical >= here.physical);
    CHECK(here.default_threads() <= here.physical);
}
