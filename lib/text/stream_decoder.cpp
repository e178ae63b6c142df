// SPDX-License-Identifier: Apache-2.0
// The UTF-8 state machine of the streaming decoder.
#include "text/stream_decoder.h"

namespace inlay::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Whether `b` may follow the n bytes of a sequence that is valid so far.
bool continues(const char *p, size_t n, unsigned char b) noexcept {
    if ((b & 0xC0) != 0x80) return false;
    if (n != 1) return true;
    unsigned char lead = static_cast<unsigned char>(p[0]);
    if (lead == 0xE0) return b >= 0xA0;
    if (lead == 0xED) return b < 0xA0;
    if (lead == 0xF0) return b >= 0x90;
    if (lead == 0xF4) return b < 0x90;
    return true;
}
size_t wanted(unsigned char lead) noexcept { return lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0; }

}  // namespace

void StreamDecoder::give_up(String &out) {
    // Byte pieces are replaced one by one (SentencePiece); bytes of larger tokens as one cut-off sequence (lossy UTF-8).
    for (int i = 0; i < (fallback_ ? n_pending_ : n_pending_ > 0); ++i) out.append(kReplacement);
    n_pending_ = 0;
}

void StreamDecoder::feed(unsigned char b, bool fallback, String &out) {
    if (n_pending_ > 0) {
        if (continues(pending_, n_pending_, b)) {
            pending_[n_pending_++] = static_cast<char>(b);
            fallback_ = fallback_ || fallback;
            if (n_pending_ == wanted(static_cast<unsigned char>(pending_[0]))) {
                out.append(pending_, n_pending_);
                n_pending_ = 0;
            }
            return;
        }
        give_up(out);
    }
    if (b < 0x80) {
        out.push_back(static_cast<char>(b));
    } else if (wanted(b) == 0) {
        out.append(kReplacement);
    } else {
        pending_[n_pending_++] = static_cast<char>(b);
        fallback_ = fallback;
    }
}

void StreamDecoder::push(int32_t id, String &out) {
    bytes_.clear();
    auto [first, fallback] = tokenizer_->append_token(id, first_, skip_special_, bytes_);
    first_ = first;
    const char *p = bytes_.data(), *end = p + bytes_.size();
    while (p != end) {
        if (n_pending_ == 0) {  // whole characters at once
            const char *q = p;
            while (q != end) {
                Utf8Char c = utf8_at(q, end);
                if (c.cp == kBadByte) break;
                q += c.size;
            }
            out.append(p, static_cast<size_t>(q - p));
            p = q;
            if (p == end) break;
        }
        feed(static_cast<unsigned char>(*p++), fallback, out);
    }
}

void StreamDecoder::finish(String &out) { give_up(out); }

}  // namespace inlay::text
