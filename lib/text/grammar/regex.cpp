// SPDX-License-Identifier: Apache-2.0
// The regex reader: one pass with open groups on a heap stack. What two dialects would read differently is refused.
#include "text/grammar/regex.h"

#include "text/grammar/source.h"

namespace inlay::text::grammar {

void add_class_escape(char letter, CharSet &out) {
    switch (letter) {
        case 'd':
            out.add('0', '9');
            break;
        case 'w':
            out.add('0', '9'), out.add('A', 'Z'), out.add('a', 'z'), out.add('_', '_');
            break;
        case 's':  // ECMA-262 WhiteSpace and LineTerminator
            out.add(9, 13), out.add(0x20, 0x20), out.add(0xA0, 0xA0), out.add(0x1680, 0x1680), out.add(0x2000, 0x200A);
            out.add(0x2028, 0x2029), out.add(0x202F, 0x202F), out.add(0x205F, 0x205F), out.add(0x3000, 0x3000), out.add(0xFEFF, 0xFEFF);
            break;
        default:
            break;
    }
}

namespace {

class Reader {
public:
    Reader(Ast &ast, std::string_view s, const Limits &l)
        : memory_(*ast.memory), ast_(ast), s_(s), limits_(l), groups_(memory_), items_(memory_) {}

    uint32_t read(bool &anchors) {
        groups_.push_back({0, 0, 0});
        while (at_ < s_.size()) step();
        if (groups_.size() > 1) bad(groups_.back().open, "the group opened here is never closed");
        anchors = anchors_;
        return close_group(groups_.back());
    }

private:
    struct Group {
        size_t open, first_item, sequence;
    };

    template <class... Parts>
    [[noreturn]] void bad(size_t at, const Parts &...parts) const {
        fail_at(Code::format, place_of(s_, at), "regex: ", parts...);
    }
    template <class... Parts>
    [[noreturn]] void cannot(size_t at, const Parts &...parts) const {
        fail_at(Code::unsupported, place_of(s_, at), "regex: ", parts...);
    }

    char peek(size_t ahead = 0) const noexcept { return at_ + ahead < s_.size() ? s_[at_ + ahead] : '\0'; }
    bool starts(std::string_view w) const noexcept { return s_.substr(at_).starts_with(w); }

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
    void item(uint32_t e) {
        items_.push_back(e);
        repeatable_ = true;
    }

    void step() {
        size_t here = at_;
        char c = s_[at_];
        switch (c) {
            case '(':
                return open_group();
            case ')': {
                if (groups_.size() == 1) bad(here, "')' closes no group");
                ++at_;
                Group g = groups_.back();
                groups_.pop_back();
                return item(close_group(g));
            }
            case '|':
                ++at_;
                close_sequence(groups_.back());
                groups_.back().sequence = items_.size();
                repeatable_ = false;
                return;
            case '*':
            case '+':
            case '?':
            case '{':
                return repetition();
            case '^':
            case '$':
                ++at_;
                items_.push_back(ast_.add({c == '^' ? ExprKind::begin : ExprKind::end}));
                anchors_ = true;
                repeatable_ = false;
                return;
            case '.': {
                ++at_;
                CharSet set(memory_);
                set.add('\n', '\n'), set.add('\r', '\r'), set.add(0x2028, 0x2029);
                set.normalise();
                set.negate();
                return item(ast_.chars(std::move(set)));
            }
            case '[':
                return char_class();
            case ']':
            case '}':
                bad(here, "a lone ", quoted{s_.substr(here, 1)}, " must be escaped");
            default: {
                CharSet set(memory_);
                bool single;
                uint32_t cp = character(set, single, false, here);
                if (!single) return item(ast_.chars(std::move(set)));
                if (cp >= 0xD800 && cp <= 0xDFFF) cannot(here, "a lone surrogate is no character");
                char out[4];
                return item(ast_.literal({out, static_cast<size_t>(encode_utf8(cp, out))}));
            }
        }
    }

