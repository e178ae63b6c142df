// SPDX-License-Identifier: Apache-2.0
// bench_roof [--json] [--quick] [--seconds S] [--file PATH]: what this machine can do at most. Reading of memory by 1..n threads
// on 4 KiB and 2 MiB pages, arithmetic peaks by tier, the latency between CPUs (which shows how a VM's are placed), what the end of
// a phase costs on our executors, and how fast a file is read that the system has cached. Threads are pinned; the best of 3.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../examples/cli/roof_loops.h"
#include "base/error.h"
#include "io/weights_file.h"
#include "model/weights.h"
#include "thread/pool.h"
#include "thread/tbb_executor.h"

namespace {

using inlay::Memory;

struct Options {
    bool json = false, quick = false;
    double seconds = 0.15;  // a figure
    const char *file = nullptr;
};

double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

std::vector<int> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int i = 0; i < CPU_SETSIZE; ++i)
            if (CPU_ISSET(i, &set)) cpus.push_back(i);
    if (cpus.empty()) cpus.push_back(0);
    return cpus;
}

void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// f(i) on a thread of its own on cpus[i] for i < n; all start together. The main thread sleeps in join.
template <class F>
void on_cpus(const std::vector<int> &cpus, int n, F &&f) {
    std::atomic<int> waiting{n};
    std::vector<std::thread> threads;
    for (int i = 0; i < n; ++i)
        threads.emplace_back([&, i] {
            pin(cpus[static_cast<size_t>(i)]);
            waiting.fetch_sub(1);
            while (waiting.load() > 0) {
            }
            f(i);
        });
    for (auto &t : threads) t.join();
}

// The sum over n threads of work(i) per second; work is repeated for `seconds`. Best of 3: the roof is what was reached.
template <class F>
double rate(const Options &o, const std::vector<int> &cpus, int n, F &&work) {
    double best = 0;
    for (int rep = 0; rep < 3; ++rep) {
        std::vector<double> each(static_cast<size_t>(n));
        on_cpus(cpus, n, [&](int i) {
            double done = 0, t0 = now(), t;
            do {
                done += work(i);
                t = now() - t0;
            } while (t < o.seconds / 3);
            each[static_cast<size_t>(i)] = done / t;
        });
        double sum = 0;
        for (double e : each) sum += e;
        best = std::max(best, sum);
    }
    return best;
}

// Figures as they come: lines for people, or objects of a list for programs.
class Report {
public:
    explicit Report(bool json) : json_(json) {}
    void begin(const char *list, const char *title) {
        if (json_) std::printf("%s\"%s\":[", lists_++ ? "]," : "{", list);
        else std::printf("\n%s\n", title);
        items_ = 0;
    }
    void item(const std::string &members, const std::string &line) {
        if (json_) std::printf("%s{%s}", items_++ ? "," : "", members.c_str());
        else std::printf("  %s\n", line.c_str());
        std::fflush(stdout);
    }
    void end(const std::string &members) {
        if (json_) std::printf("%s%s}\n", lists_ ? "]," : "{", members.c_str());
    }

private:
    bool json_;
    int lists_ = 0, items_ = 0;
};

template <class... A>
std::string text(const char *format, A... a) {
    char line[256];
    std::snprintf(line, sizeof line, format, a...);
    return line;
}

class Block {  // memory of whole 2 MiB pages, or of none
public:
    Block(size_t bytes, bool huge, bool touched = true) : bytes_(bytes + huge_page) {
        raw_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (raw_ == MAP_FAILED) std::fprintf(stderr, "no memory for %zu bytes\n", bytes_), std::exit(1);
        data_ = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(raw_) + huge_page - 1) / huge_page * huge_page);
        madvise(data_, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
        if (touched) std::memset(data_, 1, bytes);
    }
    ~Block() { munmap(raw_, bytes_); }
    Block(const Block &) = delete;
    char *data() const { return data_; }

private:
    static constexpr size_t huge_page = 2u << 20;
    size_t bytes_;
    void *raw_;
    char *data_;
};

std::vector<int> thread_counts(size_t cpus) {
    std::vector<int> n;
    for (size_t t = 1; t < cpus; t *= 2) n.push_back(static_cast<int>(t));
    n.push_back(static_cast<int>(cpus));
    return n;
}

void memory(const Options &o, Report &r, const std::vector<int> &cpus) {
    r.begin("read", "reading memory, GB/s (256 MiB a thread)");
    constexpr size_t bytes = 256u << 20;
    for (bool huge : {true, false}) {
        if (!huge && o.quick) continue;
        std::vector<std::unique_ptr<Block>> blocks;
        for (int n : thread_counts(cpus.size())) {
            while (static_cast<int>(blocks.size()) < n) blocks.push_back(std::make_unique<Block>(bytes, huge));
            std::atomic<uint64_t> sink{0};
            auto read = [&](uint64_t (*how)(const char *, size_t)) {
                return 1e-9 * rate(o, cpus, n, [&](int i) {
                    sink += how(blocks[static_cast<size_t>(i)]->data(), bytes);
                    return static_cast<double>(bytes);
                });
            };
            const char *pages = huge ? "2M" : "4K";
            double forward = read(cli::read_forward), streams = read(cli::read_streams);
            r.item(text("\"pages\":\"%s\",\"threads\":%d,\"gbps\":%.2f,\"forward\":%.2f,\"streams\":%.2f", pages, n, std::max(forward, streams),
                        forward, streams),
                   text("%s pages  %2d threads  %6.1f   (one stream a thread %.1f, four %.1f)", pages, n, std::max(forward, streams), forward, streams));
        }
    }
}

