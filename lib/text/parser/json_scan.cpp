// SPDX-License-Identifier: Apache-2.0
// The byte machine of JSON.
#include "text/parser/json_scan.h"

namespace inlay::text {

namespace {
bool space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
int hex(char c) {
    if (digit(c)) return c - '0';
    c = static_cast<char>(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
}  // namespace

bool JsonScan::number_byte(char c) {
    switch (number_) {
        case Number::minus:
            if (!digit(c)) return false;
            number_ = c == '0' ? Number::zero : Number::digits;
            return true;
        case Number::digits:
            if (digit(c)) return true;
            [[fallthrough]];
        case Number::zero:
            if (c == '.') return number_ = Number::dot, true;
            if (c == 'e' || c == 'E') return number_ = Number::e, true;
            return false;
        case Number::dot: return digit(c) && (number_ = Number::fraction, true);
        case Number::fraction:
            if (digit(c)) return true;
            return (c == 'e' || c == 'E') && (number_ = Number::e, true);
        case Number::e:
            if (c == '+' || c == '-') return number_ = Number::e_sign, true;
            [[fallthrough]];
        case Number::e_sign:
        case Number::exponent: return digit(c) && (number_ = Number::exponent, true);
    }
    return false;
}

JsonScan::State JsonScan::feed(char c) {
    State s = byte(c);
    if (s == State::broken) expect_ = Expect::broken;
    return s;
}

JsonScan::State JsonScan::byte(char c) {
    unsigned char u = static_cast<unsigned char>(c);
    switch (expect_) {
        case Expect::string:
            if (c == '"') {
                if (key_) expect_ = Expect::colon;
                else value_done();
            } else if (c == '\\') {
                expect_ = Expect::escape;
            } else if (u < 0x20) {
                return State::broken;
            }
            return expect_ == Expect::end ? State::done : State::more;
        case Expect::escape:
            if (c == 'u') expect_ = Expect::hex, hex_left_ = 4;
            else if (std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos) expect_ = Expect::string;
            else return State::broken;
            return State::more;
        case Expect::hex:
            if (hex(c) < 0) return State::broken;
            if (--hex_left_ == 0) expect_ = Expect::string;
            return State::more;
        case Expect::literal:
            if (c != *literal_) return State::broken;
            if (*++literal_ == 0) value_done();
            return expect_ == Expect::end ? State::done : State::more;
        case Expect::number:
            if (number_byte(c)) return State::more;
            if (!number_complete()) return State::broken;
            value_done();
            return byte(c);
        case Expect::end: return space(c) ? State::done : State::broken;
        case Expect::broken: return State::broken;
        default: break;
    }
    if (space(c)) return State::more;
    switch (expect_) {
        case Expect::colon:
            if (c != ':') return State::broken;
            expect_ = Expect::value;
            return State::more;
        case Expect::comma_or_close:
            if (c == ',') {
                expect_ = closers_.back() == '}' ? Expect::key : Expect::value;
                return State::more;
            }
            break;
        case Expect::key:
        case Expect::key_or_close:
            if (c == '"') {
                key_ = true;
                expect_ = Expect::string;
                return State::more;
            }
            if (expect_ == Expect::key) return State::broken;
            break;
        default:  // value
            key_ = false;
            if (c == '"') return expect_ = Expect::string, State::more;
            if (c == '{' || c == '[') {
                if (closers_.size() >= kMaxDepth) return State::broken;
                closers_.push_back(c == '{' ? '}' : ']');
                expect_ = c == '{' ? Expect::key_or_close : Expect::value_or_close;
                return State::more;
            }
            if (c == 't' || c == 'f' || c == 'n') {
                literal_ = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
                return expect_ = Expect::literal, State::more;
            }
            if (c == '-' || digit(c)) {
                number_ = c == '-' ? Number::minus : c == '0' ? Number::zero : Number::digits;
                return expect_ = Expect::number, State::more;
            }
            if (expect_ != Expect::value_or_close) return State::broken;
    }
    if (closers_.empty() || c != closers_.back()) return State::broken;
    closers_.pop_back();
    value_done();
    return expect_ == Expect::end ? State::done : State::more;
}

bool is_json(Memory &m, std::string_view text) {
    JsonScan scan(m);
    for (char c : text)
        if (scan.feed(c) == JsonScan::State::broken) return false;
    return scan.may_end();
}

void decode_json_string(String &out, std::string_view s) {
    auto put = [&](uint32_t c) {
        if (c < 0x80) {
            out.push_back(static_cast<char>(c));
        } else if (c < 0x800) {
            out.push_back(static_cast<char>(0xC0 | c >> 6));
            out.push_back(static_cast<char>(0x80 | (c & 63)));
        } else {
            if (c >= 0x10000) {
                out.push_back(static_cast<char>(0xF0 | c >> 18));
                out.push_back(static_cast<char>(0x80 | (c >> 12 & 63)));
            } else {
                out.push_back(static_cast<char>(0xE0 | c >> 12));
            }
            out.push_back(static_cast<char>(0x80 | (c >> 6 & 63)));
            out.push_back(static_cast<char>(0x80 | (c & 63)));
        }
    };
    auto unit = [&](size_t i) {
        uint32_t v = 0;
        for (size_t k = 0; k < 4; ++k) v = v << 4 | static_cast<uint32_t>(hex(s[i + k]));
        return v;
    };
    for (size_t i = 1; i + 1 < s.size(); ++i) {
        if (s[i] != '\\') {
            out.push_back(s[i]);
            continue;
        }
        switch (s[++i]) {
            case 'b': out.push_back('\b'); break;
            case 'f': out.push_back('\f'); break;
            case 'n': out.push_back('\n'); break;
            case 'r': out.push_back('\r'); break;
            case 't': out.push_back('\t'); break;
            case 'u': {
                uint32_t c = unit(i + 1);
                i += 4;
                if (c >= 0xD800 && c < 0xDC00 && s.size() > i + 7 && s[i + 1] == '\\' && s[i + 2] == 'u') {
                    uint32_t low = unit(i + 3);
                    if (low >= 0xDC00 && low < 0xE000) {
                        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                        i += 6;
                    }
                }
                put(c >= 0xD800 && c < 0xE000 ? 0xFFFD : c);
                break;
            }
            default: out.push_back(s[i]);
        }
    }
}

}  // namespace inlay::text
