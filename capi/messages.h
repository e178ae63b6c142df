// SPDX-License-Identifier: Apache-2.0
// The messages API: a conversation becomes prompt ids, with control tokens from the template alone; tools and the choice
// among them become a grammar; the answer's text becomes content, reasoning and tool-call events.
#pragma once

#include <mutex>

#include "capi/chat_request.h"
#include "capi/engine_handles.h"
#include "text/jinja/template.h"
#include "text/messages.h"

namespace inlay::capi {

// Turns a request's token events into message events.
class Answer {
public:
    virtual ~Answer() = default;
    virtual Code poll(engine::Request &req, inlay_event &out) = 0;
};

// How the answers of a request are read, by every choice on its own.
class AnswerReader {
public:
    virtual ~AnswerReader() = default;
    virtual Owned<Answer> make() const = 0;
};

struct Conversation {
    Vector<int32_t> ids;
    std::shared_ptr<const text::grammar::Constraint> grammar;  // null: the answer is free
    std::shared_ptr<const AnswerReader> reader;                // null: hand out the text as it is
};

// What an engine has made for conversations and is likely to need again. Any thread.
class ChatCache {
public:
    explicit ChatCache(Memory &m) : templates_(m), grammars_(m), control_(m) {}

    struct ParsedTemplate {
        text::Template tpl;
        text::MessageFit fit;
    };
    std::shared_ptr<const ParsedTemplate> parsed(Memory &m, std::string_view source, const Limits &limits);
    std::shared_ptr<const text::grammar::Constraint> grammar(Memory &m, const text::AnswerShape &shape, const Limits &limits);
    // The control tokens that marks can be made of.
    std::span<const text::ControlToken> control(const text::Tokenizer &t);

private:
    // A handful, the latest last: conversations of one host differ in few templates and lists of tools.
    template <class T>
    using Recent = Vector<std::pair<String, std::shared_ptr<const T>>>;
    template <class T, class Make>
    std::shared_ptr<const T> keep(Recent<T> &list, String key, Make &&make);

    std::mutex lock_;
    Recent<ParsedTemplate> templates_;
    Recent<text::grammar::Constraint> grammars_;
    Vector<text::ControlToken> control_;
    bool has_control_ = false;
};

// `constrained`: the host brings a constraint of its own.
Conversation prepare_conversation(engine::Runtime &rt, const inlay_engine &engine, std::string_view json, bool parse_answer,
                                  bool constrained);

}  // namespace inlay::capi

struct inlay_request {
    static constexpr uint32_t kTag = 0x52455131;
    uint32_t tag;
    std::shared_ptr<inlay::engine::Runtime> owner;
    std::shared_ptr<inlay::engine::Request> impl;
    std::shared_ptr<const inlay::capi::AnswerReader> reader;
    inlay::Owned<inlay::capi::Answer> answer;
};
