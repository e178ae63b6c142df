// SPDX-License-Identifier: Apache-2.0
// The view itself: lookups, reads, side files.
#include "io/weights_file.h"

#include <algorithm>

#include "base/checked.h"

namespace inlay::io {

WeightsFile::WeightsFile(Memory &m, Kind kind, const Limits &limits)
    : memory_(&m),
      kind_(kind),
      limits_(limits),
      folder_(m),
      sources_(Alloc<Owned<Source>>(m)),
      ggufs_(Alloc<Owned<Gguf>>(m)),
      names_(m),
      tensors_(Alloc<TensorInfo>(m)),
      by_name_(Alloc<uint32_t>(m)) {}

const TensorInfo *WeightsFile::find(std::string_view name) const noexcept {
    auto it =
        std::lower_bound(by_name_.begin(), by_name_.end(), name, [&](uint32_t i, std::string_view n) { return tensors_[i].name < n; });
    return it != by_name_.end() && tensors_[*it].name == name ? &tensors_[*it] : nullptr;
}

void WeightsFile::read(const TensorInfo &t, uint64_t from, std::span<std::byte> out) const {
    if (Checked(from) + out.size() > Checked(t.bytes))
        fail(Code::internal, "tensor ", quoted{t.name}, " has ", t.bytes, " bytes, ", out.size(), " are asked for at ", from);
    source(t.source).read_at((Checked(t.offset) + from).value(), out);
}

std::span<const std::byte> WeightsFile::in_memory(const TensorInfo &t) const noexcept {
    // The directory was held against the source's size when it was read.
    auto all = source(t.source).in_memory();
    return all.empty() ? all : all.subspan(static_cast<size_t>(t.offset), static_cast<size_t>(t.bytes));
}

std::optional<Buffer> WeightsFile::side_bytes(std::string_view name, uint64_t cap_bytes) const {
    if (!files_) return std::nullopt;
    auto source = files_->open_if_exists(*memory_, join_path(*memory_, folder_, name));
    if (!source) return std::nullopt;
    if (source->size() > cap_bytes) fail(Code::limit, "file ", quoted{name}, " has ", source->size(), " bytes, limit ", cap_bytes);
    Buffer b(*memory_, Checked(source->size()).size(), 64, MemTag::general);
    source->read_at(0, {b.data(), b.size()});
    return b;
}

std::optional<JsonDocument> WeightsFile::side_json(std::string_view name, const JsonLimits &limits) const {
    auto bytes = side_bytes(name, limits.bytes);
    if (!bytes) return std::nullopt;
    return JsonDocument::parse(*memory_, {reinterpret_cast<const char *>(bytes->data()), bytes->size()}, limits, name);
}

namespace {

void add_template(Memory &m, Vector<ChatTemplate> &out, std::string_view name, std::string_view text) {
    for (const ChatTemplate &t : out)
        if (t.name == name) return;
    ChatTemplate t{make_string(m, name), make_string(m, text)};
    out.insert(name == "default" ? out.begin() : out.end(), std::move(t));
}

}  // namespace

Vector<ChatTemplate> WeightsFile::chat_templates() const {
    Vector<ChatTemplate> out{Alloc<ChatTemplate>(*memory_)};
    // A model has a handful of templates; the cap keeps add_template's search small.
    constexpr size_t max_templates = 64;
    if (const Gguf *g = gguf()) {
        constexpr std::string_view prefix = "tokenizer.chat_template";
        for (const GgufEntry &e : g->entries()) {
            if (!e.key.starts_with(prefix) || !e.value.is_string() || out.size() >= max_templates) continue;
            std::string_view rest = e.key.substr(prefix.size());
            if (rest.empty())
                add_template(*memory_, out, "default", e.value.string());
            else if (rest.size() > 1 && rest[0] == '.')
                add_template(*memory_, out, rest.substr(1), e.value.string());
        }
        return out;
    }
    if (auto file = side_bytes("chat_template.jinja", limits_.template_bytes))
        add_template(*memory_, out, "default", {reinterpret_cast<const char *>(file->data()), file->size()});
    JsonLimits limits;
    limits.bytes = limits_.tokenizer_json_bytes;
    limits.depth = limits_.tokenizer_json_depth;
    auto config = side_json("tokenizer_config.json", limits);
    const Json *t = config ? config->root().get("chat_template") : nullptr;
    if (t && t->is_string()) add_template(*memory_, out, "default", t->string());
    if (t && t->is_array())
        for (const Json &item : t->items()) {
            const Json *name = item.get("name"), *text = item.get("template");
            if (name && text && name->is_string() && text->is_string() && out.size() < max_templates)
                add_template(*memory_, out, name->string(), text->string());
        }
    return out;
}

}  // namespace inlay::io
