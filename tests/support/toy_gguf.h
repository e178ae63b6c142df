// SPDX-License-Identifier: Apache-2.0
// Writes small GGUF and safetensors files field by field and remembers where each field lies, so that a test can break
// exactly one of them by name: file.set("tensor:output.weight.offset", 7). Deterministic; no real model needed.
//
// Field names: magic version n_tensors n_kv · kv:KEY.key.len .key .type .value, of strings .value.len .value, of arrays
// .array.type .array.len .items .item[i].len · tensor:NAME.name.len .name .n_dims .dim[i] .type .offset · data:NAME
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/half.h"

namespace inlay_test {

struct ToyFile {
    struct Field {
        size_t offset, bytes;
    };
    std::string bytes;
    std::map<std::string, Field> fields;
    size_t data_offset = 0;

    const Field &field(const std::string &name) const {
        auto it = fields.find(name);
        if (it == fields.end()) throw std::out_of_range("no field " + name);
        return it->second;
    }
    // Overwrites the field's low bytes; the file keeps its length.
    ToyFile &set(const std::string &name, uint64_t value) {
        const Field &f = field(name);
        for (size_t i = 0; i < f.bytes; ++i) bytes[f.offset + i] = i < 8 ? static_cast<char>(value >> (8 * i)) : '\0';
        return *this;
    }
    std::span<const std::byte> span() const { return {reinterpret_cast<const std::byte *>(bytes.data()), bytes.size()}; }
};

class ToyGguf {
public:
    uint32_t version = 3;
    uint64_t alignment = 32;                  // how data is laid out; a key "general.alignment" is the caller's to add
    int64_t extra_tensors = 0, extra_kv = 0;  // added to the declared counts

    template <class T>
    ToyGguf &kv(const std::string &key, T value) {
        Entry e{key, type_of<T>(), 0, false, {}, {}};
        append(e.raw, value);
        entries_.push_back(e);
        return *this;
    }
    ToyGguf &kv(const std::string &key, const std::string &value) {
        entries_.push_back({key, 8, 0, false, {}, {value}});
        return *this;
    }
    ToyGguf &kv(const std::string &key, const char *value) { return kv(key, std::string(value)); }
    template <class T>
    ToyGguf &array(const std::string &key, const std::vector<T> &values) {
        Entry e{key, 9, type_of<T>(), true, {}, {}};
        e.count = values.size();
        for (T v : values) append(e.raw, v);
        entries_.push_back(e);
        return *this;
    }
    ToyGguf &array(const std::string &key, const std::vector<std::string> &values) {
        Entry e{key, 9, 8, true, {}, values};
        e.count = values.size();
        entries_.push_back(e);
        return *this;
    }
    // A value of any type id with any bytes.
    ToyGguf &kv_raw(const std::string &key, uint32_t type, const std::string &raw) {
        entries_.push_back({key, type, 0, false, raw, {}});
        return *this;
    }
    // dims in ne order. Without `data`: seeded values whose scales are finite and small.
    ToyGguf &tensor(const std::string &name, inlay::DType type, std::vector<uint64_t> dims, std::string data = {}) {
        if (data.empty()) data = fill(type, dims, name);
        tensors_.push_back({name, static_cast<int32_t>(type), std::move(dims), std::move(data)});
        return *this;
    }
    // The last tensor goes where `earlier` of them would, for permuted directories.
    void swap_last_two() { std::swap(tensors_.at(tensors_.size() - 1), tensors_.at(tensors_.size() - 2)); }

