// SPDX-License-Identifier: Apache-2.0
#include "engine/file_info.h"

namespace inlay::engine {

namespace {

constexpr uint64_t shown_items = 16;       // a longer array is given by its length: a vocabulary is megabytes
constexpr size_t shown_bytes = 64 << 10;   // of one string: chat templates are shown whole

void append_text(String &out, std::string_view s) { io::append_json_string(out, s.substr(0, shown_bytes)); }

void append_int(String &out, int64_t v) {
    Message m;
    m << v;
    out += m.view();
}

void append_scalar(String &out, const io::GgufValue &v, uint64_t i) {
    if (v.type() == io::GgufType::string) append_text(out, v.string(i));
    else if (v.type() == io::GgufType::boolean) out += v.boolean(i) ? "true" : "false";
    else if (v.is_integer() && v.integer(i)) append_int(out, *v.integer(i));
    else io::append_json_number(out, v.number(i));
}

void append_gguf_value(String &out, const io::GgufValue &v) {
    if (!v.is_array()) return append_scalar(out, v, 0);
    if (v.count() > shown_items) {
        Message m;
        m << "[" << v.count() << " of " << io::gguf_type_name(v.type()) << "]";
        return append_text(out, m.view());
    }
    out += '[';
    for (uint64_t i = 0; i < v.count(); ++i) {
        if (i) out += ',';
        append_scalar(out, v, i);
    }
    out += ']';
}

// config.json's own members; nested ones by their kind alone when they hold much.
void append_json_value(String &out, const io::Json &v) {
    switch (v.kind()) {
    case io::JsonKind::null: out += "null"; break;
    case io::JsonKind::boolean: out += v.boolean() ? "true" : "false"; break;
    case io::JsonKind::number: out += v.number_text(); break;
    case io::JsonKind::string: append_text(out, v.string()); break;
    case io::JsonKind::array:
    case io::JsonKind::object: {
        bool flat = (v.is_array() ? v.items().size() : v.members().size()) <= shown_items;
        if (v.is_array())
            for (const io::Json &x : v.items()) flat &= !x.is_array() && !x.is_object();
        else
            for (const io::JsonMember &x : v.members()) flat &= !x.value.is_array() && !x.value.is_object();
        if (!flat) {
            Message m;
            m << (v.is_array() ? "[" : "{") << (v.is_array() ? v.items().size() : v.members().size()) << (v.is_array() ? " items]" : " members}");
            append_text(out, m.view());
            break;
        }
        // One level: the test above saw scalars alone, so this goes no deeper.
        out += v.is_array() ? '[' : '{';
        bool first = true;
        for (const io::Json &x : v.is_array() ? v.items() : std::span<const io::Json>()) {
            if (!std::exchange(first, false)) out += ',';
            append_json_value(out, x);
        }
        for (const io::JsonMember &x : v.is_object() ? v.members() : std::span<const io::JsonMember>()) {
            if (!std::exchange(first, false)) out += ',';
            append_text(out, x.key);
            out += ':';
            append_json_value(out, x.value);
        }
        out += v.is_array() ? ']' : '}';
        break;
    }
    }
}

}  // namespace

void append_file_info(const io::WeightsFile &file, String &out) {
    out += "{\"kind\":";
    out += file.kind() == io::WeightsFile::Kind::gguf ? "\"gguf\"" : "\"huggingface\"";
    if (const io::Gguf *g = file.gguf()) {
        out += ",\"version\":";
        append_int(out, g->version());
        out += ",\"metadata\":{";
        bool first = true;
        for (const io::GgufEntry &e : g->entries()) {
            if (!std::exchange(first, false)) out += ',';
            append_text(out, e.key);
            out += ':';
            append_gguf_value(out, e.value);
        }
        out += '}';
    } else if (const io::Json *c = file.config()) {
        out += ",\"metadata\":{";
        bool first = true;
        for (const io::JsonMember &m : c->is_object() ? c->members() : std::span<const io::JsonMember>()) {
            if (!std::exchange(first, false)) out += ',';
            append_text(out, m.key);
            out += ':';
            append_json_value(out, m.value);
        }
        out += '}';
    }
    uint64_t bytes = 0, elements = 0;
    out += ",\"tensors\":[";
    bool first = true;
    for (const io::TensorInfo &t : file.tensors()) {
        if (!std::exchange(first, false)) out += ',';
        out += "{\"name\":";
        append_text(out, t.name);
        out += ",\"type\":";
        append_text(out, t.dtype_name);
        out += ",\"shape\":[";
        for (uint32_t d = 0; d < t.n_dims; ++d) {
            if (d) out += ',';
            append_int(out, static_cast<int64_t>(t.shape[d]));
        }
        out += "],\"bytes\":";
        append_int(out, static_cast<int64_t>(t.bytes));
        out += '}';
        bytes += t.bytes;  // each tensor's range lies inside its file, so the sums cannot wrap
        elements += t.elements;
    }
    out += "],\"n_tensors\":";
    append_int(out, static_cast<int64_t>(file.tensors().size()));
    out += ",\"n_params\":";
    append_int(out, static_cast<int64_t>(elements));
    out += ",\"tensor_bytes\":";
    append_int(out, static_cast<int64_t>(bytes));
    out += '}';
}

}  // namespace inlay::engine
