// SPDX-License-Identifier: Apache-2.0
// The messages API: a conversation becomes prompt ids, with control tokens from the template alone; the answer's text
// becomes content, reasoning and tool-call events.
#pragma once

#include "capi/engine_handles.h"

namespace inlay::capi {

// Turns a request's token events into message events.
class Answer {
public:
    virtual ~Answer() = default;
    virtual Code poll(engine::Request &req, inlay_event &out) = 0;
};

struct Conversation {
    Vector<int32_t> ids;
    Owned<Answer> answer;  // null: hand out the text as it is
};

Conversation prepare_conversation(engine::Runtime &rt, const engine::OpenedModel &model, std::string_view json, bool parse_answer);

}  // namespace inlay::capi

struct inlay_request {
    static constexpr uint32_t kTag = 0x52455131;
    uint32_t tag;
    std::shared_ptr<inlay::engine::Runtime> owner;
    std::shared_ptr<inlay::engine::Request> impl;
    inlay::Owned<inlay::capi::Answer> answer;
};
