// SPDX-License-Identifier: Apache-2.0
// Calls written as JSON: whole objects with a name inside, alone or in arrays, and names followed by an object of
// arguments. A mark inside a JSON string is text, so the text is read as JSON from its first byte on.
#include "text/parser/literals.h"
#include "text/parser/machine.h"

namespace inlay::text {

namespace {
// No name, header or gap of a real call is longer; what is longer is not waited for.
constexpr size_t kLongName = 1024;
bool space(char c) { return c == ' ' || (c >= 9 && c <= 13); }
bool name_char(char c) {
    return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           static_cast<unsigned char>(c) >= 0x80;
}
}  // namespace

// A mark was read: the state that follows it.
bool ParserMachine::enter(const Mark &mark) {
    mark_ = &mark;
    in_section_ = 0;
    list_open_ = false;
    body_from_ = pos_;
    search_ = 0;
    close_ = mark.close;
    after_ = State::content;
    switch (mark.family) {
        case Family::drop: return true;
        case Family::object:
            open_call();
            state_ = State::object;
            return true;
        case Family::bare:
            open_call();
            state_ = State::tag_object;
            return true;
        case Family::array:
            open_call();
            state_ = State::array;
            return true;
        case Family::mistral:
            open_call();
            state_ = State::mistral_name;
            return true;
        case Family::section: state_ = State::section; return true;
        case Family::one_call:
            open_call();
            state_ = State::section_header;
            after_ = State::section;
            return true;
        case Family::xml:
            open_call();
            json_arguments_ = false;
            state_ = mark.open == f_.xml.name_open || f_.xml.name_open.empty() ? State::xml_name : State::xml_name_open;
            return true;
        case Family::xml_list: state_ = State::xml_list; return true;
        case Family::pythonic:
            open_call();
            json_arguments_ = false;
            state_ = State::python_open;
            return true;
    }
    return true;
}

bool ParserMachine::step_start() {
    if (!calls_ || f_.start == Start::content) return state_ = State::content, true;
    size_t i = pos_;
    while (i < buf_.size() && space(buf_[i])) ++i;
    add_text(std::string_view(buf_).substr(pos_, i - pos_), false);
    pos_ = i;
    if (i == buf_.size()) {
        if (final_) state_ = State::content;
        return final_;
    }
    char c = buf_[i];
    if (f_.start == Start::pythonic && c == '[') {
        // A list of calls only when a name and a parenthesis follow.
        size_t k = i + 1;
        while (k < buf_.size() && space(buf_[k])) ++k;
        size_t from = k;
        while (k < buf_.size() && name_char(buf_[k])) ++k;
        if (k == buf_.size() && !final_ && k - i < kLongName) return false;
        if (k < buf_.size() && k > from && buf_[k] == '(' && !(buf_[from] >= '0' && buf_[from] <= '9')) {
            static constexpr Mark kBare{"", "", Family::pythonic};
            pos_ = i;
            return enter(kBare);
        }
        return state_ = State::content, true;
    }
    if ((f_.start == Start::json || f_.start == Start::json_or_array) && c == '{') {
        static constexpr Mark kBare{"", "", Family::bare};
        pos_ = i;
        enter(kBare);
        undecided_ = true;
        state_ = State::object;
        return true;
    }
    if (f_.start == Start::json_or_array && c == '[') {
        size_t k = i + 1;
        while (k < buf_.size() && space(buf_[k])) ++k;
        if (k == buf_.size() && !final_ && k - i < kLongName) return false;
        if (k < buf_.size() && buf_[k] == '{') {
            static constexpr Mark kBareArray{"", "", Family::array};
            pos_ = i;
            enter(kBareArray);
            list_open_ = undecided_ = true;
            pos_ = k;
            state_ = State::object;
            return true;
        }
    }
    state_ = State::content;
    return true;
}

// ---- an object with name and arguments ----

void ParserMachine::value_ended(size_t end) {
    std::string_view value = std::string_view(buf_).substr(value_from_, end - value_from_);
    bool string = value_ == Value::string;
    value_ = Value::none;
    if (key_ == "name") {
        if (!string || has_name_) bad_ |= !string;
        else {
            decode_json_string(name_, value);
            has_name_ = true;
        }
    } else if (key_ == "id") {
        if (string) id_.clear(), decode_json_string(id_, value);
    } else if (key_ == "arguments" || key_ == "parameters") {
        if (value[0] == '{') {
            arguments_open_ = false;
        } else if (string) {  // the object as a string, as the API writes it
            String inner{Alloc<char>(m_, MemTag::text)};
            decode_json_string(inner, value);
            if (!inner.empty() && inner[0] == '{' && is_json(m_, inner)) arguments_ = inner, has_arguments_ = true;
            else bad_ = true;
        } else if (value == "null") {
            arguments_ = "{}", has_arguments_ = true;
        } else {
            bad_ = true;
        }
    }
    if (undecided_ && has_name_ && has_arguments_ && !bad_) undecided_ = false;
    flush_arguments(false);
}

// One byte of the object at pos_. False: it is broken.
bool ParserMachine::object_byte(char c) {
    bool outer = scan_.depth() == 1, key = outer && scan_.at_key(), value = outer && scan_.at_value();
    if (key && c == '"') token_from_ = pos_, reading_key_ = true;
    if (value && !space(c) && c != '}' && c != ']') {
        value_from_ = pos_;
        value_ = c == '"' ? Value::string : c == '{' || c == '[' ? Value::container : Value::scalar;
        bool arguments = key_ == "arguments" || key_ == "parameters";
        name_seen_ |= key_ == "name" && c == '"';
        if (arguments && c == '{') {
            has_arguments_ = arguments_open_ = true;
            arguments_.clear();
            sent_ = 0;
        }
    }
    if (value_ == Value::scalar && outer && (c == ',' || c == '}' || space(c))) value_ended(pos_);
    JsonScan::State s = scan_.feed(c);
    if (s == JsonScan::State::broken) return false;
    if (arguments_open_) {
        arguments_.push_back(c);
        if (undecided_ && has_name_) undecided_ = false;
    }
    ++pos_;
    if (reading_key_ && !scan_.in_string()) {
        reading_key_ = false;
        key_.clear();
        decode_json_string(key_, std::string_view(buf_).substr(token_from_, pos_ - token_from_));
    } else if (value_ == Value::string && !scan_.in_string()) {
        value_ended(pos_);
    } else if (value_ == Value::container && scan_.depth() == 1) {
        value_ended(pos_);
    }
    return true;
}

bool ParserMachine::step_object() {
    bool bare = mark_->open.empty();
    while (pos_ < buf_.size()) {
        char c = buf_[pos_];
        if (scan_.depth() == 0 && !space(c) && c != '{') {  // a call is an object
            break_call(close_);
            return true;
        }
        if (!object_byte(c)) {
            if (undecided_ && bare) return back_to_content(body_from_), true;
            break_call(close_);
            return true;
        }
        if (scan_.depth() == 0 && scan_.may_end()) return object_done();
    }
    if (arguments_open_) flush_arguments(false);
    // A text that ends within its first object was a call only if it says so.
    if (final_ && undecided_ && bare && !name_seen_) return back_to_content(body_from_), true;
    return false;
}

bool ParserMachine::object_done() {
    bool bare = mark_->open.empty();
    bool good = has_name_ && !bad_ && !name_.empty();
    if (bare && undecided_) good = good && has_arguments_;
    if (!good) {
        if (bare && undecided_) return back_to_content(body_from_), true;
        break_call(close_);
        return true;
    }
    if (!has_arguments_) arguments_ = "{}";
    if (mark_->family == Family::object) {
        state_ = State::expect_close;
        return true;
    }
    finish_call();
    state_ = mark_->family == Family::bare ? State::bare_next : State::array;
    return true;
}

// ---- several ----

bool ParserMachine::step_array() {
    while (pos_ < buf_.size() && space(buf_[pos_])) ++pos_;
    if (pos_ == buf_.size()) {
        if (final_ && !in_call_) open_call();  // cut between calls of a list
        return false;
    }
    char c = buf_[pos_];
    if (!list_open_) {
        if (c != '[') return break_call(close_), true;
        ++pos_;
        list_open_ = true;
        in_call_ = false;
        return true;
    }
    if (c == ']' || (c == ',' && in_section_ > 0)) {
        ++pos_;
        if (c == ']') state_ = State::content;
        return true;
    }
    open_call();
    body_from_ = pos_;
    if (c != '{') return break_call(close_), true;
    state_ = State::object;
    return true;
}

bool ParserMachine::step_bare_next() {
    size_t i = pos_;
    while (i < buf_.size() && space(buf_[i])) ++i;
    if (state_ == State::tag_object) {
        if (i == buf_.size()) return false;
        pos_ = i;
        if (buf_[i] != '{') return break_call({}), true;
        state_ = State::object;
        return true;
    }
    if (i < buf_.size() && (buf_[i] == ';' || buf_[i] == ',')) {
        ++i;
        while (i < buf_.size() && space(buf_[i])) ++i;
    }
    if (i == buf_.size()) {
        if (!final_ && i - pos_ < kLongName) return false;
        return back_to_content(pos_), true;
    }
    if (buf_[i] != '{') return back_to_content(pos_), true;
    static constexpr Mark kNext{"", "", Family::bare};
    size_t from = pos_;
    pos_ = i;
    enter(kNext);
    body_from_ = from;  // should it be no call, its text is content, separator and all
    undecided_ = true;
    state_ = State::object;
    return true;
}

// ---- arguments alone ----

// The JSON object of arguments at pos_; after_ says what must follow.
bool ParserMachine::step_arguments() {
    size_t from = pos_;
    while (pos_ < buf_.size()) {
        char c = buf_[pos_];
        if (scan_.depth() == 0 && space(c)) {
            ++pos_, from = pos_;
            continue;
        }
        if ((scan_.depth() == 0 && c != '{') || scan_.feed(c) == JsonScan::State::broken) {
            add_arguments(std::string_view(buf_).substr(from, pos_ - from));  // as a stream in pieces would have
            break_call(close_);
            if (f_.start == Start::harmony) state_ = State::harmony_skip;  // any end mark closes it
            return true;
        }
        ++pos_;
        if (scan_.depth() == 0) {
            add_arguments(std::string_view(buf_).substr(from, pos_ - from));
            if (mark_ && mark_->family == Family::mistral) {
                finish_call();
                state_ = State::content;
            } else {
                state_ = fenced_ ? State::fence_close : f_.start == Start::harmony ? State::harmony_close : State::expect_close;
            }
            return true;
        }
    }
    add_arguments(std::string_view(buf_).substr(from, pos_ - from));
    return false;
}

bool ParserMachine::step_mistral() {
    if (state_ == State::mistral_name && name_.empty()) {
        while (pos_ < buf_.size() && space(buf_[pos_])) ++pos_;
        if (pos_ == buf_.size()) return false;
        if (buf_[pos_] == '[' && match("[ARGS]", pos_) == Match::no && match("[CALL_ID]", pos_) == Match::no) {
            state_ = State::array;
            return true;
        }
    }
    String &into = state_ == State::mistral_name ? name_ : id_;
    while (pos_ < buf_.size()) {
        char c = buf_[pos_];
        bool id = state_ == State::mistral_name && match("[CALL_ID]", pos_) == Match::full, args = match("[ARGS]", pos_) == Match::full;
        if ((id || args) && !into.empty()) {
            has_name_ = true;
            pos_ += id ? 9 : 6;
            if (args) begin_call();
            state_ = id ? State::mistral_id : State::arguments;
            return true;
        }
        if (c == '[' && (match("[ARGS]", pos_) == Match::partial || match("[CALL_ID]", pos_) == Match::partial)) return false;
        if (c == '{' && !into.empty()) {  // some write the object without [ARGS]
            has_name_ = true;
            begin_call();
            state_ = State::arguments;
            return true;
        }
        if (!name_char(c)) {
            if (!final_ || c != '[') return break_call({}), true;
            return false;
        }
        into.push_back(c);
        ++pos_;
    }
    return false;
}

// ---- sections: header, separator, arguments, mark ----

bool ParserMachine::step_section() {
    bool full;
    size_t from = pos_;
    if (!after_space(f_.section.call_open, &full)) {
        if (final_ && in_section_ == 0 && !in_call_) open_call();
        return false;
    }
    if (full) {
        open_call();
        body_from_ = pos_;
        close_ = f_.section.call_close;
        after_ = State::section;
        state_ = State::section_header;
        return true;
    }
    std::string_view end = mark_->close;
    Match m = match(end, pos_);
    if (m == Match::partial) return pos_ = from, false;
    if (m == Match::full) pos_ += end.size();
    else if (final_ && pos_ == buf_.size()) {
        if (in_section_ == 0 && !in_call_) open_call();
        return false;
    } else pos_ = from;
    state_ = State::content;
    return true;
}

bool ParserMachine::step_section_header() {
    close_ = f_.section.call_close;
    size_t at;
    // A call that closes before its separator has no arguments to read.
    size_t end = buf_.find(close_.data(), pos_, close_.size());
    bool found = find(f_.section.separator, &at);
    if (end != String::npos && (!found || end < at)) {
        break_call(close_);
        return true;
    }
    if (!found) {
        if (buf_.size() - pos_ < kLongName) return false;
        break_call(close_);
        return true;
    }
    std::string_view header = std::string_view(buf_).substr(pos_, at - pos_);
    while (!header.empty() && space(header.front())) header.remove_prefix(1);
    while (!header.empty() && space(header.back())) header.remove_suffix(1);
    pos_ = at + f_.section.separator.size();
    fenced_ = f_.section.fence == Fence::yes || (f_.section.fence == Fence::by_header && header == "function");
    if (fenced_) {
        state_ = State::fence_name;
        return true;
    }
    if (f_.section.header_is_id) {
        id_ = header;
        if (header.starts_with("functions.")) header.remove_prefix(10);
        size_t colon = header.rfind(':');
        if (colon != std::string_view::npos) header = header.substr(0, colon);
    }
    name_ = header;
    if (name_.empty()) return break_call(close_), true;
    has_name_ = true;
    begin_call();
    state_ = State::arguments;
    return true;
}

bool ParserMachine::step_fence() {
    bool full;
    switch (state_) {
        case State::fence_name: {
            size_t at;
            if (!find("\n", &at)) return false;
            std::string_view name = std::string_view(buf_).substr(pos_, at - pos_);
            while (!name.empty() && space(name.front())) name.remove_prefix(1);
            while (!name.empty() && space(name.back())) name.remove_suffix(1);
            pos_ = at + 1;
            if (name.empty()) return break_call(close_), true;
            name_ = name;
            has_name_ = true;
            begin_call();
            state_ = State::fence_open;
            return true;
        }
        case State::fence_open:
            if (!after_space("```json", &full)) return false;
            if (!full && pos_ == buf_.size()) return false;
            if (!full && buf_[pos_] != '{') return break_call(close_), true;
            state_ = State::arguments;
            return true;
        default:
            if (!after_space("```", &full)) return false;
            state_ = State::expect_close;
            return true;
    }
}

}  // namespace inlay::text
