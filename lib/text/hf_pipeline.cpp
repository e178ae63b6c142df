// SPDX-License-Identifier: Apache-2.0
// Normalizers, pre-tokenizers, post-processors and decoders of tokenizer.json. Sequences are walked with a stack of
// iterators, not by recursion. A Split pattern must be one whose scanner we have.
#include "text/hf_pipeline.h"

#include "text/blank.h"

namespace inlay::text {
namespace {

using io::Json;
using Kind = NormStep::Kind;

// Calls f(part) for each leaf of nested {"type":"Sequence", key:[…]}, in order.
template <class F>
void each_part(Memory &m, const Json *root, std::string_view key, const F &f) {
    if (!root || root->is_null()) return;
    struct Level {
        std::span<const Json> items;
        size_t at;
    };
    Vector<Level> stack{Alloc<Level>(m)};
    stack.push_back({{root, 1}, 0});
    while (!stack.empty()) {
        Level &top = stack.back();
        if (top.at == top.items.size()) {
            stack.pop_back();
            continue;
        }
        const Json &part = top.items[top.at++];
        if (!part.is_object()) fail(Code::format, "tokenizer.json: a step of /", key, " is not an object");
        if (get_string(part, "type", "") != "Sequence") {
            f(part);
            continue;
        }
        const Json *items = part.get(key);
        if (!items && key == "pretokenizers") items = part.get("pre_tokenizers");
        if (!items || !items->is_array()) fail(Code::format, "tokenizer.json: a Sequence without an array '", key, "'");
        stack.push_back({items->items(), 0});
    }
}

String decode_base64(Memory &m, std::string_view in) {
    String out{Alloc<char>(m)};
    out.reserve(in.size() / 4 * 3);
    uint32_t word = 0, bits = 0;
    for (char c : in) {
        int v = c >= 'A' && c <= 'Z'   ? c - 'A'
                : c >= 'a' && c <= 'z' ? c - 'a' + 26
                : c >= '0' && c <= '9' ? c - '0' + 52
                : c == '+'             ? 62
                : c == '/'             ? 63
                                       : -1;
        if (c == '=') break;
        if (v < 0) fail(Code::format, "tokenizer.json: precompiled_charsmap is not base64");
        word = word << 6 | static_cast<uint32_t>(v);
        if ((bits += 6) >= 8) out.push_back(static_cast<char>(word >> (bits -= 8)));
    }
    return out;
}

}  // namespace

void hf_refuse(std::string_view pointer, std::string_view what, std::string_view value) {
    fail(Code::unsupported, "tokenizer.json ", pointer, ": ", what, " ", quoted{value}, " is not supported");
}

void hf_normalizer(TokenizerBuilder &b, const Json *root) {
    Normalizer &n = b.normalizer();
    each_part(b.memory(), root, "normalizers", [&](const Json &j) {
        std::string_view type = get_string(j, "type", "");
        if (type == "NFC")
            n.add(Kind::nfc);
        else if (type == "NFD")
            n.add(Kind::nfd);
        else if (type == "NFKC")
            n.add(Kind::nfkc);
        else if (type == "NFKD")
            n.add(Kind::nfkd);
        else if (type == "Lowercase")
            n.add(Kind::lowercase);
        else if (type == "StripAccents")
            n.add(Kind::strip_accents);
        else if (type == "Nmt")
            n.add(Kind::nmt);
        else if (type == "Prepend")
            n.add(Kind::prepend, "", get_string(j, "prepend", ""));
        else if (type == "Strip") {
            if (get_bool(j, "strip_left", true)) n.add(Kind::strip_left);
            if (get_bool(j, "strip_right", true)) n.add(Kind::strip_right);
        } else if (type == "Replace") {
            const Json &pattern = need(j, "pattern");
            std::string_view to = get_string(j, "content", "");
            if (const Json *s = pattern.find("String"); s && s->is_string()) {
                if (s->string().empty()) fail(Code::format, "tokenizer.json /normalizer: Replace with an empty pattern");
                n.add(Kind::replace, s->string(), to);
            } else if (const Json *r = pattern.find("Regex"); r && r->is_string()) {
                if (r->string() == " {2,}")
                    n.add(Kind::replace_runs, " ", to);
                else if (r->string() == "``" || r->string() == "''")
                    n.add(Kind::replace, r->string(), to);
                else
                    hf_refuse("/normalizer", "Replace with the regular expression", r->string());
            } else {
                fail(Code::format, "tokenizer.json /normalizer: Replace without a pattern");
            }
        } else if (type == "BertNormalizer") {
            bool lowercase = get_bool(j, "lowercase", true);
            b.add_bert_normalizer(get_bool(j, "clean_text", true), get_bool(j, "handle_chinese_chars", true),
                                  get_bool(j, "strip_accents", lowercase), lowercase);
        } else if (type == "Precompiled") {
            const Json *map = j.get("precompiled_charsmap");
            if (!map || !map->is_string()) fail(Code::format, "tokenizer.json /normalizer: Precompiled without a map");
            if (map->string().empty()) return;
            String blob = decode_base64(b.memory(), map->string());
            n.set_charsmap(make_owned<CharsMap>(b.memory(), b.memory(), blob));
            n.add(Kind::charsmap_clusters);
        } else {
            hf_refuse("/normalizer/type", "normalizer", type);
        }
    });
}

namespace {

// Patterns of Split by their exact text. Variants of one scanner stand together.
struct KnownPattern {
    std::string_view regex;
    Scan scan;
};
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LEAD "[^\\r\\n\\p{L}\\p{N}]?"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
constexpr KnownPattern kPatterns[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", scan::gpt2},
    {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", scan::gpt2},
    {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s", scan::gpt2},
    {CONTRACTIONS "|" LEAD "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES, scan::llama3},
    {"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|" LEAD "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES,
     scan::llama3_ascii},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
     scan::llama3},
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
     scan::llama3},
    {CONTRACTIONS "|" LEAD "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES, scan::qwen2},
    {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
     scan::qwen2},
    {CONTRACTIONS "|" LEAD "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES, scan::qwen35},
    {CONTRACTIONS "|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+", scan::seed_coder},
    {LEAD UPPER "*" LOWER "+" CONTRACTIONS "?|" LEAD UPPER "+" LOWER "*" CONTRACTIONS
                "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES,
     scan::gpt4o},
    {LEAD UPPER "*" LOWER "+|" LEAD UPPER "+" LOWER "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES, scan::tekken},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
     "?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
     scan::deepseek3},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
     "?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     scan::deepseek3},
    {" ?[^(\\s|.,!?…。，、।۔،)]+", scan::bloom},
    {" ?[^(\\s|[.,!?…。，、।۔،])]+", scan::bloom},
    {"\\p{N}", scan::digit},
    {"\\p{N}{1,3}", scan::digit_triples},
    {"\\p{N}+", scan::digit_runs},
    {"[0-9][0-9][0-9]", scan::ascii_triples},
    {"[\r\n]", scan::newline},
    {"[\\r\\n]", scan::newline},
    {"[^\\n]+|[\\n]+", scan::lines},
    {"[^\n]+|[\n]+", scan::lines},
    {"\\s?\\p{L}+", scan::space_letters},
    {"\\s?\\p{P}+", scan::space_punctuation},
    {"\\s+$", scan::trailing_space},
    {"[一-龥ࠀ-一가-퟿]+", scan::cjk_deepseek},
    {"[一-龥぀-ゟ゠-ヿ]+", scan::cjk_deepseek3},
    {"\\s?[!-/:-~！-／：-～‘-‟　-。]+", scan::wide_punctuation},
};
// deepseek-llm's list of letters is long; its beginning is its own.
constexpr std::string_view kLatinBegins = "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿ";

void add_step(TokenizerBuilder &b, Scan s) {
    if (!b.cut().add(s)) fail(Code::unsupported, "tokenizer.json /pre_tokenizer: more than ", PreTokenizer::max_steps, " steps");
}

void add_split(TokenizerBuilder &b, const Json &j, bool mapped) {
    const Json &pattern = need(j, "pattern");
    std::string_view behavior = get_string(j, "behavior", "");
    bool invert = get_bool(j, "invert", false);
    if (const Json *s = pattern.find("String"); s && s->is_string()) {
        // Gemma splits at blanks that its normaliser has just replaced; a real blank keeps its meaning.
        if (s->string() != " " || invert || mapped) hf_refuse("/pre_tokenizer/pattern/String", "Split at", s->string());
        if (behavior == "MergedWithPrevious") return add_step(b, scan::after_blank);
        if (behavior == "MergedWithNext") return add_step(b, scan::before_blank);
        if (behavior == "Isolated") return add_step(b, scan::single_blank);
        hf_refuse("/pre_tokenizer/behavior", "Split behavior", behavior);
    }
    const Json *r = pattern.find("Regex");
    if (!r || !r->is_string()) fail(Code::format, "tokenizer.json /pre_tokenizer: Split without a pattern");
    std::string_view regex = r->string();
    if (regex.size() > b.limits().regex_bytes)
        fail(Code::limit, "tokenizer.json /pre_tokenizer/pattern/Regex has ", regex.size(), " bytes, limit ", b.limits().regex_bytes);
    Scan found = nullptr;
    for (const KnownPattern &k : kPatterns)
        if (k.regex == regex) found = k.scan;
    if (!found && regex.starts_with(kLatinBegins) && regex.ends_with("]+")) found = scan::latin;
    if (!found) hf_refuse("/pre_tokenizer/pattern/Regex", "Split pattern", regex);
    if (mapped && found != scan::ascii_triples) hf_refuse("/pre_tokenizer/pattern/Regex", "behind ByteLevel, Split pattern", regex);
    // Isolated keeps matches and gaps. "Removed" and inverted keeps the matches alone, which is the same for the patterns
    // that leave no gaps.
    bool total = found == scan::gpt2 || found == scan::llama3 || found == scan::llama3_ascii || found == scan::qwen2 ||
                 found == scan::qwen35 || found == scan::gpt4o || found == scan::tekken || found == scan::seed_coder ||
                 found == scan::lines;
    if (behavior != "Isolated" && !(behavior == "Removed" && invert && total))
        hf_refuse("/pre_tokenizer/behavior", "Split behavior", behavior);
    add_step(b, found);
}

// prepend_scheme, or the older add_prefix_space.
std::string_view prepend_scheme(const Json &j) {
    return get_string(j, "prepend_scheme", get_bool(j, "add_prefix_space", true) ? "always" : "never");
}

}  // namespace

void hf_pre_tokenizer(TokenizerBuilder &b, const Json *root, HfPipeline &p) {
    Normalizer &n = b.stretch_normalizer();
    each_part(b.memory(), root, "pretokenizers", [&](const Json &j) {
        std::string_view type = get_string(j, "type", "");
        bool first = b.cut().n == 0 && n.empty();
        if (type == "ByteLevel") {
            if (p.byte_level) hf_refuse("/pre_tokenizer", "a second", type);
            if (get_bool(j, "add_prefix_space", true)) {
                if (!first) hf_refuse("/pre_tokenizer/add_prefix_space", "behind other steps,", type);
                n.add(Kind::prefix_blank, "", " ");
            }
            if (get_bool(j, "use_regex", true)) add_step(b, scan::gpt2);
            p.byte_level = true;
        } else if (type == "Metaspace") {
            if (!first) hf_refuse("/pre_tokenizer", "behind other steps,", type);
            std::string_view blank = get_string(j, "replacement", kBlank), scheme = prepend_scheme(j);
            if (blank != kBlank) hf_refuse("/pre_tokenizer/replacement", "Metaspace replacement", blank);
            n.add(Kind::replace, " ", kBlank);
            if (scheme == "always" || scheme == "first")
                n.add(Kind::prefix_blank, "", kBlank).only_first = scheme == "first";
            else if (scheme != "never")
                hf_refuse("/pre_tokenizer/prepend_scheme", "prepend scheme", scheme);
            if (get_bool(j, "split", true)) add_step(b, scan::metaspace);
        } else if (type == "Split") {
            add_split(b, j, p.byte_level);
        } else if (type == "Digits") {
            bool single = get_bool(j, "individual_digits", false);
            if (p.byte_level)
                add_step(b, single ? scan::mapped_digit : scan::mapped_digit_runs);
            else
                add_step(b, single ? scan::digit : scan::digit_runs);
        } else if (p.byte_level) {
            hf_refuse("/pre_tokenizer", "behind ByteLevel,", type);
        } else if (type == "Punctuation") {
            std::string_view behavior = get_string(j, "behavior", "Isolated");
            if (behavior == "Isolated")
                add_step(b, scan::punctuation);
            else if (behavior == "Contiguous")
                add_step(b, scan::punctuation_runs);
            else
                hf_refuse("/pre_tokenizer/behavior", "Punctuation behavior", behavior);
        } else if (type == "WhitespaceSplit") {
            add_step(b, scan::white_space);
            b.cut().drop_space = true;
        } else if (type == "Whitespace") {
            add_step(b, scan::words);
            b.cut().drop_space = true;
        } else if (type == "BertPreTokenizer") {
            add_step(b, scan::bert);
            b.cut().drop_space = true;
        } else {
            hf_refuse("/pre_tokenizer/type", "pre-tokenizer", type);
        }
    });
}

void hf_post_processor(TokenizerBuilder &b, const Json *root) {
    bool any = false;
    auto token = [&](const Json &pair) {
        // ["[CLS]", 101]
        if (!pair.is_array() || pair.items().size() != 2 || !pair.items()[1].is_integer())
            fail(Code::format, "tokenizer.json /post_processor: not [text, id]");
        int64_t id = pair.items()[1].integer().value_or(-1);
        if (id < 0 || id >= b.vocab().size())
            fail(Code::format, "mismatch: tokenizer.json /post_processor: id ", id, " is outside of the vocabulary");
        return static_cast<int32_t>(id);
    };
    each_part(b.memory(), root, "processors", [&](const Json &j) {
        std::string_view type = get_string(j, "type", "");
        if (type == "ByteLevel") return;  // trims offsets only
        if (any) hf_refuse("/post_processor", "a second", type);
        any = true;
        if (type == "BertProcessing" || type == "RobertaProcessing") {
            b.add_front(token(need(j, "cls")));
            b.add_back(token(need(j, "sep")));
        } else if (type == "TemplateProcessing") {
            const Json &single = need(j, "single");
            const Json *specials = j.get("special_tokens");
            bool behind = false;
            if (!single.is_array()) fail(Code::format, "tokenizer.json /post_processor/single is not an array");
            for (const Json &item : single.items()) {
                if (item.find("Sequence")) {
                    if (behind) hf_refuse("/post_processor/single", "the sequence twice in", type);
                    behind = true;
                    continue;
                }
                const Json *special = item.find("SpecialToken");
                if (!special) fail(Code::format, "tokenizer.json /post_processor/single: neither Sequence nor SpecialToken");
                std::string_view name = get_string(*special, "id", "");
                const Json *entry = specials ? specials->get(name) : nullptr;
                const Json *ids = entry ? entry->get("ids") : nullptr;
                if (!ids || !ids->is_array())
                    fail(Code::format, "tokenizer.json /post_processor/special_tokens has no ids for ", quoted{name});
                for (const Json &id : ids->items()) {
                    int64_t v = id.integer().value_or(-1);
                    if (v < 0 || v >= b.vocab().size())
                        fail(Code::format, "mismatch: tokenizer.json /post_processor: id ", v, " is outside of the vocabulary");
                    if (behind)
                        b.add_back(static_cast<int32_t>(v));
                    else
                        b.add_front(static_cast<int32_t>(v));
                }
            }
        } else {
            hf_refuse("/post_processor/type", "post-processor", type);
        }
    });
}

void hf_decoder(TokenizerBuilder &b, const Json *root, const HfPipeline &p) {
    DecodeKind kind = p.byte_level ? DecodeKind::bytes : DecodeKind::plain;
    bool strip = false, cleanup = false;
    std::string_view continuing;
    each_part(b.memory(), root, "decoders", [&](const Json &j) {
        std::string_view type = get_string(j, "type", "");
        if (type == "ByteLevel") {
            kind = DecodeKind::bytes;
        } else if (type == "WordPiece") {
            kind = DecodeKind::wordpiece;
            continuing = get_string(j, "prefix", "##");
            cleanup = get_bool(j, "cleanup", true);
        } else if (type == "Metaspace") {
            kind = DecodeKind::blanks;
            strip = prepend_scheme(j) != "never";
        } else if (type == "Replace") {
            const Json *from = need(j, "pattern").find("String");
            if (!from || !from->is_string() || from->string() != kBlank || get_string(j, "content", "") != " ")
                hf_refuse("/decoder", "decoder", type);
            kind = DecodeKind::blanks;
        } else if (type == "Strip") {
            strip = get_string(j, "content", "") == " " && get_int(j, "start", 0) > 0;
        } else if (type != "ByteFallback" && type != "Fuse") {
            hf_refuse("/decoder/type", "decoder", type);
        }
    });
    b.set_decode(kind, strip, continuing, cleanup);
}

}  // namespace inlay::text
