// SPDX-License-Identifier: Apache-2.0
// The handles over engine::: model, tokenizer, engine, request, score.
#pragma once

#include "capi/handles.h"
#include "engine/engine.h"
#include "engine/opened_model.h"

namespace inlay::capi {

class ChatCache;  // messages.h: templates and grammars of conversations

void to_public(const engine::Event &ev, inlay_event &out);

}  // namespace inlay::capi

struct inlay_model {
    static constexpr uint32_t kTag = 0x4d444c31;
    uint32_t tag;
    std::shared_ptr<inlay::engine::Runtime> owner;
    std::shared_ptr<const inlay::engine::OpenedModel> impl;
};
struct inlay_tokenizer {
    static constexpr uint32_t kTag = 0x544f4b31;
    uint32_t tag;
    std::shared_ptr<inlay::engine::Runtime> owner;
    std::shared_ptr<const inlay::text::Tokenizer> impl;  // may share ownership with its model
};
struct inlay_engine {
    static constexpr uint32_t kTag = 0x454e4731;
    uint32_t tag;
    std::shared_ptr<inlay::engine::Runtime> owner;
    std::shared_ptr<const inlay::engine::OpenedModel> model;
    std::shared_ptr<inlay::engine::Engine> impl;
    std::shared_ptr<inlay::capi::ChatCache> chat;
};