    ToyFile build() const {
        ToyFile f;
        auto put = [&](const std::string &name, auto v) { field(f, name, bytes_of(v)); };
        field(f, "magic", "GGUF");
        put("version", version);
        put("n_tensors", static_cast<uint64_t>(static_cast<int64_t>(tensors_.size()) + extra_tensors));
        put("n_kv", static_cast<uint64_t>(static_cast<int64_t>(entries_.size()) + extra_kv));
        for (const Entry &e : entries_) {
            std::string at = "kv:" + e.key;
            put(at + ".key.len", static_cast<uint64_t>(e.key.size()));
            field(f, at + ".key", e.key);
            put(at + ".type", e.type);
            if (e.is_array) {
                put(at + ".array.type", e.item_type);
                put(at + ".array.len", static_cast<uint64_t>(e.count));
                if (e.item_type == 8)
                    for (size_t i = 0; i < e.texts.size(); ++i) {
                        put(at + ".item[" + std::to_string(i) + "].len", static_cast<uint64_t>(e.texts[i].size()));
                        f.bytes += e.texts[i];
                    }
                else
                    field(f, at + ".items", e.raw);
            } else if (e.type == 8) {
                put(at + ".value.len", static_cast<uint64_t>(e.texts[0].size()));
                field(f, at + ".value", e.texts[0]);
            } else {
                field(f, at + ".value", e.raw);
            }
        }
        uint64_t offset = 0;
        for (const Tensor &t : tensors_) {
            std::string at = "tensor:" + t.name;
            put(at + ".name.len", static_cast<uint64_t>(t.name.size()));
            field(f, at + ".name", t.name);
            put(at + ".n_dims", static_cast<uint32_t>(t.dims.size()));
            for (size_t i = 0; i < t.dims.size(); ++i) put(at + ".dim[" + std::to_string(i) + "]", t.dims[i]);
            put(at + ".type", t.type);
            put(at + ".offset", offset);
            offset = up(offset + t.data.size());
        }
        if (!tensors_.empty()) f.bytes.resize(up(f.bytes.size()), '\0');
        f.data_offset = f.bytes.size();
        for (const Tensor &t : tensors_) {
            field(f, "data:" + t.name, t.data);
            if (&t != &tensors_.back()) f.bytes.resize(f.data_offset + up(f.bytes.size() - f.data_offset), '\0');
        }
        return f;
    }

    // Finite contents of a type: small random numbers, every f16 scale a small one.
    static std::string fill(inlay::DType type, const std::vector<uint64_t> &dims, const std::string &seed_text) {
        const inlay::DTypeInfo *info = inlay::dtype_info(type);
        uint64_t n = 1;
        for (uint64_t d : dims) n *= d;
        uint64_t seed = 0x9e3779b97f4a7c15u;
        for (char c : seed_text) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
        auto next = [&] {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            return seed;
        };
        auto small = [&] { return (static_cast<float>(next() % 2001) - 1000.0f) * 1e-4f; };
        std::string out;
        if (type == inlay::DType::f32) {
            for (uint64_t i = 0; i < n; ++i) append(out, small());
            return out;
        }
        if (type == inlay::DType::f16 || type == inlay::DType::bf16) {
            for (uint64_t i = 0; i < n; ++i) {
                float v = small();
                uint32_t bits;
                std::memcpy(&bits, &v, 4);
                append(out, type == inlay::DType::f16 ? inlay::f16_from_f32(v) : static_cast<uint16_t>(bits >> 16));
            }
            return out;
        }
        for (uint64_t b = 0; b < n / static_cast<uint64_t>(info->block); ++b) {
            std::string block;
            for (int i = 0; i < info->block_bytes; ++i) block += static_cast<char>(next() >> 24);
            for (int at : scale_offsets(type)) {
                uint16_t h = inlay::f16_from_f32(small());
                std::memcpy(block.data() + at, &h, 2);
            }
            if (type == inlay::DType::mxfp4) block[0] = 120;
            if (type == inlay::DType::iq1_m) block[55] = static_cast<char>((block[55] & 0x0f) | 0x20);  // top bits of its spread scale
            if (type == inlay::DType::f64) std::memset(block.data(), 0, 8);
            out += block;
        }
        return out;
    }
    // Where the f16 scales of a block lie (the test's own copy of the format).
    static std::vector<int> scale_offsets(inlay::DType t) {
        using D = inlay::DType;
        switch (t) {
            case D::q4_1:
            case D::q5_1:
            case D::q4_k:
            case D::q5_k:
                return {0, 2};
            case D::q2_k:
                return {80, 82};
            case D::q3_k:
                return {108};
            case D::q6_k:
                return {208};
            case D::tq1_0:
                return {52};
            case D::tq2_0:
                return {64};
            case D::q4_0:
            case D::q5_0:
            case D::q8_0:
            case D::iq2_xxs:
            case D::iq2_xs:
            case D::iq3_xxs:
            case D::iq1_s:
            case D::iq4_nl:
            case D::iq3_s:
            case D::iq2_s:
            case D::iq4_xs:
                return {0};
            default:
                return {};
        }
    }

private:
    struct Entry {
        std::string key;
        uint32_t type, item_type;
        bool is_array;
        std::string raw;
        std::vector<std::string> texts;
        size_t count = 0;
    };
    struct Tensor {
        std::string name;
        int32_t type;
        std::vector<uint64_t> dims;
        std::string data;
    };
    template <class T>
    static uint32_t type_of() {
        if (std::is_same_v<T, bool>) return 7;
        if (std::is_same_v<T, float>) return 6;
        if (std::is_same_v<T, double>) return 12;
        if (std::is_same_v<T, uint8_t>) return 0;
        if (std::is_same_v<T, int8_t>) return 1;
        if (std::is_same_v<T, uint16_t>) return 2;
        if (std::is_same_v<T, int16_t>) return 3;
        if (std::is_same_v<T, uint32_t>) return 4;
        if (std::is_same_v<T, int32_t>) return 5;
        if (std::is_same_v<T, uint64_t>) return 10;
        return 11;
    }
    template <class T>
    static void append(std::string &out, T v) {
        out.append(reinterpret_cast<const char *>(&v), sizeof v);
    }
    template <class T>
    static std::string bytes_of(T v) {
        return std::string(reinterpret_cast<const char *>(&v), sizeof v);
    }
    static void field(ToyFile &f, const std::string &name, const std::string &bytes) {
        f.fields[name] = {f.bytes.size(), bytes.size()};
        f.bytes += bytes;
    }
    uint64_t up(uint64_t n) const { return (n + alignment - 1) / alignment * alignment; }

