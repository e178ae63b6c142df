// SPDX-License-Identifier: Apache-2.0
// Topology from sysfs and cgroup v1/v2 files, with fixed buffers and no allocation. cgroup limits hold along the whole
// path of groups, so the smallest of the group and its ancestors counts; inside a container the named path may not
// exist under the mount, then the mount's own root is what applies.
#include "cpu/topology.h"

#include <charconv>
#include <cstring>
#include <string_view>

#if defined(__unix__)
#include <fcntl.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace inlay::cpu {
namespace {

// A path of fixed size; one that does not fit is empty, which no open() finds.
class Path {
public:
    explicit Path(std::string_view s) { add(s); }
    Path &add(std::string_view s) {
        if (size_ + s.size() >= sizeof text_) size_ = 0, bad_ = true;
        if (!bad_) {
            std::memcpy(text_ + size_, s.data(), s.size());
            size_ += s.size();
        }
        text_[size_] = 0;
        return *this;
    }
    Path &add(int v) {
        char digits[16];
        auto r = std::to_chars(digits, digits + sizeof digits, v);
        return add({digits, static_cast<size_t>(r.ptr - digits)});
    }
    const char *c_str() const { return text_; }

private:
    char text_[1024] = {};
    size_t size_ = 0;
    bool bad_ = false;
};

class File {
public:
    explicit File(const Path &p) {
#if defined(__unix__)
        int fd = ::open(p.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) return;
        ok_ = true;
        while (size_ < sizeof text_) {
            ssize_t got = ::read(fd, text_ + size_, sizeof text_ - size_);
            if (got <= 0) break;
            size_ += static_cast<size_t>(got);
        }
        ::close(fd);
#else
        (void)p;
#endif
    }
    bool ok() const { return ok_; }
    std::string_view text() const { return {text_, size_}; }

private:
    char text_[4096];
    size_t size_ = 0;
    bool ok_ = false;
};

bool number(std::string_view &s, uint64_t *out) {
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
    auto r = std::from_chars(s.data(), s.data() + s.size(), *out);
    if (r.ec != std::errc{}) return false;
    s.remove_prefix(static_cast<size_t>(r.ptr - s.data()));
    return true;
}

// Calls f(cpu) for each number of a list such as "0-3,8,10-11".
template <class F>
void each_in_list(std::string_view s, F &&f) {
    uint64_t lo, hi;
    while (number(s, &lo)) {
        hi = lo;
        if (!s.empty() && s.front() == '-') {
            s.remove_prefix(1);
            if (!number(s, &hi)) return;
        }
        for (uint64_t c = lo; c <= hi && c < 8192; ++c) f(static_cast<int>(c));
        if (s.empty() || s.front() != ',') return;
        s.remove_prefix(1);
    }
}

class CpuMask {
public:
    void set(int c) { words_[c >> 6] |= uint64_t{1} << (c & 63); }
    bool has(int c) const { return (words_[c >> 6] >> (c & 63)) & 1u; }
    uint64_t words_[128] = {};  // 8192 CPUs, Linux's own largest count
};

bool allowed_cpus(const char *root, CpuMask *mask) {
#if defined(__linux__)
    if (!*root) return sched_getaffinity(0, sizeof mask->words_, reinterpret_cast<cpu_set_t *>(mask->words_)) == 0;
#endif
    File f(Path(root).add("/sys/devices/system/cpu/online"));
    each_in_list(f.text(), [&](int c) { mask->set(c); });
    return f.ok();
}

void read_cores(const char *root, Topology *t) {
    CpuMask mask;
    if (!allowed_cpus(root, &mask)) return;
    int logical = 0, physical = 0;
    for (int c = 0; c < 8192; ++c) {
        if (!mask.has(c)) continue;
        ++logical;
        bool first = true;
        File f(Path(root).add("/sys/devices/system/cpu/cpu").add(c).add("/topology/thread_siblings_list"));
        each_in_list(f.text(), [&](int s) { first &= !(s < c && mask.has(s)); });
        if (!first) continue;
        if (physical < Topology::max_cores) t->core_cpu[physical] = static_cast<int16_t>(c);
        ++physical;
    }
    if (logical == 0) return;
    t->logical = logical;
    t->physical = physical < Topology::max_cores ? physical : Topology::max_cores;
}

void read_caches(const char *root, Topology *t) {
    for (int i = 0; i < 8; ++i) {
        auto file = [&](const char *name) {
            return File(Path(root).add("/sys/devices/system/cpu/cpu").add(t->core_cpu[0]).add("/cache/index").add(i).add(name));
        };
        File type = file("/type"), level = file("/level"), size = file("/size");
        if (!size.ok() || type.text().starts_with("Instruction")) continue;
        std::string_view s = size.text(), l = level.text();
        uint64_t bytes, n;
        if (!number(s, &bytes) || !number(l, &n)) continue;
        if (!s.empty() && s.front() == 'K') bytes <<= 10;
        if (!s.empty() && s.front() == 'M') bytes <<= 20;
        if (n == 2) t->l2_bytes = bytes;
        if (n == 3) t->l3_bytes = bytes;
    }
}

void lower_quota(Topology *t, uint64_t time, uint64_t period) {
    if (time == 0 || period == 0) return;
    double cpus = static_cast<double>(time) / static_cast<double>(period);
    if (t->quota == 0 || cpus < t->quota) t->quota = cpus;
}

void lower_memory(Topology *t, uint64_t bytes) {
    // v1 says "no limit" with a number near 2^63.
    if (bytes >= (uint64_t{1} << 60)) return;
    if (t->memory_limit == 0 || bytes < t->memory_limit) t->memory_limit = bytes;
}

// Calls f(folder) for the group's folder under `mount` and each of its ancestors up to the mount itself.
template <class F>
void each_ancestor(const char *root, const char *mount, std::string_view group, F &&f) {
    for (;;) {
        while (!group.empty() && group.back() == '/') group.remove_suffix(1);
        f(Path(root).add(mount).add(group));
        if (group.empty()) return;
        group = group.substr(0, group.rfind('/') == std::string_view::npos ? 0 : group.rfind('/'));
    }
}

void read_cgroup_v2(const char *root, std::string_view group, Topology *t) {
    each_ancestor(root, "/sys/fs/cgroup", group, [&](Path dir) {
        File cpu(Path(dir).add("/cpu.max"));
        std::string_view s = cpu.text();
        uint64_t time, period;
        if (number(s, &time) && number(s, &period)) lower_quota(t, time, period);  // "max 100000" = none
        File mem(Path(dir).add("/memory.max"));
        std::string_view m = mem.text();
        if (number(m, &time)) lower_memory(t, time);
    });
}

void read_cgroup_v1(const char *root, std::string_view controllers, std::string_view group, Topology *t) {
    auto lists = [&](std::string_view name) {
        std::string_view rest = controllers;
        for (;;) {
            size_t comma = rest.find(',');
            if (rest.substr(0, comma) == name) return true;
            if (comma == std::string_view::npos) return false;
            rest.remove_prefix(comma + 1);
        }
    };
    uint64_t a, b;
    if (lists("cpu"))
        each_ancestor(root, "/sys/fs/cgroup/cpu", group, [&](Path dir) {
            File quota(Path(dir).add("/cpu.cfs_quota_us")), period(Path(dir).add("/cpu.cfs_period_us"));
            std::string_view q = quota.text(), p = period.text();
            if (number(q, &a) && number(p, &b)) lower_quota(t, a, b);  // "-1" = none and is no number here
        });
    if (lists("memory"))
        each_ancestor(root, "/sys/fs/cgroup/memory", group, [&](Path dir) {
            File limit(Path(dir).add("/memory.limit_in_bytes"));
            std::string_view l = limit.text();
            if (number(l, &a)) lower_memory(t, a);
        });
}

void read_cgroups(const char *root, Topology *t) {
    // Each line: hierarchy id, controllers (empty = v2), path of the group; all parted by ':'.
    File f(Path(root).add("/proc/self/cgroup"));
    std::string_view rest = f.text();
    while (!rest.empty()) {
        size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        size_t a = line.find(':'), b = a == std::string_view::npos ? a : line.find(':', a + 1);
        if (b == std::string_view::npos) continue;
        std::string_view controllers = line.substr(a + 1, b - a - 1), group = line.substr(b + 1);
        if (controllers.empty()) read_cgroup_v2(root, group, t);
        else read_cgroup_v1(root, controllers, group, t);
    }
}

}  // namespace

int Topology::default_threads() const noexcept {
    int n = physical;
    if (quota > 0 && quota < n) n = static_cast<int>(quota);  // downwards: 1.5 CPUs pay for one thread
    return n < 1 ? 1 : n;
}

Topology read_topology(const char *root) noexcept {
    Topology t;
    read_cores(root, &t);
    read_caches(root, &t);
    read_cgroups(root, &t);
    return t;
}

}  // namespace inlay::cpu
