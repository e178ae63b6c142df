// SPDX-License-Identifier: Apache-2.0
// The GBNF reader: one pass, open groups on a heap stack, every error with the place that is to blame (what opened an
// unterminated thing, the first byte of what is not understood).
#include "text/grammar/gbnf.h"

#include "text/grammar/source.h"

namespace inlay::text::grammar {
namespace {

bool is_name(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

class Reader {
public:
    Reader(Memory &m, std::string_view s, const Limits &l)
        : memory_(m), s_(s), limits_(l), ast_(m), names_(m), groups_(m), items_(m), defined_(m) {}

    Ast read() {
        check_utf8();
        space(true);
        while (at_ < s_.size()) rule();
        finish();
        return std::move(ast_);
    }

private:
    struct Group {
        size_t open;        // offset of '('
        size_t first_item;  // of items_: the finished alternatives, then the current sequence
        size_t sequence;    // of items_: where the current sequence begins
    };

    template <class... Parts>
    [[noreturn]] void bad(size_t at, const Parts &...parts) const {
        fail_at(Code::format, place_of(s_, at), "grammar: ", parts...);
    }
    template <class... Parts>
    [[noreturn]] void over(size_t at, const Parts &...parts) const {
        fail_at(Code::limit, place_of(s_, at), "grammar: ", parts...);
    }

    void check_utf8() const {
        for (size_t i = 0; i < s_.size();) {
            uint32_t c;
            int n = decode_utf8(s_, i, c);
            if (n == 0) bad(i, "the text is not UTF-8 at byte ", i);
            i += static_cast<size_t>(n);
        }
    }

    char peek(size_t ahead = 0) const noexcept { return at_ + ahead < s_.size() ? s_[at_ + ahead] : '\0'; }
    bool more() const noexcept { return at_ < s_.size(); }

    void space(bool newlines) {
        while (more()) {
            char c = s_[at_];
            if (c == ' ' || c == '\t')
                ++at_;
            else if (c == '#') {
                while (more() && s_[at_] != '\n' && s_[at_] != '\r') ++at_;
            } else if ((c == '\n' || c == '\r') && newlines)
                ++at_;
            else
                break;
        }
    }

    std::string_view name() {
        size_t from = at_;
        while (more() && is_name(s_[at_])) ++at_;
        if (from == at_) bad(from, "a rule name is expected");
        return s_.substr(from, at_ - from);
    }

    uint32_t rule_of(std::string_view n) {
        auto it = names_.find(n);
        if (it != names_.end()) return it->second;
        if (ast_.rules.size() >= limits_.grammar_rules) over(at_, "more than ", limits_.grammar_rules, " rules");
        uint32_t id = ast_.rule(n);
        names_.emplace(make_string(memory_, n), id);
        defined_.push_back(false);
        return id;
    }

    void rule() {
        size_t start = at_;
        std::string_view n = name();
        space(false);
        if (!s_.substr(at_).starts_with("::=")) bad(at_, "'::=' is expected after the name ", quoted{n});
        at_ += 3;
        space(true);
        uint32_t id = rule_of(n);
        if (defined_[id]) bad(start, "the rule ", quoted{n}, " is defined twice");
        defined_[id] = true;
        ast_.rules[id].place = place_of_fast(start);
        ast_.rules[id].body = alternatives();
        space(true);
    }

    // Places of definitions and references go forward through the text, so the count of lines goes along.
    Place place_of_fast(size_t offset) {
        if (offset < seen_) return place_of(s_, offset);
        for (; seen_ < offset; ++seen_) {
            uint8_t b = static_cast<uint8_t>(s_[seen_]);
            if (b == '\n')
                ++line_, column_ = 1;
            else if ((b & 0xC0) != 0x80)
                ++column_;
        }
        return {static_cast<int64_t>(offset), line_, column_};
    }

    // The sequence since g.sequence becomes one alternative.
    void close_sequence(const Group &g) {
        uint32_t e = ast_.list(ExprKind::seq, std::span<const uint32_t>(items_).subspan(g.sequence));
        items_.resize(g.sequence);
        items_.push_back(e);
    }
    uint32_t close_group(const Group &g) {
        close_sequence(g);
        uint32_t e = ast_.list(ExprKind::alt, std::span<const uint32_t>(items_).subspan(g.first_item));
        items_.resize(g.first_item);
        return e;
    }

    uint32_t alternatives() {
        items_.clear();
        groups_.clear();
        groups_.push_back({at_, 0, 0});
        bool repeatable = false;  // the last item of the sequence may take * + ? {}
        while (true) {
            bool nested = groups_.size() > 1;
            char c = peek();
            size_t here = at_;
            if (!more() || (!nested && (c == '\n' || c == '\r'))) break;
            switch (c) {
                case '"':
                    items_.push_back(literal());
                    repeatable = true;
                    break;
                case '[':
                    items_.push_back(char_class());
                    repeatable = true;
                    break;
                case '.': {
                    ++at_;
                    CharSet any(memory_);
                    any.add(0, kMaxCodePoint);
                    any.normalise();
                    items_.push_back(ast_.chars(std::move(any)));
                    repeatable = true;
                    break;
                }
                case '(':
                    if (groups_.size() > limits_.grammar_depth) over(here, "groups nest deeper than ", limits_.grammar_depth);
                    ++at_;
                    groups_.push_back({here, items_.size(), items_.size()});
                    repeatable = false;
                    space(true);
                    continue;
                case ')': {
                    if (!nested) bad(here, "')' closes no group");
                    ++at_;
                    Group g = groups_.back();
                    groups_.pop_back();
                    uint32_t e = close_group(g);
                    items_.push_back(e);
                    repeatable = true;
                    break;
                }
                case '|':
                    ++at_;
                    close_sequence(groups_.back());
                    groups_.back().sequence = items_.size();
                    repeatable = false;
                    space(true);
                    continue;
                case '*':
                case '+':
                case '?':
                case '{':
                    if (!repeatable) bad(here, "there is nothing to repeat");
                    repetition();
                    break;
                default: {
                    if (!is_name(c)) bad(here, "unexpected character ", quoted{s_.substr(here, 1)});
                    Place p = place_of_fast(here);
                    uint32_t id = rule_of(name());
                    ast_.places.push_back(p);
                    items_.push_back(ast_.ref(id, static_cast<uint32_t>(ast_.places.size() - 1)));
                    repeatable = true;
                }
            }
            space(groups_.size() > 1);
        }
        if (groups_.size() > 1) bad(groups_.back().open, "the group opened here is never closed");
        return close_group(groups_.back());
    }

    void repetition() {
        size_t here = at_;
        uint32_t lo = 0, hi = kInfinite;
        char c = s_[at_++];
        if (c == '+')
            lo = 1;
        else if (c == '?')
            hi = 1;
        else if (c == '{') {
            space(true);
            lo = number(here);
            space(true);
            hi = lo;
            if (peek() == ',') {
                ++at_;
                space(true);
                hi = peek() == '}' ? kInfinite : number(here);
                space(true);
            }
            if (!more()) bad(here, "the repetition opened here is never closed");
            if (peek() != '}') bad(at_, "',' or '}' is expected in a repetition");
            ++at_;
            if (hi < lo) bad(here, "the repetition {", lo, ",", hi, "} ends before it begins");
        }
        items_.back() = ast_.repeat(items_.back(), lo, hi);
        if (++repeats_ > limits_.grammar_bytes) over(here, "too many repetitions");
    }

    uint32_t number(size_t open) {
        if (!more()) bad(open, "the repetition opened here is never closed");
        if (peek() < '0' || peek() > '9') bad(at_, "a number is expected in a repetition");
        uint64_t v = 0;
        while (peek() >= '0' && peek() <= '9') {
            v = v * 10 + static_cast<uint64_t>(s_[at_++] - '0');
            if (v > limits_.grammar_repeat) over(open, "a repetition exceeds the limit ", limits_.grammar_repeat);
        }
        return static_cast<uint32_t>(v);
    }

    // After the backslash at `at_`: the code point.
    uint32_t escape(size_t open, const char *what) {
        size_t start = at_++;
        if (!more()) bad(open, "the ", what, " opened here is never closed");
        char c = s_[at_++];
        int digits = 0;
        switch (c) {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case '\\':
            case '"':
            case '[':
            case ']':
                return static_cast<uint8_t>(c);
            case 'x':
                digits = 2;
                break;
            case 'u':
                digits = 4;
                break;
            case 'U':
                digits = 8;
                break;
            default:
                bad(start, "unknown escape ", quoted{s_.substr(start, 2)});
        }
        uint64_t v = 0;
        for (int i = 0; i < digits; ++i) {
            int d = hex_digit(peek());
            if (d < 0) bad(start, "an escape needs ", digits, " hexadecimal digits");
            v = v << 4 | static_cast<uint64_t>(d);
            ++at_;
        }
        if (v > kMaxCodePoint || (v >= 0xD800 && v <= 0xDFFF)) bad(start, "the escape is no Unicode character: ", v);
        return static_cast<uint32_t>(v);
    }

    uint32_t literal() {
        size_t open = at_++;
        String bytes(memory_);
        while (true) {
            if (!more()) bad(open, "the string opened here is never closed");
            if (peek() == '"') break;
            if (peek() == '\\') {
                char out[4];
                uint32_t cp = escape(open, "string");
                bytes.append(out, static_cast<size_t>(encode_utf8(cp, out)));
            } else
                bytes.push_back(s_[at_++]);
        }
        ++at_;
        return ast_.literal(bytes);
    }

    uint32_t class_char(size_t open) {
        if (!more()) bad(open, "the character class opened here is never closed");
        if (peek() == '\\') return escape(open, "character class");
        uint32_t c = 0;
        at_ += static_cast<size_t>(decode_utf8(s_, at_, c));
        return c;
    }

    uint32_t char_class() {
        size_t open = at_++;
        bool negate = peek() == '^';
        if (negate) ++at_;
        CharSet set(memory_);
        size_t n = 0;
        while (peek() != ']' || !more()) {
            size_t start = at_;
            uint32_t lo = class_char(open), hi = lo;
            if (peek() == '-' && peek(1) != ']') {
                ++at_;
                hi = class_char(open);
                if (hi < lo) bad(start, "the range ends before it begins");
            }
            set.add(lo, hi);
            ++n;
        }
        ++at_;
        if (n == 0) bad(open, "the character class is empty");
        set.normalise();
        if (negate) set.negate();
        return ast_.chars(std::move(set));
    }

    void finish() {
        auto root = names_.find(std::string_view("root"));
        for (const Expr &e : ast_.nodes)
            if (e.kind == ExprKind::ref && !defined_[e.a])
                fail_at(Code::format, ast_.places[e.b], "grammar: the rule ", quoted{ast_.rules[e.a].name}, " is not defined");
        if (root == names_.end()) fail(Code::format, "grammar: there is no rule named root");
        ast_.root = root->second;
    }

    Memory &memory_;
    std::string_view s_;
    const Limits &limits_;
    Ast ast_;
    HashMap<String, uint32_t, SeededHash, TextEqual> names_;
    Vector<Group> groups_;
    Vector<uint32_t> items_;
    Vector<bool> defined_;
    size_t at_ = 0, seen_ = 0, repeats_ = 0;
    int32_t line_ = 1, column_ = 1;
};

}  // namespace

Ast parse_gbnf(Memory &m, std::string_view source, const Limits &limits) {
    if (source.size() > limits.grammar_bytes)
        fail(Code::limit, "grammar: ", source.size(), " bytes exceed the limit ", limits.grammar_bytes);
    return Reader(m, source, limits).read();
}

}  // namespace inlay::text::grammar
