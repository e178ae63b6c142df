// SPDX-License-Identifier: Apache-2.0
// Reads what a model writes: content, reasoning, tool calls, each format by one row of a table (formats.cpp). It is fed
// bytes as they come; however the stream is split, the same pieces joined give the same result, and what was handed
// out is never taken back: white space at an end and text that may begin a mark wait until they are decided.
#pragma once

#include <memory>
#include <string_view>

#include "base/containers.h"
#include "io/json.h"

namespace inlay::text {

// A call that ended well. `arguments` is the text of a JSON object.
struct ToolCall {
    explicit ToolCall(Memory &m) : name(Alloc<char>(m, MemTag::text)), arguments(Alloc<char>(m, MemTag::text)), id(Alloc<char>(m, MemTag::text)) {}
    String name, arguments, id;  // id is empty where the format carries none
};

struct ParserEvent {
    // call_begin: text = name, id; call_arguments: text = a piece of the JSON text; call_end: the call is good;
    // malformed: text = the body as it came. A begun call ends with call_end or malformed, or stays open at the end.
    enum class Kind : uint8_t { content, reasoning, call_begin, call_arguments, call_end, malformed };
    ParserEvent(Memory &m, Kind k, uint32_t c) : kind(k), call(c), text(Alloc<char>(m, MemTag::text)), id(Alloc<char>(m, MemTag::text)) {}
    Kind kind;
    uint32_t call;  // number of the call in the stream, malformed ones included
    String text, id;
};

// All that was read so far, as one value; events are the same in pieces.
struct ParsedText {
    explicit ParsedText(Memory &m)
        : content(Alloc<char>(m, MemTag::text)), reasoning(Alloc<char>(m, MemTag::text)), calls(Alloc<ToolCall>(m, MemTag::text)),
          malformed(Alloc<String>(m, MemTag::text)), open_name(Alloc<char>(m, MemTag::text)), open_arguments(Alloc<char>(m, MemTag::text)) {}
    String content, reasoning;
    Vector<ToolCall> calls;
    Vector<String> malformed;
    // After finish(): false when the stream ended inside a call or inside reasoning.
    bool complete = true;
    bool has_open_call = false;
    bool open_has_name = false, open_has_arguments = false;  // arguments: formats whose arguments are JSON text
    String open_name, open_arguments;
};

struct ToolFormat;
class ParserMachine;

// "hermes", "qwen3_coder", ...; null when there is no such format. The rows live as long as the program.
const ToolFormat *find_tool_format(std::string_view name);
std::string_view tool_format_name(const ToolFormat *format);
bool format_has_calls(const ToolFormat *format);  // else it knows reasoning at most
// The format that a chat template's text asks the model to write ("think" when it knows reasoning alone, null: plain text).
const ToolFormat *detect_tool_format(std::string_view chat_template);

class StreamParser {
public:
    // `tools`: the request's array of tools (types of bare values), or null; it must outlive the parser. `calls` false: what
    // looks like a call is text.
    static StreamParser create(Memory &m, const ToolFormat *format, const io::Json *tools, bool starts_in_reasoning = false, bool calls = true);
    StreamParser(StreamParser &&) noexcept;
    StreamParser &operator=(StreamParser &&) noexcept;
    ~StreamParser();

    void feed(std::string_view bytes);
    void finish();  // once, at the end of the stream
    // Events since the last clear.
    const Vector<ParserEvent> &events() const;
    void clear_events();
    const ParsedText &result() const;

private:
    StreamParser() = default;
    Owned<ParserMachine> machine_;
};

}  // namespace inlay::text
