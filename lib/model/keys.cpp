// SPDX-License-Identifier: Apache-2.0
#include "model/keys.h"

#include "base/error.h"

namespace inlay::model {

namespace {

int32_t narrow(std::string_view key, int64_t v) {
    if (v > INT32_MAX) fail(Code::limit, "key ", quoted{key}, " is ", v, ", more than ", INT32_MAX);
    if (v < INT32_MIN) fail(Code::format, "key ", quoted{key}, " is ", v);
    return static_cast<int32_t>(v);
}

// Long enough for "<arch>.<key>": both come from tables of ours, but for an architecture's name of the registry.
class FullKey {
public:
    FullKey(std::string_view arch, std::string_view key) { text_ << arch << '.' << key; }
    std::string_view view() const { return text_.view(); }

private:
    Message text_;
};

}  // namespace

int32_t HfKeys::integer(std::string_view key, int64_t fallback) const { return narrow(key, io::get_int(*root_, key, fallback)); }
int32_t HfKeys::need(std::string_view key) const { return narrow(key, io::need_int(*root_, key)); }

const io::GgufValue *GgufKeys::find(std::string_view key) const { return gguf_->find(FullKey(arch_, key).view()); }

int32_t GgufKeys::item(std::string_view key, const io::GgufValue &v, uint64_t i) const {
    FullKey full(arch_, key);
    if (!v.is_integer()) fail(Code::format, "key ", quoted{full.view()}, " must be an integer");
    auto n = v.integer(i);
    if (!n) fail(Code::limit, "key ", quoted{full.view()}, " exceeds 63 bits");
    return narrow(full.view(), *n);
}

int32_t GgufKeys::integer(std::string_view key, int64_t fallback) const {
    const io::GgufValue *v = find(key);
    if (!v) return narrow(key, fallback);
    if (v->is_array()) fail(Code::format, "key ", quoted{FullKey(arch_, key).view()}, " must not be an array");
    return item(key, *v, 0);
}

int32_t GgufKeys::need(std::string_view key) const {
    if (!find(key)) fail(Code::format, "key ", quoted{FullKey(arch_, key).view()}, " is missing");
    return integer(key, 0);
}

int32_t GgufKeys::by_layer(std::string_view key, int32_t layer, int32_t n_layers, int64_t fallback) const {
    const io::GgufValue *v = find(key);
    if (!v || !v->is_array()) return integer(key, fallback);
    if (v->count() != static_cast<uint64_t>(n_layers))
        fail(Code::format, "key ", quoted{FullKey(arch_, key).view()}, " has ", v->count(), " items for ", n_layers, " layers");
    return item(key, *v, static_cast<uint64_t>(layer));
}

double GgufKeys::real(std::string_view key, double fallback) const { return gguf_->get_double(FullKey(arch_, key).view(), fallback); }
double GgufKeys::need_real(std::string_view key) const { return gguf_->need_double(FullKey(arch_, key).view()); }
bool GgufKeys::flag(std::string_view key, bool fallback) const { return gguf_->get_bool(FullKey(arch_, key).view(), fallback); }
std::string_view GgufKeys::text(std::string_view key, std::string_view fallback) const {
    return gguf_->get_string(FullKey(arch_, key).view(), fallback);
}

}  // namespace inlay::model