    void open_group() {
        size_t here = at_++;
        if (groups_.size() > limits_.grammar_depth)
            fail_at(Code::limit, place_of(s_, here), "regex: groups nest deeper than ", limits_.grammar_depth);
        if (peek() == '?') {
            if (starts("?:"))
                at_ += 2;
            else if (starts("?=") || starts("?!") || starts("?<=") || starts("?<!"))
                cannot(here, "lookaround is not supported");
            else if (starts("?<")) {
                size_t end = s_.find('>', at_);
                if (end == std::string_view::npos || end == at_ + 2) bad(here, "the group's name is not closed");
                for (size_t i = at_ + 2; i < end; ++i) {
                    char c = s_[i];
                    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
                    if (!letter && !(i > at_ + 2 && c >= '0' && c <= '9')) bad(i, "not a group's name");
                }
                at_ = end + 1;
            } else
                cannot(here, "this kind of group is not supported");
        }
        groups_.push_back({here, items_.size(), items_.size()});
        repeatable_ = false;
    }

    uint32_t number() {
        if (peek() < '0' || peek() > '9') bad(at_, "a number is expected in a repetition");
        uint64_t v = 0;
        size_t from = at_;
        while (peek() >= '0' && peek() <= '9') {
            v = v * 10 + static_cast<uint64_t>(s_[at_++] - '0');
            if (v > limits_.grammar_repeat)
                fail_at(Code::limit, place_of(s_, from), "regex: a repetition exceeds the limit ", limits_.grammar_repeat);
        }
        return static_cast<uint32_t>(v);
    }

    void repetition() {
        size_t here = at_;
        if (!repeatable_) bad(here, "there is nothing to repeat");
        uint32_t lo = 0, hi = kInfinite;
        char c = s_[at_++];
        if (c == '+')
            lo = 1;
        else if (c == '?')
            hi = 1;
        else if (c == '{') {
            lo = hi = number();
            if (peek() == ',') {
                ++at_;
                hi = peek() == '}' ? kInfinite : number();
            }
            if (peek() != '}') bad(here, "the repetition opened here is never closed");
            ++at_;
            if (hi < lo) bad(here, "the repetition {", lo, ",", hi, "} ends before it begins");
        }
        if (peek() == '?')
            ++at_;  // lazy: the same language
        else if (peek() == '+')
            bad(at_, "there is nothing to repeat");
        items_.back() = ast_.repeat(items_.back(), lo, hi);
        repeatable_ = false;
    }

    uint32_t hex(size_t start, int digits) {
        uint32_t v = 0;
        for (int i = 0; i < digits; ++i, ++at_) {
            int d = hex_digit(peek());
            if (d < 0) bad(start, "an escape needs ", digits, " hexadecimal digits");
            v = v << 4 | static_cast<uint32_t>(d);
        }
        return v;
    }

