// SPDX-License-Identifier: Apache-2.0
#include "engine/validate_file.h"

#include "engine/opened_model.h"

namespace inlay::engine {

namespace {

bool about_content(const Error &e) noexcept {
    return e.code() == Code::format || e.code() == Code::unsupported || (e.code() == Code::limit && !e.text().starts_with("memory cap:"));
}

// Runs `part`; what it refuses becomes a problem at `where`.
template <class Part>
void ask(Runtime &rt, Vector<io::Problem> &found, const char *where, Part part) {
    try {
        part();
    } catch (const Error &e) {
        if (!about_content(e)) throw;
        rt.log().line(LogLevel::info, where, ": ", e.text());
        if (e.code() != Code::unsupported) found.push_back({make_string(rt.memory(), where), make_string(rt.memory(), e.text())});
    }
}

}  // namespace

Vector<io::Problem> validate_file(Runtime &rt, std::string_view path) {
    Memory &m = rt.memory();
    Vector<io::Problem> found = io::validate_checkpoint(rt.files(), m, path, rt.limits(), rt.log());
    Owned<io::WeightsFile> file;
    try {
        file = io::open_checkpoint(rt.files(), m, path, rt.limits(), rt.log());
    } catch (const Error &) {
        if (found.empty()) throw;
        return found;  // the reason stands in it already
    }
    ask(rt, found, "tokenizer", [&] { read_tokenizer(m, *file, rt.limits(), rt.log()); });
    if (file->tensors().empty()) return found;
    ask(rt, found, "model", [&] {
        const model::Architecture &arch = model::find_architecture(*file);
        model::Config config = model::read_config(*file, arch);
        model::Weights(m, *file, arch, config, {0, config.n_layers});
    });
    return found;
}

}  // namespace inlay::engine
