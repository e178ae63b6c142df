// SPDX-License-Identifier: Apache-2.0
// Checks a model's files to the last byte, in constant memory: what open_checkpoint() refuses, then every weight for NaN
// and infinity, metadata that cannot be meant, side files that do not parse. Finds problems instead of stopping at one.
#pragma once

#include "io/weights_file.h"

namespace inlay::io {

struct Problem {
    String where;  // "tensor 'blk.0.attn_q.weight'", "key 'general.alignment'", "tokenizer.json", "offset 24"
    String what;
};

// Called between pieces of about 1 MiB with the fraction done; false cancels (CANCELLED).
struct ValidateProgress {
    void *user = nullptr;
    bool (*tick)(void *user, double fraction) = nullptr;
};

// At most `max_problems`, then one that says there are more. Throws only what is not about the content: NOT_FOUND, IO,
// INVALID_ARGUMENT (the path), OUT_OF_MEMORY, the memory cap, CANCELLED.
Vector<Problem> validate_checkpoint(const FileSystem &files, Memory &m, std::string_view path, const Limits &limits, const Log &log,
                                    const ValidateProgress &progress = {}, size_t max_problems = 100);

}  // namespace inlay::io
