// SPDX-License-Identifier: Apache-2.0
// The steps of a normalizer, one after the other over two buffers.
#include "text/normalizer.h"

namespace inlay::text {
namespace {

using Kind = NormStep::Kind;

NormalForm form_of(Kind k) noexcept {
    return k == Kind::nfc ? NormalForm::nfc : k == Kind::nfd ? NormalForm::nfd : k == Kind::nfkc ? NormalForm::nfkc : NormalForm::nfkd;
}

bool is_ascii(std::string_view s) noexcept {
    for (char c : s)
        if (static_cast<unsigned char>(c) >= 0x80) return false;
    return true;
}

// Calls f(code point, its bytes, its offset) for each character.
template <class F>
void each(std::string_view in, F f) {
    const char *p = in.data(), *end = p + in.size();
    while (p != end) {
        Utf8Char c = utf8_at(p, end);
        f(c.cp, std::string_view(p, c.size), static_cast<uint32_t>(p - in.data()));
        p += c.size;
    }
}

void lower(std::string_view in, NormSink &out) {
    each(in, [&](char32_t cp, std::string_view bytes, uint32_t at) {
        char32_t l = lower_of(cp);
        if (cp == 0x130) {
            out.put("i\xCC\x87", at);
        } else if (l == cp) {
            out.put(bytes, at);
        } else {
            out.put(l, at);
        }
    });
}

void replace(const NormStep &step, std::string_view in, NormSink &out) {
    size_t pos = 0;
    while (true) {
        size_t hit = in.find(std::string_view(step.from), pos);
        if (hit == std::string_view::npos) break;
        out.copy(in.substr(pos, hit - pos), static_cast<uint32_t>(pos));
        out.put(step.to, static_cast<uint32_t>(hit));
        pos = hit + step.from.size();
    }
    out.copy(in.substr(pos), static_cast<uint32_t>(pos));
}

std::string_view strip(std::string_view in, bool left, bool right) noexcept {
    const char *p = in.data(), *end = p + in.size();
    auto space = [](Utf8Char c) { return (class_of(c.cp) & cls::space) != 0; };
    while (left && p != end) {
        Utf8Char c = utf8_at(p, end);
        if (!space(c)) break;
        p += c.size;
    }
    while (right && p != end) {
        const char *q = end - 1;
        while (q != p && (static_cast<unsigned char>(*q) & 0xC0) == 0x80 && end - q < 4) --q;
        Utf8Char c = utf8_at(q, end);
        if (q + c.size != end || !space(c)) break;
        end = q;
    }
    return {p, static_cast<size_t>(end - p)};
}

// The blank is `step.from`: " " before escaping, U+2581 after it.
void squeeze(const NormStep &step, std::string_view in, NormSink &out) {
    const std::string_view blank = step.from;
    size_t pos = 0;
    bool any = false;
    while (pos < in.size()) {
        if (in.substr(pos, blank.size()) == blank) {
            size_t from = pos;
            while (in.substr(pos, blank.size()) == blank) pos += blank.size();
            if (any && pos < in.size()) out.put(blank, static_cast<uint32_t>(from));
            continue;
        }
        size_t next = in.find(blank, pos);
        if (next == std::string_view::npos) next = in.size();
        out.copy(in.substr(pos, next - pos), static_cast<uint32_t>(pos));
        any = true;
        pos = next;
    }
}

void bert_clean(std::string_view in, NormSink &out) {
    each(in, [&](char32_t cp, std::string_view bytes, uint32_t at) {
        uint16_t k = class_of(cp);
        if (cp == kBadByte || (k & cls::bert_control)) return;  // first: U+0085 and the like are dropped, not blanks
        if (k & cls::space) return out.put(" ", at);
        out.put(bytes, at);
    });
}

void bert_cjk(std::string_view in, NormSink &out) {
    each(in, [&](char32_t cp, std::string_view bytes, uint32_t at) {
        if (!is_cjk(cp)) return out.put(bytes, at);
        out.put(" ", at);
        out.put(bytes, at);
        out.put(" ", at);
    });
}

void charsmap(const CharsMap &map, std::string_view in, const Vector<Matcher::Hit> &untouched, NormSink &out) {
    size_t pos = 0, hit = 0;
    while (pos < in.size()) {
        while (hit < untouched.size() && untouched[hit].begin < pos) ++hit;
        if (hit < untouched.size() && untouched[hit].begin == pos) {
            out.copy(in.substr(pos, untouched[hit].size), static_cast<uint32_t>(pos));
            pos += untouched[hit].size;
            continue;
        }
        if (CharsMap::Match m = map.longest(in.substr(pos)); m.size != 0) {
            out.put(m.replacement, static_cast<uint32_t>(pos));
            pos += m.size;
            continue;
        }
        Utf8Char c = utf8_at(in.data() + pos, in.data() + in.size());
        out.put(c.cp == kBadByte ? std::string_view("\xEF\xBF\xBD") : in.substr(pos, c.size), static_cast<uint32_t>(pos));
        pos += c.size;
    }
}

// A cluster (a character with its marks, CR LF) of up to 5 bytes is replaced as a whole by what the shortest sequence at
// its beginning stands for, quirks included; others go character by character.
void charsmap_clusters(const CharsMap &map, std::string_view in, NormSink &out) {
    const char *p = in.data(), *end = p + in.size();
    auto offset = [&](const char *q) { return static_cast<uint32_t>(q - in.data()); };
    // Controls, formats and separators end a cluster; the joiners do not.
    auto breaks = [](char32_t cp) {
        if (cp == 0x200C || cp == 0x200D) return false;
        return cp == 0x2028 || cp == 0x2029 || (class_of(cp) & (cls::bert_control | cls::newline)) != 0;
    };
    while (p != end) {
        Utf8Char c = utf8_at(p, end);
        const char *q = p + c.size;
        if (c.cp == '\r' && q != end && *q == '\n') ++q;
        else if (!breaks(c.cp))
            for (; q != end; q += c.size)
                if (c = utf8_at(q, end); !(class_of(c.cp) & cls::M) && c.cp != 0x200D) break;
        std::string_view cluster(p, static_cast<size_t>(q - p));
        if (cluster.size() < 6)
            if (CharsMap::Match m = map.shortest(cluster); m.size != 0) {
                out.put(m.replacement, offset(p));
                p = q;
                continue;
            }
        while (p != q) {
            c = utf8_at(p, end);
            CharsMap::Match m = map.shortest({p, c.size});
            if (m.size != 0) out.put(m.replacement, offset(p));
            else out.put(c.cp == kBadByte ? std::string_view("\xEF\xBF\xBD") : std::string_view(p, c.size), offset(p));
            p += c.size;
        }
    }
}

void replace_runs(const NormStep &step, std::string_view in, NormSink &out) {
    const std::string_view from = step.from;
    size_t pos = 0;
    while (pos < in.size()) {
        size_t hit = in.find(from, pos);
        if (hit == std::string_view::npos) break;
        size_t stop = hit;
        while (in.substr(stop, from.size()) == from) stop += from.size();
        out.copy(in.substr(pos, hit - pos), static_cast<uint32_t>(pos));
        if (stop - hit > from.size()) out.put(step.to, static_cast<uint32_t>(hit));
        else out.copy(in.substr(hit, stop - hit), static_cast<uint32_t>(hit));
        pos = stop;
    }
    out.copy(in.substr(pos), static_cast<uint32_t>(pos));
}

void nmt(std::string_view in, NormSink &out) {
    each(in, [&](char32_t cp, std::string_view bytes, uint32_t at) {
        bool drop = (cp >= 1 && cp <= 8) || cp == 0xB || (cp >= 0xE && cp <= 0x1F) || cp == 0x7F || cp == 0x8F || cp == 0x9F;
        if (drop) return;
        bool blank = cp == 9 || cp == 10 || cp == 12 || cp == 13 || cp == 0x1680 || (cp >= 0x200B && cp <= 0x200F) || cp == 0x2028 || cp == 0x2029 ||
                     cp == 0x2581 || cp == 0xFEFF || cp == 0xFFFD;
        out.put(blank ? std::string_view(" ") : bytes, at);
    });
}

}  // namespace

bool Normalizer::changes(const NormStep &step, std::string_view in, bool first) const noexcept {
    switch (step.kind) {
        case Kind::nfc: case Kind::nfd: case Kind::nfkc: case Kind::nfkd: return !is_inert(in, form_of(step.kind));
        case Kind::strip_accents: case Kind::bert_accents: return !is_ascii(in);
        case Kind::replace: case Kind::replace_runs: return in.find(std::string_view(step.from)) != std::string_view::npos;
        case Kind::prepend: return !in.empty();
        case Kind::prefix_blank:
            if (in.empty() || (step.only_first && !first)) return false;
            return !(in.starts_with(step.to) || (!step.from.empty() && in.starts_with(step.from)));
        case Kind::suffix_blank: return !in.empty();
        case Kind::strip_blank_end: return in.ends_with(step.from);
        case Kind::fix_utf8: {
            bool bad = false;
            each(in, [&](char32_t cp, std::string_view, uint32_t) { bad = bad || cp == kBadByte; });
            return bad;
        }
        default: return !in.empty();
    }
}

std::string_view Normalizer::apply(EncodeScratch &s, NormBuffers &b, std::string_view in, bool first, bool track) const {
    bool moved = false;  // the text lies in b.text (b.origin kept with it)
    std::string_view text = in;
    for (const NormStep &step : steps_) {
        if (!changes(step, text, first)) continue;
        b.text2.clear();
        b.origin2.clear();
        NormSink out(b.text2, track ? &b.origin2 : nullptr);
        switch (step.kind) {
            case Kind::nfc: case Kind::nfd: case Kind::nfkc: case Kind::nfkd: to_normal_form(s, text, form_of(step.kind), out); break;
            case Kind::lowercase: lower(text, out); break;
            case Kind::strip_accents: case Kind::bert_accents: {
                uint16_t drop = step.kind == Kind::bert_accents ? cls::bert_accent : cls::accent;
                each(text, [&](char32_t cp, std::string_view bytes, uint32_t at) {
                    if (!(class_of(cp) & drop)) out.put(bytes, at);
                });
                break;
            }
            case Kind::replace: replace(step, text, out); break;
            case Kind::prepend: case Kind::prefix_blank:
                out.put(step.to, 0);
                out.copy(text, 0);
                break;
            case Kind::suffix_blank:
                out.copy(text, 0);
                out.put(step.to, static_cast<uint32_t>(text.size()));
                break;
            case Kind::strip_left: case Kind::strip_right: {
                std::string_view rest = strip(text, step.kind == Kind::strip_left, step.kind == Kind::strip_right);
                out.copy(rest, static_cast<uint32_t>(rest.data() - text.data()));
                break;
            }
            case Kind::strip_blank_end: {
                std::string_view rest = text;
                while (rest.ends_with(step.from)) rest.remove_suffix(step.from.size());
                out.copy(rest, 0);
                break;
            }
            case Kind::squeeze_blanks: squeeze(step, text, out); break;
            case Kind::bert_clean: bert_clean(text, out); break;
            case Kind::bert_cjk: bert_cjk(text, out); break;
            case Kind::charsmap:
                s.hits.clear();
                if (untouched_) untouched_->find(text, s.hits);
                charsmap(*charsmap_, text, s.hits, out);
                break;
            case Kind::charsmap_clusters: charsmap_clusters(*charsmap_, text, out); break;
            case Kind::replace_runs: replace_runs(step, text, out); break;
            case Kind::nmt: nmt(text, out); break;
            case Kind::fix_utf8:
                each(text, [&](char32_t cp, std::string_view bytes, uint32_t at) { out.put(cp == kBadByte ? std::string_view("\xEF\xBF\xBD") : bytes, at); });
                break;
        }
        if (track) {
            b.origin2.push_back(static_cast<uint32_t>(text.size()));
            if (moved)
                for (uint32_t &o : b.origin2) o = b.origin[o];
            b.origin.swap(b.origin2);
        }
        b.text.swap(b.text2);
        text = b.text;
        moved = true;
    }
    return text;
}

}  // namespace inlay::text