void arithmetic(const Options &o, Report &r, const std::vector<int> &cpus) {
    r.begin("peaks", "arithmetic, 10^9 operations/s (multiply + add = 2)");
    size_t n_loops;
    const cli::PeakLoop *loops = cli::peak_loops(&n_loops);
    for (size_t i = 0; i < n_loops; ++i) {
        const cli::PeakLoop &l = loops[i];
        if (!l.here()) continue;
        for (int n : thread_counts(cpus.size())) {
            constexpr long rounds = 200'000;
            double gops = 1e-9 * rate(o, cpus, n, [&](int) {
                l.run(rounds);
                return l.ops * static_cast<double>(rounds);
            });
            r.item(text("\"name\":\"%s\",\"kind\":\"%s\",\"needs\":\"%s\",\"threads\":%d,\"gops\":%.1f", l.name, l.kind, l.needs, n, gops),
                   text("%-5s %-12s %-12s %2d threads  %7.1f", l.kind, l.name, l.needs, n, gops));
        }
    }
}

// One line of cache goes to and fro: ns a hop.
double ping_pong(int a, int b) {
    alignas(64) static std::atomic<int> turn;
    constexpr int hops = 40000;
    double best = 1e9;
    for (int rep = 0; rep < 3; ++rep) {
        turn = 0;
        double s = 0;
        on_cpus({a, b}, 2, [&](int id) {
            double t0 = now();
            for (int i = id; i < hops; i += 2) {
                while (turn.load(std::memory_order_acquire) != i) {
                }
                turn.store(i + 1, std::memory_order_release);
            }
            if (id) s = now() - t0;
        });
        best = std::min(best, s / hops * 1e9);
    }
    return best;
}

void placement(Report &r, const std::vector<int> &cpus) {
    r.begin("hops", "a cache line from CPU to CPU, ns (25-30: they share an L3 slice; 100 and more: they do not)");
    constexpr size_t most = 8;  // of a large machine a sample: pairs grow with the square
    const size_t step = (cpus.size() + most - 1) / most;
    for (size_t a = 0; a < cpus.size(); a += step)
        for (size_t b = a + step; b < cpus.size(); b += step) {
            double ns = ping_pong(cpus[a], cpus[b]);
            r.item(text("\"a\":%d,\"b\":%d,\"ns\":%.1f", cpus[a], cpus[b], ns), text("%3d - %-3d %6.1f", cpus[a], cpus[b], ns));
        }
}

// What a phase costs beyond its work: one task of 5 us a worker (empty ones the caller would do alone), less the 5 us. With
// `pause_us` the workers sleep before each phase. The median of many: a phase that the system interrupted says nothing.
double phase_ns(inlay::thread::Executor &e, int phases, int pause_us) {
    constexpr double work = 5e-6;
    std::vector<double> ns;
    for (int i = 0; i < phases; ++i) {
        if (pause_us) usleep(static_cast<useconds_t>(pause_us));
        double t0 = now();
        inlay::thread::parallel_for(e, e.width(), [](int64_t, int) {
            for (double begin = now(); now() - begin < work;) {
            }
        });
        ns.push_back((now() - t0 - work) * 1e9);
    }
    std::nth_element(ns.begin(), ns.begin() + phases / 2, ns.end());
    return ns[static_cast<size_t>(phases) / 2];
}

void executors(const Options &o, Report &r, const std::vector<int> &cpus) {
    r.begin("phases", "what a phase costs beyond its tasks, ns (workers hot; workers asleep)");
    Memory memory;
    for (int n : thread_counts(cpus.size())) {
        for (const char *kind : {"pool", "tbb"}) {
            if (o.quick && kind[0] == 't') continue;
            try {
                inlay::Owned<inlay::thread::Executor> e;
                if (kind[0] == 't') e = inlay::thread::make_tbb_executor(memory, n);
                else {
                    inlay::thread::PoolOptions p;
                    p.threads = n;
                    e = inlay::make_owned<inlay::thread::Pool>(memory, memory, p);
                }
                double hot = phase_ns(*e, 4000, 0), cold = phase_ns(*e, 100, 1000);
                r.item(text("\"executor\":\"%s\",\"threads\":%d,\"hot_ns\":%.0f,\"asleep_ns\":%.0f", kind, n, hot, cold),
                       text("%-5s %2d threads  %7.0f  %8.0f", kind, n, hot, cold));
            } catch (const inlay::Error &) {  // a build without TBB
            }
        }
    }
}

