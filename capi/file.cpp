// SPDX-License-Identifier: Apache-2.0
#include "inlay/file.h"

#include "capi/handles.h"
#include "engine/file_info.h"
#include "engine/validate_file.h"

using namespace inlay;
using namespace inlay::capi;

extern "C" inlay_status inlay_file_info(inlay_runtime *rt, const char *path, size_t n_path, char *out, size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        engine::Runtime &r = *need_handle(rt, "rt").owner;
        auto file = io::open_checkpoint(r.files(), r.memory(), text_arg(path, n_path, "path"), r.limits(), r.log());
        String json((Alloc<char>(r.memory())));
        engine::append_file_info(*file, json);
        return give(json.data(), json.size(), out, io_n, "the description");
    });
}

extern "C" inlay_status inlay_file_validate(inlay_runtime *rt, const char *path, size_t n_path, char *out, size_t *io_n, inlay_error *err) {
    return guard(err, [&] {
        engine::Runtime &r = *need_handle(rt, "rt").owner;
        auto problems = engine::validate_file(r, text_arg(path, n_path, "path"));
        String json((Alloc<char>(r.memory())));
        json += problems.empty() ? "{\"ok\":true,\"problems\":[" : "{\"ok\":false,\"problems\":[";
        for (size_t i = 0; i < problems.size(); ++i) {
            json += i ? ",{\"where\":" : "{\"where\":";
            io::append_json_string(json, problems[i].where);
            json += ",\"what\":";
            io::append_json_string(json, problems[i].what);
            json += '}';
        }
        json += "]}";
        return give(json.data(), json.size(), out, io_n, "the report");
    });
}
