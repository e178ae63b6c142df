// SPDX-License-Identifier: Apache-2.0
// Calls whose arguments are not JSON: tags around bare values, typed by the tool's schema, and Python-like lists.
#include "text/parser/literals.h"
#include "text/parser/machine.h"

namespace inlay::text {

namespace {
bool space(char c) { return c == ' ' || (c >= 9 && c <= 13); }
bool name_char(char c) {
    return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           static_cast<unsigned char>(c) >= 0x80;
}
std::string_view trimmed(std::string_view s) {
    while (!s.empty() && space(s.front())) s.remove_prefix(1);
    while (!s.empty() && space(s.back())) s.remove_suffix(1);
    return s;
}
}  // namespace

bool ParserMachine::step_xml() {
    const XmlStyle &x = f_.xml;
    bool full;
    // Where a call that cannot be read ends: at what encloses it, else at its own closing tag.
    std::string_view outer = mark_->family == Family::xml && !mark_->close.empty() ? mark_->close : x.call_close;
    switch (state_) {
        case State::xml_list: {  // calls until the mark that closes the list
            size_t from = pos_;
            if (!after_space(x.name_open, &full)) {
                if (final_ && in_section_ == 0 && !in_call_) open_call(), json_arguments_ = false;
                return false;
            }
            if (full) {
                open_call();
                json_arguments_ = false;
                body_from_ = from;
                after_ = State::xml_list;
                state_ = State::xml_name;
                return true;
            }
            Match m = match(mark_->close, pos_);
            if (m == Match::partial) return pos_ = from, false;
            if (m == Match::full) pos_ += mark_->close.size();
            else if (final_ && pos_ == buf_.size()) {
                if (in_section_ == 0 && !in_call_) open_call(), json_arguments_ = false;
                return false;
            } else pos_ = from;
            state_ = State::content;
            return true;
        }
        case State::xml_name_open:
            if (!after_space(x.name_open, &full)) return false;
            if (!full) {
                if (final_ && (pos_ == buf_.size() || x.name_open.starts_with(std::string_view(buf_).substr(pos_)))) return false;
                return break_call(outer), true;
            }
            state_ = State::xml_name;
            return true;
        case State::xml_name: {
            // In GLM the name ends at a line end or at the next tag.
            size_t at = pos_;
            if (x.name_open.empty()) {
                while (at < buf_.size() && space(buf_[at])) ++at;
                while (at < buf_.size() && buf_[at] != '\n' && buf_[at] != '<') ++at;
                if (at == buf_.size()) return false;
            } else if (!find(x.name_end, &at)) {
                return false;
            }
            name_ = trimmed(std::string_view(buf_).substr(pos_, at - pos_));
            if (name_.empty() || name_.find_first_of("<>\n") != String::npos) return break_call(outer), true;
            pos_ = at + (x.name_open.empty() ? 0 : x.name_end.size());
            has_name_ = true;
            begin_call();
            state_ = State::xml_parameters;
            return true;
        }
        case State::xml_parameters: {
            if (!after_space(x.parameter_open, &full)) return false;
            if (full) {
                state_ = State::xml_parameter;
                return true;
            }
            Match m = match(x.call_close, pos_);
            if (m == Match::partial) return false;
            if (m == Match::no) {
                if (final_ && (pos_ == buf_.size() || x.parameter_open.starts_with(std::string_view(buf_).substr(pos_)) ||
                               x.call_close.starts_with(std::string_view(buf_).substr(pos_))))
                    return false;
                return break_call(outer), true;
            }
            pos_ += x.call_close.size();
            add_arguments(first_parameter_ ? "{}" : "}");
            finish_call();
            state_ = mark_->family == Family::xml_list ? State::xml_list : mark_->close.empty() ? State::content : State::xml_after;
            return true;
        }
        case State::xml_parameter: {
            size_t at;
            if (!find(x.parameter_end, &at)) return false;
            std::string_view header = std::string_view(buf_).substr(pos_, at - pos_);
            pos_ = at + x.parameter_end.size();
            parameter_text_ = false;
            if (x.attributes) {  // city" string="true"
                size_t quote = header.find('"');
                parameter_text_ = header.find("string=\"true\"") != std::string_view::npos;
                header = header.substr(0, quote);
            }
            parameter_ = trimmed(header);
            state_ = x.value_open.empty() ? State::xml_value : State::xml_value_open;
            return true;
        }
        case State::xml_value_open:
            if (!after_space(x.value_open, &full)) return false;
            if (!full) {
                if (final_ && x.value_open.starts_with(std::string_view(buf_).substr(pos_))) return false;
                return break_call(outer), true;
            }
            state_ = State::xml_value;
            return true;
        case State::xml_value: {
            size_t at;
            if (!find(x.value_close, &at)) return false;
            return step_xml_value(at);
        }
        default:  // xml_after: what encloses the call may be missing
            if (size_t from = pos_; true) {
                if (!after_space(mark_->close, &full)) return false;
                if (!full) pos_ = from;
            }
            state_ = State::content;
            return true;
    }
}

bool ParserMachine::step_xml_value(size_t end) {
    const XmlStyle &x = f_.xml;
    std::string_view value = std::string_view(buf_).substr(pos_, end - pos_);
    if (x.trims_newline) {
        if (value.starts_with('\n')) value.remove_prefix(1);
        if (value.ends_with('\n')) value.remove_suffix(1);
    }
    String piece{Alloc<char>(m_, MemTag::text)};
    piece = first_parameter_ ? "{" : ", ";
    first_parameter_ = false;
    io::append_json_string(piece, parameter_);
    piece += ": ";
    if (x.attributes) {
        if (parameter_text_) io::append_json_string(piece, value);
        else typed_value(m_, nullptr, value, piece);
    } else {
        typed_value(m_, find_parameter(tools_, name_, parameter_), value, piece);
    }
    add_arguments(piece);
    pos_ = end + x.value_close.size();
    state_ = State::xml_parameters;
    return true;
}

// ---- [name(a=1, b='x'), other()] ----

bool ParserMachine::step_python() {
    switch (state_) {
        case State::python_open: {
            while (pos_ < buf_.size() && space(buf_[pos_])) ++pos_;
            if (pos_ == buf_.size()) return false;
            if (buf_[pos_] != '[') return break_call(mark_->close), true;
            ++pos_;
            in_call_ = false;
            state_ = State::python_item;
            return true;
        }
        case State::python_item: {
            while (pos_ < buf_.size() && space(buf_[pos_])) ++pos_;
            if (pos_ == buf_.size()) {
                if (final_) open_call(), json_arguments_ = false;
                return false;
            }
            char c = buf_[pos_];
            if (c == ']') {
                ++pos_;
                state_ = mark_->close.empty() ? State::content : State::python_close;
                return true;
            }
            if (c == ',' && in_section_ > 0) {
                ++pos_;
                return true;
            }
            size_t k = pos_;
            while (k < buf_.size() && name_char(buf_[k])) ++k;
            open_call();
            json_arguments_ = false;
            body_from_ = pos_;
            if (k == buf_.size()) {
                if (!final_) in_call_ = false;
                return false;
            }
            if (buf_[k] != '(' || k == pos_) return break_call(mark_->close), true;
            name_ = std::string_view(buf_).substr(pos_, k - pos_);
            has_name_ = true;
            begin_call();
            pos_ = token_from_ = k + 1;
            quote_ = 0;
            triple_ = false;
            brackets_ = 0;
            state_ = State::python_arguments;
            return true;
        }
        case State::python_arguments: {
            // The closing parenthesis that stands in no string and no bracket.
            while (pos_ < buf_.size()) {
                char c = buf_[pos_];
                if (quote_) {
                    if (c == '\\') {
                        if (pos_ + 1 >= buf_.size()) return false;
                        pos_ += 2;
                        continue;
                    }
                    if (c == quote_) {
                        if (!triple_) {
                            quote_ = 0;
                        } else {
                            if (pos_ + 3 > buf_.size() && !final_) return false;
                            if (std::string_view(buf_).substr(pos_, 3) == std::string_view(quote_ == '"' ? "\"\"\"" : "'''")) quote_ = 0, pos_ += 2;
                        }
                    }
                    ++pos_;
                    continue;
                }
                if (c == '"' || c == '\'') {
                    if (pos_ + 3 > buf_.size() && !final_) return false;
                    quote_ = c;
                    triple_ = std::string_view(buf_).substr(pos_, 3) == std::string_view(c == '"' ? "\"\"\"" : "'''");
                    pos_ += triple_ ? 3 : 1;
                    continue;
                }
                if (c == '[' || c == '{' || c == '(') ++brackets_;
                if (c == ']' || c == '}' || c == ')') {
                    if (brackets_ == 0) break;
                    --brackets_;
                }
                ++pos_;
            }
            if (pos_ == buf_.size()) return false;
            String json{Alloc<char>(m_, MemTag::text)};
            if (buf_[pos_] != ')' || !python_arguments_to_json(m_, std::string_view(buf_).substr(token_from_, pos_ - token_from_), json)) {
                if (buf_[pos_] != ')') return break_call(mark_->close), true;
                ++pos_;
                malformed(std::string_view(buf_).substr(body_from_, pos_ - body_from_));
                state_ = State::python_item;
                return true;
            }
            ++pos_;
            add_arguments(json);
            finish_call();
            state_ = State::python_item;
            return true;
        }
        default: {
            bool full;
            size_t from = pos_;
            if (!after_space(mark_->close, &full)) return false;
            if (!full) pos_ = from;
            state_ = State::content;
            return true;
        }
    }
}

}  // namespace inlay::text
