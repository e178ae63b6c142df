// SPDX-License-Identifier: Apache-2.0
// Content, reasoning, and the events: the part that all formats share.
#include "text/parser/machine.h"

#include "text/jinja/unicode.h"

namespace inlay::text {

namespace {
String text_of(Memory &m) { return String(Alloc<char>(m, MemTag::text)); }

// Bytes of s that are not the beginning of a character whose rest is still to come.
size_t whole_chars(std::string_view s) {
    for (size_t back = 1; back <= 3 && back <= s.size(); ++back) {
        unsigned char c = static_cast<unsigned char>(s[s.size() - back]);
        if ((c & 0xC0) == 0x80) continue;
        size_t need = c >= 0xF0 && c < 0xF5 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;
        if (c >= 0xF5) need = 1;
        return need > back ? s.size() - back : s.size();
    }
    return s.size();
}

bool blank(const char *p, const char *end, int *n) { return jinja::char_is(jinja::decode_char(p, end, n), jinja::kSpace); }
}  // namespace

ParserMachine::ParserMachine(Memory &m, const ToolFormat &f, const io::Json *tools, bool starts_in_reasoning, bool calls)
    : events(Alloc<ParserEvent>(m, MemTag::text)), result(m), m_(m), f_(f), tools_(tools), buf_(text_of(m)), calls_(calls), held_content_(text_of(m)),
      held_reasoning_(text_of(m)), name_(text_of(m)), id_(text_of(m)), arguments_(text_of(m)), close_(text_of(m)), scan_(m), key_(text_of(m)),
      parameter_(text_of(m)) {
    if (f.start == Start::harmony) state_ = starts_in_reasoning ? State::harmony_reasoning : State::harmony_start;
    else if (starts_in_reasoning && !f.reason_close.empty()) state_ = State::reasoning;
}

void ParserMachine::feed(std::string_view bytes) {
    if (!in_call_ && pos_ > 4096 && pos_ > buf_.size() / 2) {
        buf_.erase(0, pos_);
        search_ = search_ > pos_ ? search_ - pos_ : 0;
        pos_ = space_from_ = space_to_ = 0;
    }
    buf_.append(bytes);
    run();
}

void ParserMachine::run() {
    while (step()) {}
}

void ParserMachine::finish() {
    if (final_) return;
    final_ = true;
    run();
    if (state_ == State::reasoning || state_ == State::harmony_reasoning) result.complete = false;
    if (in_call_) {
        flush_arguments(true);
        result.complete = false;
        result.has_open_call = true;
        result.open_has_name = has_name_;
        result.open_name = name_;
        result.open_has_arguments = json_arguments_;
        if (json_arguments_) result.open_arguments = arguments_;
    }
}

ParserMachine::Match ParserMachine::match(std::string_view mark, size_t at) const {
    std::string_view rest = std::string_view(buf_).substr(at);
    if (rest.starts_with(mark)) return Match::full;
    return !final_ && mark.starts_with(rest) ? Match::partial : Match::no;
}

bool ParserMachine::after_space(std::string_view mark, bool *full) {
    // White space is passed only together with the decision, so that a caller can give it back; how far it reaches
    // is remembered, as a stream of nothing else must not be read again for each byte.
    size_t i = space_from_ == pos_ ? std::max(pos_, space_to_) : pos_;
    while (i < buf_.size() && (buf_[i] == ' ' || (buf_[i] >= 9 && buf_[i] <= 13))) ++i;
    space_from_ = pos_;
    space_to_ = i;
    Match m = match(mark, i);
    if (m == Match::partial) return false;
    *full = m == Match::full;
    pos_ = *full ? i + mark.size() : i;
    return true;
}

bool ParserMachine::find(std::string_view mark, size_t *at) {
    size_t from = std::max(pos_, search_);
    size_t i = buf_.find(mark.data(), from, mark.size());
    if (i != String::npos) {
        *at = i;
        search_ = 0;
        return true;
    }
    // What was searched is not searched again, but for a mark that may have begun.
    search_ = std::max(from, buf_.size() > mark.size() ? buf_.size() - mark.size() : 0);
    return false;
}

// ---- events ----

void ParserMachine::emit(ParserEvent::Kind kind, std::string_view text) {
    ParserEvent e(m_, kind, n_calls_);
    e.text = text;
    if (kind == ParserEvent::Kind::call_begin || kind == ParserEvent::Kind::call_end) e.id = id_;
    events.push_back(std::move(e));
}

void ParserMachine::add_text(std::string_view s, bool reasoning) {
    String &all = reasoning ? result.reasoning : result.content, &held = reasoning ? held_reasoning_ : held_content_;
    const char *end = s.data() + s.size();
    int n;
    if (all.empty()) {
        const char *p = s.data();
        while (p < end && blank(p, end, &n)) p += n;
        s = {p, static_cast<size_t>(end - p)};
    }
    if (s.empty()) return;
    const char *tail = end;
    while (tail > s.data()) {
        const char *p = jinja::previous_char(s.data(), tail);
        if (!blank(p, end, &n)) break;
        tail = p;
    }
    if (tail == s.data()) {
        held.append(s);
        return;
    }
    held.append(s.data(), static_cast<size_t>(tail - s.data()));
    all.append(held);
    emit(reasoning ? ParserEvent::Kind::reasoning : ParserEvent::Kind::content, held);
    held.assign(tail, static_cast<size_t>(end - tail));
}

void ParserMachine::open_call() {
    in_call_ = true;
    begun_ = has_name_ = undecided_ = false;
    json_arguments_ = true;
    name_.clear(), id_.clear(), arguments_.clear();
    sent_ = search_ = 0;
    scan_ = JsonScan(m_);
    key_.clear();
    value_ = Value::none;
    reading_key_ = name_seen_ = has_arguments_ = bad_ = arguments_open_ = false;
    first_parameter_ = true;
    fenced_ = false;
}

void ParserMachine::begin_call() {
    if (begun_ || !has_name_ || undecided_) return;
    begun_ = true;
    emit(ParserEvent::Kind::call_begin, name_);
}

void ParserMachine::add_arguments(std::string_view s) {
    arguments_.append(s);
    flush_arguments(false);
}

void ParserMachine::flush_arguments(bool all) {
    begin_call();
    if (!begun_) return;
    std::string_view rest = std::string_view(arguments_).substr(sent_);
    size_t n = all ? rest.size() : whole_chars(rest);
    if (n == 0) return;
    emit(ParserEvent::Kind::call_arguments, rest.substr(0, n));
    sent_ += n;
}

void ParserMachine::finish_call() {
    undecided_ = false;
    flush_arguments(true);
    emit(ParserEvent::Kind::call_end, {});
    ToolCall &c = result.calls.emplace_back(m_);
    c.name = name_, c.arguments = arguments_, c.id = id_;
    ++n_calls_;
    ++in_section_;
    in_call_ = false;
}

void ParserMachine::malformed(std::string_view body) {
    emit(ParserEvent::Kind::malformed, body);
    result.malformed.push_back(make_string(m_, body));
    ++n_calls_;
    ++in_section_;
    in_call_ = false;
}

// The call cannot be read: its body ends at the first `close` after its beginning, or with the stream.
void ParserMachine::break_call(std::string_view close) {
    close_ = close;
    pos_ = body_from_;
    search_ = 0;
    state_ = close.empty() ? State::broken_to_end : State::broken;
}

bool ParserMachine::step_broken() {
    if (state_ == State::broken_to_end) {
        if (!final_) return false;
        malformed(std::string_view(buf_).substr(body_from_));
        pos_ = buf_.size();
        state_ = State::content;
        return false;
    }
    size_t at;
    if (!find(close_, &at)) return false;
    malformed(std::string_view(buf_).substr(body_from_, at - body_from_));
    pos_ = at + close_.size();
    state_ = after_;
    return true;
}

void ParserMachine::back_to_content(size_t at) {
    in_call_ = false;
    undecided_ = false;
    pos_ = at;
    state_ = State::content;
}

// ---- content and reasoning ----

bool ParserMachine::step_content() {
    std::string_view all = buf_;
    bool open_reasoning = may_reason_ && !reasoned_ && !f_.reason_open.empty();
    for (size_t i = pos_; i < all.size(); ++i) {
        char c = all[i];
        if (c != '<' && c != '[') continue;
        bool wait = false;
        auto take = [&](std::string_view mark) {
            if (mark[0] != c) return false;
            Match m = match(mark, i);
            wait |= m == Match::partial;
            if (m != Match::full) return false;
            add_text(all.substr(pos_, i - pos_), false);
            pos_ = i + mark.size();
            return true;
        };
        if (open_reasoning && take(f_.reason_open)) {
            state_ = State::reasoning;
            return true;
        }
        for (size_t k = 0; k < f_.marks.size(); ++k) {
            const Mark &m = f_.marks[k];
            if (m.family == Family::drop ? dropped_[k] : !calls_) continue;
            if (!take(m.open)) continue;
            if (m.family == Family::drop) dropped_[k] = true;
            return enter(m);
        }
        if (wait) {
            add_text(all.substr(pos_, i - pos_), false);
            pos_ = i;
            return false;
        }
    }
    std::string_view rest = all.substr(pos_);
    size_t n = final_ ? rest.size() : whole_chars(rest);
    add_text(rest.substr(0, n), false);
    pos_ += n;
    return false;
}

bool ParserMachine::step_reasoning(std::string_view close) {
    std::string_view all = buf_;
    // A model may repeat the opening mark that its prompt already has.
    if (result.reasoning.empty() && held_reasoning_.empty()) {
        bool full;
        size_t from = pos_;
        if (!f_.reason_open.empty()) {
            if (!after_space(f_.reason_open, &full)) return false;
            if (!full) pos_ = from;
        }
    }
    for (size_t i = pos_; i < all.size(); ++i) {
        if (all[i] != close[0]) continue;
        Match m = match(close, i);
        if (m == Match::no) continue;
        add_text(all.substr(pos_, i - pos_), true);
        pos_ = i;
        if (m == Match::partial) return false;
        pos_ += close.size();
        reasoned_ = true;
        held_reasoning_.clear();
        state_ = State::start;
        return true;
    }
    std::string_view rest = all.substr(pos_);
    size_t n = final_ ? rest.size() : whole_chars(rest);
    add_text(rest.substr(0, n), true);
    pos_ += n;
    return false;
}

bool ParserMachine::step() {
    switch (state_) {
        case State::start: return step_start();
        case State::content: return step_content();
        case State::reasoning: return step_reasoning(f_.reason_close);
        case State::object: return step_object();
        case State::arguments: return step_arguments();
        case State::broken:
        case State::broken_to_end: return step_broken();
        case State::array: return step_array();
        case State::mistral_name:
        case State::mistral_id: return step_mistral();
        case State::section: return step_section();
        case State::section_header: return step_section_header();
        case State::fence_name:
        case State::fence_open:
        case State::fence_close: return step_fence();
        case State::xml_name_open:
        case State::xml_name:
        case State::xml_parameters:
        case State::xml_parameter:
        case State::xml_value_open:
        case State::xml_value:
        case State::xml_after:
        case State::xml_list: return step_xml();
        case State::python_open:
        case State::python_item:
        case State::python_arguments:
        case State::python_close: return step_python();
        case State::bare_next:
        case State::tag_object: return step_bare_next();
        case State::harmony_start:
        case State::harmony_header: return step_harmony();
        case State::harmony_content:
        case State::harmony_reasoning:
        case State::harmony_skip:
        case State::harmony_close: return step_harmony_body();
        case State::expect_close: {
            bool full;
            if (!after_space(close_, &full)) return false;
            if (!full) {
                if (final_ && pos_ == buf_.size()) return false;  // cut before the mark
                return break_call(close_), true;
            }
            finish_call();
            state_ = after_;
            return true;
        }
    }
    return false;
}

// ---- front ----

StreamParser StreamParser::create(Memory &m, const ToolFormat *format, const io::Json *tools, bool starts_in_reasoning, bool calls) {
    StreamParser p;
    p.machine_ = make_owned<ParserMachine>(m, m, format ? *format : *find_tool_format("none"), tools, starts_in_reasoning, calls);
    return p;
}
StreamParser::StreamParser(StreamParser &&) noexcept = default;
StreamParser &StreamParser::operator=(StreamParser &&) noexcept = default;
StreamParser::~StreamParser() = default;
void StreamParser::feed(std::string_view bytes) { machine_->feed(bytes); }
void StreamParser::finish() { machine_->finish(); }
const Vector<ParserEvent> &StreamParser::events() const { return machine_->events; }
void StreamParser::clear_events() { machine_->events.clear(); }
const ParsedText &StreamParser::result() const { return machine_->result; }

}  // namespace inlay::text
