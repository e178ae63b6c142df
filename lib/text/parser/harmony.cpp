// SPDX-License-Identifier: Apache-2.0
// gpt-oss: messages of header and body. The header names a channel and may name a recipient, which makes it a call.
#include "text/parser/machine.h"

namespace inlay::text {

namespace {
constexpr std::string_view kMessage = "<|message|>", kStart = "<|start|>", kChannel = "<|channel|>";
constexpr std::string_view kEnds[] = {"<|end|>", "<|return|>", "<|call|>"};
bool space(char c) { return c == ' ' || (c >= 9 && c <= 13); }
}  // namespace

// What a header says, as far as it is read. `ended`: nothing more will come of it. True when it is of a call.
bool ParserMachine::parse_header(std::string_view h, bool ended) {
    size_t to = h.find("to=");
    if (to == std::string_view::npos) return false;
    std::string_view who = h.substr(to + 3);
    size_t n = 0;
    while (n < who.size() && !space(who[n]) && who[n] != '<') ++n;
    if (n < who.size() || ended) {
        std::string_view name = who.substr(0, n);
        if (name.starts_with("functions.")) name.remove_prefix(10);
        name_ = name;
        has_name_ = !name.empty();
    }
    return true;
}

bool ParserMachine::step_harmony() {
    if (state_ == State::harmony_start) {
        // The prompt ends in <|start|>assistant, so the text may begin anywhere in a header; else it is plain text.
        size_t i = pos_;
        while (i < buf_.size() && space(buf_[i])) ++i;
        bool partial = false, header = false;
        for (std::string_view mark : {kChannel, kStart, kMessage, std::string_view("to=")}) {
            Match m = match(mark, i);
            partial |= m == Match::partial;
            header |= m == Match::full;
        }
        if (!header && partial) return false;
        state_ = header ? State::harmony_header : State::harmony_content;
        return true;
    }
    size_t at;
    if (!find(kMessage, &at)) {
        if (!final_) return false;
        std::string_view rest = std::string_view(buf_).substr(pos_);
        if (rest.find("to=") != std::string_view::npos) {
            open_call();
            parse_header(rest, false);
        }
        pos_ = buf_.size();
        return false;
    }
    String header = make_string(m_, std::string_view(buf_).substr(pos_, at - pos_));
    pos_ = at + kMessage.size();
    size_t channel = header.rfind(kChannel.data(), String::npos, kChannel.size());
    std::string_view name;
    if (channel != String::npos) {
        name = std::string_view(header).substr(channel + kChannel.size());
        size_t n = 0;
        while (n < name.size() && !space(name[n]) && name[n] != '<') ++n;
        name = name.substr(0, n);
    }
    if (header.find("to=") != String::npos && header.find("to=user") == String::npos && header.find("to=assistant") == String::npos) {
        open_call();
        parse_header(header, true);
        body_from_ = pos_;
        mark_ = nullptr;
        close_.clear();
        begin_call();
        state_ = State::arguments;
    } else if (name == "analysis") {
        if (!result.reasoning.empty()) add_text("\n", true);
        state_ = State::harmony_reasoning;
    } else {
        state_ = State::harmony_content;
    }
    return true;
}

// A body runs to the nearest of its end marks.
bool ParserMachine::step_harmony_body() {
    std::string_view all = buf_;
    if (state_ == State::harmony_close) {
        while (pos_ < buf_.size() && space(buf_[pos_])) ++pos_;
        if (pos_ == buf_.size()) {
            if (!final_) return false;
            finish_call();  // the stop token may have been kept from us
            state_ = State::harmony_header;
            return false;
        }
    }
    for (size_t i = pos_; i < all.size(); ++i) {
        if (all[i] != '<') {
            if (state_ == State::harmony_close) {
                state_ = State::harmony_skip;  // more than one JSON value
                pos_ = body_from_;
                return true;
            }
            continue;
        }
        bool partial = false;
        size_t length = 0;
        for (std::string_view mark : kEnds) {
            Match m = match(mark, i);
            partial |= m == Match::partial;
            if (m == Match::full) length = mark.size();
        }
        // A new message may begin without the end of the last.
        Match start = match(kStart, i);
        partial |= start == Match::partial;
        if (!length && start != Match::full && !partial) {
            if (state_ != State::harmony_close) continue;
            state_ = State::harmony_skip;
            pos_ = body_from_;
            return true;
        }
        bool text = state_ == State::harmony_content || state_ == State::harmony_reasoning;
        if (text) {
            add_text(all.substr(pos_, i - pos_), state_ == State::harmony_reasoning);
            pos_ = i;
        } else if (state_ == State::harmony_skip) {
            pos_ = i;
        }
        if (!length && start != Match::full) return false;  // a mark may be coming
        if (state_ == State::harmony_close) finish_call();
        else if (state_ == State::harmony_skip) malformed(all.substr(body_from_, i - body_from_));
        pos_ = i + length;
        state_ = State::harmony_header;
        search_ = 0;
        return true;
    }
    if (state_ == State::harmony_skip) pos_ = all.size();
    if (state_ == State::harmony_content || state_ == State::harmony_reasoning) {
        size_t n = all.size() - pos_;
        if (!final_)  // half a character waits
            for (size_t back = 1; back <= 3 && back <= n; ++back) {
                unsigned char c = static_cast<unsigned char>(all[all.size() - back]);
                if ((c & 0xC0) == 0x80) continue;
                size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;
                if (need > back) n -= back;
                break;
            }
        add_text(all.substr(pos_, n), state_ == State::harmony_reasoning);
        pos_ += n;
    }
    return false;
}

}  // namespace inlay::text
