// SPDX-License-Identifier: Apache-2.0
// Writing tokenizer.json from its forerunners.
#include "text/tokenizer_parts.h"

#include <algorithm>

#include "text/messages.h"

namespace inlay::text {
namespace {

using io::Json;

// The class without "Fast" at its end; empty where the file names none.
std::string_view class_of(const Json *config) {
    std::string_view name = config ? io::get_string(*config, "tokenizer_class", "") : "";
    if (name.ends_with("Fast")) name.remove_suffix(4);
    return name;
}

// The text of a role (a string, or an object with `content`), or the fallback.
std::string_view role_of(const Json *config, std::string_view key, std::string_view fallback) {
    const Json *v = config ? config->get(key) : nullptr;
    if (!v) return fallback;
    return v->is_string() ? v->string() : v->is_object() ? io::get_string(*v, "content", "") : "";
}

void key(String &out, std::string_view name) {
    io::append_json_string(out, name);
    out += ':';
}

class AddedTokens {
public:
    AddedTokens(Memory &m, String &out) : out_(out), ids_(Alloc<int64_t>(m)) { out_ += "\"added_tokens\":["; }
    void add(int64_t id, std::string_view content, bool special, const Json *flags) {
        for (int64_t have : ids_)
            if (have == id) return;
        if (!ids_.empty()) out_ += ',';
        ids_.push_back(id);
        out_ += "{\"id\":";
        io::append_json_number(out_, static_cast<double>(id));
        out_ += ',';
        key(out_, "content");
        io::append_json_string(out_, content);
        out_ += special ? ",\"special\":true" : ",\"special\":false";
        for (const char *f : {"lstrip", "rstrip", "single_word", "normalized"}) {
            const bool fallback = std::string_view(f) == "normalized" && !special;
            out_ += ',';
            key(out_, f);
            out_ += (flags ? io::get_bool(*flags, f, fallback) : fallback) ? "true" : "false";
        }
        out_ += '}';
    }
    // added_tokens_decoder: {"100": {"content": ..., "special": ...}}
    void add_listed(const Json *config) {
        const Json *list = config ? config->get("added_tokens_decoder") : nullptr;
        if (!list) return;
        if (!list->is_object()) fail(Code::format, "tokenizer_config.json /added_tokens_decoder is not an object");
        // Each is compared with those before; published files list some hundred.
        if (list->members().size() > kMost) fail(Code::limit, "tokenizer_config.json lists ", list->members().size(), " added tokens, limit ", kMost);
        for (const io::JsonMember &x : list->members()) {
            uint64_t id = 0;
            bool number = !x.key.empty() && x.key.size() < 10;
            for (char c : x.key) number = number && c >= '0' && c <= '9', id = id * 10 + static_cast<uint64_t>(c - '0');
            if (!number || !x.value.is_object())
                fail(Code::format, "tokenizer_config.json /added_tokens_decoder/", quoted{x.key}, " is not an id with a token");
            add(static_cast<int64_t>(id), io::get_string(x.value, "content", ""), io::get_bool(x.value, "special", false), &x.value);
        }
    }
    void end() { out_ += "],"; }

private:
    static constexpr size_t kMost = 4096;
    String &out_;
    Vector<int64_t> ids_;
};

void bool_field(String &out, std::string_view name, const Json *config, std::string_view config_key, bool fallback) {
    key(out, name);
    out += (config ? io::get_bool(*config, config_key, fallback) : fallback) ? "true," : "false,";
}

// ["[SEP]",102]
void token_pair(String &out, std::string_view text, int64_t id) {
    out += '[';
    io::append_json_string(out, text);
    out += ',';
    io::append_json_number(out, static_cast<double>(id));
    out += ']';
}

// Calls line(text) for each line; blanks at its end are the vocabulary's own, a carriage return is not.
template <class Line>
void lines(std::string_view text, Line &&line) {
    for (size_t from = 0; from < text.size();) {
        size_t end = std::min(text.find('\n', from), text.size());
        std::string_view s = text.substr(from, end - from);
        if (s.ends_with('\r')) s.remove_suffix(1);
        line(s);
        from = end + 1;
    }
}

}  // namespace

String wordpiece_parts_json(Memory &m, std::string_view vocab_txt, const Json *config) {
    const std::string_view name = class_of(config);
    if (!name.empty() && name != "BertTokenizer" && name != "DistilBertTokenizer" && name != "ElectraTokenizer" && name != "MobileBertTokenizer")
        fail(Code::unsupported, "vocab.txt with tokenizer_class ", quoted{name}, ": only BertTokenizer and its kin are known");
    String out{Alloc<char>(m, MemTag::text)}, vocab{Alloc<char>(m, MemTag::text)};
    struct Role {
        std::string_view text;
        int64_t id = -1;
    } roles[] = {{role_of(config, "unk_token", "[UNK]")}, {role_of(config, "sep_token", "[SEP]")}, {role_of(config, "pad_token", "[PAD]")},
                 {role_of(config, "cls_token", "[CLS]")}, {role_of(config, "mask_token", "[MASK]")}};
    int64_t id = 0;
    lines(vocab_txt, [&](std::string_view s) {
        for (Role &r : roles)
            if (s == r.text) r.id = id;
        if (id) vocab += ',';
        key(vocab, s);
        io::append_json_number(vocab, static_cast<double>(id++));
    });
    if (id == 0) fail(Code::format, "vocab.txt is empty");
    for (const Role &r : {roles[0], roles[1], roles[3]})
        if (r.id < 0) fail(Code::format, "mismatch: vocab.txt has no token ", quoted{r.text});
    out += '{';
    AddedTokens added(m, out);
    for (const Role &r : roles)
        if (r.id >= 0) added.add(r.id, r.text, true, nullptr);
    added.add_listed(config);
    added.end();
    out += "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,";
    bool_field(out, "handle_chinese_chars", config, "tokenize_chinese_chars", true);
    bool_field(out, "lowercase", config, "do_lower_case", true);
    const Json *strip = config ? config->get("strip_accents") : nullptr;
    out += strip && strip->is_bool() ? strip->boolean() ? "\"strip_accents\":true}," : "\"strip_accents\":false}," : "\"strip_accents\":null},";
    out += "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":";
    token_pair(out, roles[1].text, roles[1].id);
    out += ",\"cls\":";
    token_pair(out, roles[3].text, roles[3].id);
    out += "},\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},\"model\":{\"type\":\"WordPiece\",\"unk_token\":";
    io::append_json_string(out, roles[0].text);
    out += ",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{";
    out += vocab;
    out += "}}}";
    return out;
}

String bpe_parts_json(Memory &m, const Json &vocab, std::string_view merges_txt, const Json *config) {
    std::string_view name = class_of(config);
    if (name.empty()) name = "GPT2Tokenizer";
    const bool qwen = name == "Qwen2Tokenizer", roberta = name == "RobertaTokenizer";
    if (!qwen && !roberta && name != "GPT2Tokenizer")
        fail(Code::unsupported, "vocab.json with merges.txt and tokenizer_class ", quoted{name}, ": only GPT2, Roberta and Qwen2 are known");
    if (!vocab.is_object()) fail(Code::format, "vocab.json is not an object");
    String out{Alloc<char>(m, MemTag::text)};
    out += '{';
    const std::string_view end = "<|endoftext|>";
    const std::string_view bos = role_of(config, "bos_token", roberta ? "<s>" : qwen ? "" : end), eos = role_of(config, "eos_token", roberta ? "</s>" : end);
    const std::string_view roles[] = {bos,
                                      eos,
                                      role_of(config, "unk_token", roberta ? "<unk>" : end),
                                      role_of(config, "pad_token", roberta ? "<pad>" : qwen ? end : ""),
                                      role_of(config, "mask_token", roberta ? "<mask>" : ""),
                                      role_of(config, "cls_token", roberta ? "<s>" : ""),
                                      role_of(config, "sep_token", roberta ? "</s>" : "")};
    AddedTokens added(m, out);
    added.add_listed(config);
    auto id_of = [&](std::string_view text) {
        const Json *v = text.empty() ? nullptr : vocab.find(text);
        return v && v->is_number() ? v->integer().value_or(-1) : -1;
    };
    for (std::string_view r : roles)
        if (id_of(r) >= 0) added.add(id_of(r), r, true, nullptr);
    added.end();
    const bool prefix = config && io::get_bool(*config, "add_prefix_space", false);
    out += qwen ? R"("normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)"
                  R"("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},)"
                  R"("behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}]},)"
         : prefix ? R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},)"
                  : R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},)";
    if (roberta) {
        if (id_of(bos) < 0 || id_of(eos) < 0) fail(Code::format, "mismatch: vocab.json has no token ", quoted{id_of(bos) < 0 ? bos : eos});
        out += "\"post_processor\":{\"type\":\"RobertaProcessing\",\"trim_offsets\":true,\"add_prefix_space\":false,\"sep\":";
        token_pair(out, eos, id_of(eos));
        out += ",\"cls\":";
        token_pair(out, bos, id_of(bos));
        out += "},";
    }
    out += R"("decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},"model":{"type":"BPE","vocab":)";
    out += write_json(m, vocab);
    out += ",\"merges\":[";
    bool first = true, head = true;
    lines(merges_txt, [&](std::string_view s) {
        const bool comment = head && s.starts_with("#version");
        head = false;
        if (comment || s.empty()) return;
        if (!first) out += ',';
        first = false;
        io::append_json_string(out, s);
    });
    out += "]}}";
    return out;
}

}  // namespace inlay::text
