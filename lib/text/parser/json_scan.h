// SPDX-License-Identifier: Apache-2.0
// A JSON value byte by byte: valid so far, done, or broken. Strict (RFC 8259), depth capped, constant stack. Tells the
// reader of a call where the members of the outermost object begin and end.
#pragma once

#include <string_view>

#include "base/containers.h"

namespace inlay::text {

class JsonScan {
public:
    enum class State : uint8_t { more, done, broken };
    explicit JsonScan(Memory &m) : closers_(Alloc<char>(m, MemTag::text)) {}
    State feed(char c);
    // A number ends only at the byte after it: true when the value may end here.
    bool may_end() const { return expect_ == Expect::end || (closers_.empty() && number_complete()); }
    size_t depth() const { return closers_.size(); }
    bool in_string() const { return expect_ == Expect::string || expect_ == Expect::escape || expect_ == Expect::hex; }
    // At depth 1: whether the next string is a key, and whether a value has just ended (before the byte last fed).
    bool at_key() const { return expect_ == Expect::key || expect_ == Expect::key_or_close; }
    bool at_value() const { return expect_ == Expect::value || expect_ == Expect::value_or_close; }

private:
    enum class Expect : uint8_t {
        value,
        value_or_close,
        key,
        key_or_close,
        colon,
        comma_or_close,
        string,
        escape,
        hex,
        number,
        literal,
        end,
        broken
    };
    enum class Number : uint8_t { minus, zero, digits, dot, fraction, e, e_sign, exponent };
    State byte(char c);
    bool number_byte(char c);
    bool number_complete() const {
        return expect_ == Expect::number &&
               (number_ == Number::zero || number_ == Number::digits || number_ == Number::fraction || number_ == Number::exponent);
    }
    void value_done() { expect_ = closers_.empty() ? Expect::end : Expect::comma_or_close; }
    static constexpr size_t kMaxDepth = 256;
    String closers_;
    Expect expect_ = Expect::value;
    Number number_ = Number::minus;
    bool key_ = false;  // the string being read is a key
    int hex_left_ = 0;
    const char *literal_ = "";
};

bool is_json(Memory &m, std::string_view text);
// The decoded text of a JSON string with its quotes (valid JSON); lone surrogates become U+FFFD.
void decode_json_string(String &out, std::string_view quoted);

}  // namespace inlay::text
