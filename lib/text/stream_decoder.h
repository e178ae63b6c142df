// SPDX-License-Identifier: Apache-2.0
// Ids in, whole UTF-8 characters out: bytes that may yet become a character are held back, bytes that cannot are
// replaced by U+FFFD as the original decoders do (one for each longest cut-off sequence; after a byte fallback, one a
// byte). Any cutting of the id stream gives the same text, and nothing that was given out is ever taken back.
#pragma once

#include "text/tokenizer.h"

namespace inlay::text {

class StreamDecoder {
public:
    // Keeps a reference: the tokenizer outlives the decoder.
    StreamDecoder(Memory &m, const Tokenizer &tokenizer, bool skip_special)
        : tokenizer_(&tokenizer), skip_special_(skip_special), bytes_(Alloc<char>(m)) {}

    // Appends what is certain now. INVALID_ARGUMENT for an id outside of the vocabulary (nothing changes).
    void push(int32_t id, String &out);
    // The end: what was held back comes out, replaced.
    void finish(String &out);
    void reset() noexcept {
        n_pending_ = 0;
        first_ = true;
    }
    size_t pending_bytes() const noexcept { return n_pending_; }

private:
    void feed(unsigned char b, bool fallback, String &out);
    void give_up(String &out);

    const Tokenizer *tokenizer_;
    bool skip_special_, first_ = true, fallback_ = false;
    uint8_t n_pending_ = 0;
    char pending_[4] = {};
    String bytes_;
};

}  // namespace inlay::text
