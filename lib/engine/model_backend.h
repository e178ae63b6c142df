// SPDX-License-Identifier: Apache-2.0
// Binds an opened model to an engine: the paged forward pass as a Backend, the tokenizer as its Speech, a compiled
// grammar as a Constraint.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "engine/opened_model.h"
#include "text/grammar/constraint.h"

namespace inlay::engine {

// kv_bytes 0: enough for max_requests of n_ctx tokens, within half of what the memory cap leaves. Errors: LIMIT, STATE
// (no weights), OUT_OF_MEMORY. `draft` may be null; UNSUPPORTED when its vocabulary has another size.
std::shared_ptr<Engine> open_engine(std::shared_ptr<const OpenedModel> model, std::shared_ptr<const OpenedModel> draft, EngineParams params,
                                    kernels::KvType kv_type, uint64_t kv_bytes);

// One answer's progress through `c` over the model's vocabulary. `trigger`: the constraint begins behind this text.
Owned<Constraint> constrain(const OpenedModel &model, std::shared_ptr<const text::grammar::Constraint> c, std::string_view trigger,
                            bool control = false);

}  // namespace inlay::engine