    // One character or class escape at `at_`. `single`: the code point is returned, else `set` got the class.
    uint32_t character(CharSet &set, bool &single, bool in_class, size_t open) {
        single = true;
        size_t start = at_;
        uint32_t cp = 0;
        if (peek() != '\\') {
            int n = decode_utf8(s_, at_, cp);
            if (n == 0) bad(start, "the text is not UTF-8");
            at_ += static_cast<size_t>(n);
            return cp;
        }
        ++at_;
        if (at_ >= s_.size()) bad(start, "the escape is cut off");
        char c = s_[at_++];
        switch (c) {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case '0':
                if (peek() >= '0' && peek() <= '9') cannot(start, "octal escapes are not supported");
                return 0;
            case 'x':
                return hex(start, 2);
            case 'c': {
                char l = peek();
                if (!((l >= 'a' && l <= 'z') || (l >= 'A' && l <= 'Z'))) bad(start, "\\c needs a letter");
                ++at_;
                return static_cast<uint32_t>(l) & 31;
            }
            case 'u': {
                if (peek() == '{') {
                    ++at_;
                    uint32_t v = 0;
                    if (peek() == '}') bad(start, "the escape is empty");
                    while (peek() != '}') {
                        int d = hex_digit(peek());
                        if (d < 0) bad(start, "a hexadecimal digit is expected");
                        v = v << 4 | static_cast<uint32_t>(d);
                        if (v > kMaxCodePoint) bad(start, "the escape is beyond U+10FFFF");
                        ++at_;
                    }
                    ++at_;
                    return v;
                }
                uint32_t v = hex(start, 4);
                if (v >= 0xD800 && v <= 0xDBFF && peek() == '\\' && peek(1) == 'u') {
                    at_ += 2;
                    uint32_t low = hex(start, 4);
                    if (low < 0xDC00 || low > 0xDFFF) cannot(start, "a lone surrogate is no character");
                    return 0x10000 + ((v - 0xD800) << 10) + (low - 0xDC00);
                }
                if (v >= 0xD800 && v <= 0xDFFF) cannot(start, "a lone surrogate is no character");
                return v;
            }
            case 'd':
            case 'w':
            case 's':
            case 'D':
            case 'W':
            case 'S': {
                single = false;
                CharSet one(memory_);
                add_class_escape(static_cast<char>(c | 32), one);
                one.normalise();
                if (c < 'a') one.negate();
                set.add(one);
                return 0;
            }
            case 'p':
            case 'P': {
                single = false;
                size_t end = s_.find('}', at_);
                if (peek() != '{' || end == std::string_view::npos) bad(start, "\\p needs {a property}");
                std::string_view name = s_.substr(at_ + 1, end - at_ - 1);
                CharSet one(memory_);
                if (!add_unicode_property(name, one)) cannot(start, "the Unicode property ", quoted{name}, " is not supported");
                at_ = end + 1;
                one.normalise();
                if (c == 'P') one.negate();
                set.add(one);
                return 0;
            }
            case 'b':
                if (in_class) return '\b';
                cannot(start, "word boundaries are not supported");
            case 'B':
                cannot(start, "word boundaries are not supported");
            case 'k':
                cannot(start, "backreferences are not supported");
            case '-':
                return '-';
            default:
                if (c >= '1' && c <= '9') cannot(start, "backreferences are not supported");
                if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<uint8_t>(c) >= 0x80)
                    cannot(start, "the escape ", quoted{s_.substr(start, 2)}, " is not supported");
                (void)open;
                return static_cast<uint8_t>(c);
        }
    }

    void char_class() {
        size_t open = at_++;
        bool negate = peek() == '^';
        if (negate) ++at_;
        CharSet set(memory_);
        while (true) {
            if (at_ >= s_.size()) bad(open, "the character class opened here is never closed");
            if (peek() == ']') break;
            size_t start = at_;
            bool single, single_hi = true;
            uint32_t lo = character(set, single, true, open), hi = lo;
            if (peek() == '-' && peek(1) != ']' && at_ + 1 < s_.size()) {
                if (!single) cannot(start, "a class cannot begin a range");
                ++at_;
                hi = character(set, single_hi, true, open);
                if (!single_hi) cannot(start, "a class cannot end a range");
                if (hi < lo) bad(start, "the range ends before it begins");
            }
            if (single) set.add(lo, hi);
        }
        ++at_;
        set.normalise();
        if (negate) set.negate();
        if (set.empty())
            item(ast_.add({ExprKind::never}));
        else
            item(ast_.chars(std::move(set)));
    }

    Memory &memory_;
    Ast &ast_;
    std::string_view s_;
    const Limits &limits_;
    Vector<Group> groups_;
    Vector<uint32_t> items_;
    size_t at_ = 0;
    bool repeatable_ = false, anchors_ = false;
};

}  // namespace

uint32_t parse_regex(Ast &ast, std::string_view source, const Limits &limits, bool &anchors) {
    if (source.size() > limits.regex_bytes) fail(Code::limit, "regex: ", source.size(), " bytes exceed the limit ", limits.regex_bytes);
    return Reader(ast, source, limits).read(anchors);
}

}  // namespace inlay::text::grammar
