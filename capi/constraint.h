// SPDX-License-Identifier: Apache-2.0
// The handle of a compiled constraint.
#pragma once

#include "capi/handles.h"
#include "text/grammar/constraint.h"

struct inlay_constraint {
    static constexpr uint32_t kTag = 0x434f4e31;
    uint32_t tag;
    std::shared_ptr<inlay::engine::Runtime> owner;
    std::shared_ptr<const inlay::text::grammar::Constraint> impl;
};
