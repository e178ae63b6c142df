// SPDX-License-Identifier: Apache-2.0
// The state machine behind StreamParser. It keeps the bytes from the start of what is not yet decided; each step either
// decides something or says that it needs more.
#pragma once

#include "text/parser/formats.h"
#include "text/parser/json_scan.h"
#include "text/parser/parser.h"

namespace inlay::text {

class ParserMachine {
public:
    ParserMachine(Memory &m, const ToolFormat &f, const io::Json *tools, bool starts_in_reasoning, bool calls);
    void feed(std::string_view bytes);
    void finish();

    Vector<ParserEvent> events;
    ParsedText result;

private:
    enum class State : uint8_t {
        start, content, reasoning,
        object, expect_close, broken, broken_to_end,
        array, mistral_name, mistral_id, arguments,
        section, section_header, fence_name, fence_open, fence_close,
        xml_name_open, xml_name, xml_parameters, xml_parameter, xml_value_open, xml_value, xml_after, xml_list,
        python_open, python_item, python_arguments, python_close,
        bare_next, tag_object,
        harmony_start, harmony_header, harmony_content, harmony_reasoning, harmony_skip, harmony_close,
    };
    enum class Match : uint8_t { no, partial, full };

    void run();
    bool step();
    Match match(std::string_view mark, size_t at) const;
    // Skips white space, then matches; true when decided (*full says how), pos_ is after the mark only when full.
    bool after_space(std::string_view mark, bool *full);
    bool find(std::string_view mark, size_t *at);  // from pos_; waits (false) when it is not there yet

    bool step_content();
    bool step_reasoning(std::string_view close);
    bool enter(const Mark &mark);
    bool step_start();
    bool step_object();
    bool object_byte(char c);
    void value_ended(size_t end);
    bool object_done();
    bool step_arguments();
    bool step_array();
    bool step_section();
    bool step_section_header();
    bool step_fence();
    bool step_mistral();
    bool step_xml();
    bool step_xml_value(size_t end);
    bool step_python();
    bool step_bare_next();
    bool step_broken();
    bool step_harmony();
    bool step_harmony_body();
    bool parse_header(std::string_view header, bool ended);

    void emit(ParserEvent::Kind kind, std::string_view text);
    void add_text(std::string_view s, bool reasoning);
    void open_call();
    void begin_call();
    void add_arguments(std::string_view s);
    void flush_arguments(bool all);
    void finish_call();
    void break_call(std::string_view close);
    void malformed(std::string_view body);
    void back_to_content(size_t at);
    void after_call();

    Memory &m_;
    const ToolFormat &f_;
    const io::Json *tools_;
    String buf_;
    size_t pos_ = 0;
    State state_ = State::start, after_ = State::content;
    bool final_ = false;
    const bool calls_;  // else marks of calls are text
    bool reasoned_ = false, may_reason_ = true;
    String held_content_, held_reasoning_;  // white space that may turn out to be an end
    bool dropped_[4] = {};

    // The call being read.
    bool in_call_ = false, begun_ = false, has_name_ = false, undecided_ = false, json_arguments_ = true;
    uint32_t n_calls_ = 0;
    size_t body_from_ = 0;      // of the text a malformed call is reported with
    String name_, id_, arguments_, close_;
    size_t sent_ = 0;           // bytes of arguments_ handed out
    size_t search_ = 0;         // where the search for a closing mark goes on
    size_t space_from_ = 0, space_to_ = 0;
    bool list_open_ = false;    // its bracket was read
    // of its JSON object
    JsonScan scan_;
    String key_;
    size_t token_from_ = 0, value_from_ = 0;
    enum class Value : uint8_t { none, string, container, scalar } value_ = Value::none;
    bool reading_key_ = false, name_seen_ = false, has_arguments_ = false, bad_ = false, arguments_open_ = false;
    const Mark *mark_ = nullptr;
    uint32_t in_section_ = 0;   // calls finished in it
    bool fenced_ = false;
    String parameter_;
    bool parameter_text_ = false, first_parameter_ = true;
    // of its Python arguments
    char quote_ = 0;
    bool triple_ = false;
    size_t brackets_ = 0;
};

}  // namespace inlay::text