    std::vector<Entry> entries_;
    std::vector<Tensor> tensors_;
};

// base.gguf of the catalogue: a llama of 2 layers, 64 wide, 4 heads (2 for keys and values), 512 tokens.
// `control`: control tokens in the place of the last ones.
inline ToyGguf toy_base(inlay::DType weights = inlay::DType::f32, const std::vector<std::string> &control = {}) {
    ToyGguf g;
    g.kv("general.architecture", "llama")
        .kv("general.name", "toy")
        .kv("llama.block_count", uint32_t{2})
        .kv("llama.context_length", uint32_t{128});
    g.kv("llama.embedding_length", uint32_t{64})
        .kv("llama.feed_forward_length", uint32_t{128})
        .kv("llama.attention.head_count", uint32_t{4});
    g.kv("llama.attention.head_count_kv", uint32_t{2})
        .kv("llama.attention.layer_norm_rms_epsilon", 1e-5f)
        .kv("llama.rope.freq_base", 10000.0f);
    g.kv("llama.vocab_size", uint32_t{512}).kv("tokenizer.ggml.model", "llama").kv("tokenizer.ggml.add_bos_token", true);
    // <unk> <s> </s>, 256 byte tokens, then pieces of letters.
    std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
    std::vector<float> scores = {0, 0, 0};
    std::vector<int32_t> types = {2, 3, 3};
    static const char hex[] = "0123456789ABCDEF";
    for (int b = 0; b < 256; ++b)
        tokens.push_back(std::string("<0x") + hex[b >> 4] + hex[b & 15] + ">"), scores.push_back(0), types.push_back(6);
    for (int i = 0; tokens.size() < 512; ++i) {
        std::string s = i < 26 ? std::string(1, static_cast<char>('a' + i))
                               : std::string("\xE2\x96\x81") + static_cast<char>('a' + i % 26) + (i < 52 ? "" : std::to_string(i));
        tokens.push_back(s), scores.push_back(-static_cast<float>(i)), types.push_back(1);
    }
    for (size_t i = 0; i < control.size(); ++i) tokens[511 - i] = control[i], types[511 - i] = 3;
    g.array("tokenizer.ggml.tokens", tokens).array("tokenizer.ggml.scores", scores).array("tokenizer.ggml.token_type", types);
    g.kv("tokenizer.ggml.bos_token_id", uint32_t{1})
        .kv("tokenizer.ggml.eos_token_id", uint32_t{2})
        .kv("tokenizer.ggml.unknown_token_id", uint32_t{0});
    using D = inlay::DType;
    g.tensor("token_embd.weight", weights, {64, 512});
    for (int i = 0; i < 2; ++i) {
        std::string p = "blk." + std::to_string(i) + ".";
        g.tensor(p + "attn_norm.weight", D::f32, {64})
            .tensor(p + "attn_q.weight", weights, {64, 64})
            .tensor(p + "attn_k.weight", weights, {64, 32});
        g.tensor(p + "attn_v.weight", weights, {64, 32})
            .tensor(p + "attn_output.weight", weights, {64, 64})
            .tensor(p + "ffn_norm.weight", D::f32, {64});
        g.tensor(p + "ffn_gate.weight", weights, {64, 128})
            .tensor(p + "ffn_up.weight", weights, {64, 128})
            .tensor(p + "ffn_down.weight", weights, {128, 64});
    }
    g.tensor("output_norm.weight", D::f32, {64}).tensor("output.weight", weights, {64, 512});
    return g;
}

// A safetensors file from a header text and data.
inline std::string toy_safetensors(const std::string &header, const std::string &data, uint64_t declared) {
    std::string out(reinterpret_cast<const char *>(&declared), 8);
    return out + header + data;
}
inline std::string toy_safetensors(const std::string &header, const std::string &data) {
    return toy_safetensors(header, data, header.size());
}

}  // namespace inlay_test