// Reads the weights of an opened file and packs them: GB/s of the file.
double load_gbps(const inlay::io::WeightsFile &file, int threads) {
    Memory memory;
    const inlay::model::Architecture &arch = inlay::model::find_architecture(file);
    const inlay::model::Config config = inlay::model::read_config(file, arch);
    inlay::model::Weights weights(memory, file, arch, config, {});
    inlay::thread::Pool pool(memory, {.threads = threads});
    double t0 = now();
    weights.load(file, pool);
    return static_cast<double>(weights.file_bytes()) * 1e-9 / (now() - t0);
}

// Reads the file by all of n threads, in pieces: into one small buffer a thread; into memory that nobody has touched, which the
// system clears first: no loader that keeps the bytes can be faster than that; and, if it is a model, as a model. The first pass,
// untimed, brings the file into the system's cache.
void cached_file(const Options &o, Report &r, const std::vector<int> &cpus) {
    r.begin("file", "reading a cached file, GB/s");
    int fd = open(o.file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) std::fprintf(stderr, "can't open %s\n", o.file), std::exit(1);
    constexpr size_t piece = 256u << 10;
    auto pass = [&](int n, bool fresh) {
        Block whole(fresh ? static_cast<size_t>(st.st_size) + piece : piece, true, false);
        std::atomic<off_t> next{0};
        double t0 = now();
        on_cpus(cpus, n, [&](int) {
            std::vector<char> buf(piece);
            for (off_t at; (at = next.fetch_add(piece)) < st.st_size;)
                if (pread(fd, fresh ? whole.data() + at : buf.data(), piece, at) <= 0) return;
        });
        return static_cast<double>(st.st_size) * 1e-9 / (now() - t0);
    };
    pass(static_cast<int>(cpus.size()), false);
    Memory memory;
    inlay::io::FileSystem files;
    inlay::Owned<inlay::io::WeightsFile> model;
    try {
        model = inlay::io::open_checkpoint(files, memory, o.file, inlay::Limits{}, inlay::Log{});
        load_gbps(*model, 1);
    } catch (const inlay::Error &) {
        model.reset();  // some other file
    }
    for (int n : thread_counts(cpus.size())) {
        double small = 0, fresh = 0, load = 0;
        for (int rep = 0; rep < 3; ++rep) {  // in turns: a VM's host gives memory back and takes it
            small = std::max(small, pass(n, false));
            fresh = std::max(fresh, pass(n, true));
            if (model) load = std::max(load, load_gbps(*model, n));
        }
        r.item(text("\"threads\":%d,\"gbps\":%.2f,\"fresh_gbps\":%.2f,\"load_gbps\":%.2f", n, small, fresh, load),
               text("%2d threads  %6.1f   into fresh memory %.1f   and packing it %.1f (%.0f %%)", n, small, fresh, load, 100 * load / fresh));
    }
    close(fd);
}

std::string cpu_name() {
    std::ifstream f("/proc/cpuinfo");
    for (std::string line; std::getline(f, line);)
        if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
    return "unknown";
}

// A chain of dependent additions takes a cycle each.
double clock_ghz() {
    double best = 0;
    for (int rep = 0; rep < 3; ++rep) {
        uint64_t x = 1;
        constexpr long n = 5'000'000;
        double t0 = now();
        for (long i = 0; i < n; ++i)
            for (int k = 0; k < 8; ++k) {
                ++x;
                asm volatile("" : "+r"(x));
            }
        best = std::max(best, 8 * n / (now() - t0) * 1e-9);
    }
    return best;
}

}  // namespace

int main(int argc, char **argv) {
    Options o;
    for (int i = 1; i < argc; ++i) {
        std::string_view a = argv[i];
        if (a == "--json") o.json = true;
        else if (a == "--quick") o.quick = true;
        else if (a == "--seconds" && i + 1 < argc) o.seconds = std::atof(argv[++i]);
        else if (a == "--file" && i + 1 < argc) o.file = argv[++i];
        else return std::fprintf(stderr, "usage: bench_roof [--json] [--quick] [--seconds S] [--file PATH]\n"), 2;
    }
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2")) return std::fprintf(stderr, "the loops need AVX2\n"), 1;
#endif
    const std::vector<int> cpus = usable_cpus();
    const double ghz = clock_ghz();
    if (!o.json) std::printf("%s, %zu CPUs, %.2f GHz\n", cpu_name().c_str(), cpus.size(), ghz);
    Report r(o.json);
    memory(o, r, cpus);
    arithmetic(o, r, cpus);
    placement(r, cpus);
    executors(o, r, cpus);
    if (o.file) cached_file(o, r, cpus);
    r.end(text("\"cpu\":\"%s\",\"cpus\":%zu,\"ghz\":%.2f", cpu_name().c_str(), cpus.size(), ghz));
}
