// SPDX-License-Identifier: Apache-2.0
// The best path, and its way back.
#include "text/unigram.h"

#include <cmath>

#include "base/error.h"
#include "text/unicode/unicode.h"

namespace inlay::text {
namespace {

constexpr double kUnknownPenalty = 10.0;  // below the worst piece; SentencePiece's kUnkPenalty
// A user-defined piece scores this for each byte beyond its first: above every ordinary piece, the longer the better.
// Found by comparing with sentencepiece 0.2.3 on models made for ties.
constexpr double kUserDefinedBonus = 0.1;
constexpr uint32_t kNowhere = 0xffffffffu;

}  // namespace

UnigramModel::UnigramModel(Memory &m, const Vocab &vocab, Vector<double> scores, const UnigramOptions &options)
    : vocab_(vocab), options_(options), scores_(std::move(scores)), tree_(m), user_defined_(m) {
    if (scores_.empty())
        for (int32_t id = 0; id < vocab.size(); ++id) scores_.push_back(vocab.score(id));
    auto usable = [&](int32_t id) {
        TokenType t = vocab.type(id);
        return (t == TokenType::normal || t == TokenType::user_defined) && !vocab.only_added(id);
    };
    double lowest = INFINITY;
    for (int32_t id = 0; id < vocab.size(); ++id) {
        double score = scores_[static_cast<size_t>(id)];
        if (!std::isfinite(score)) fail(Code::format, "token ", id, " has a score that is not finite");
        if (vocab.type(id) == TokenType::user_defined && !vocab.text(id).empty()) user_defined_.add(vocab.text(id), id);
        if (vocab.type(id) != TokenType::normal) continue;
        lowest = std::min(lowest, score);
    }
    if (lowest == INFINITY) lowest = 0;
    unk_score_ = lowest - kUnknownPenalty;
    tree_.build(m, vocab, usable);
    user_defined_.build();
    for (int b = 0; b < 256; ++b) byte_ids_[b] = options.byte_fallback ? vocab.find_byte(static_cast<unsigned char>(b)) : kNoToken;
}

// s.back[i]: the last piece of the best way to the first i bytes; bytes = kNowhere where none leads there yet.
template <class Real>
void UnigramModel::best_path(EncodeScratch &s, std::string_view word) const {
    const size_t n = word.size();
    s.back.assign(n + 1, Piece{kNoToken, kNowhere});
    s.scores.assign(n + 1, 0.0);
    const char *end = word.data() + n;
    for (size_t at = 0; at < n;) {
        const double here = s.scores[at];
        const size_t one = utf8_at(word.data() + at, end).size;
        bool has_single = false;
        auto reach = [&](size_t bytes, int32_t id, double total) {
            Piece &back = s.back[at + bytes];
            if (back.bytes != kNowhere && !(total > s.scores[at + bytes])) return;
            back = {id, static_cast<uint32_t>(bytes)};
            s.scores[at + bytes] = static_cast<double>(static_cast<Real>(total));
        };
        tree_.each_prefix(word.substr(at), [&](size_t bytes, int32_t id) {
            double score = scores_[static_cast<size_t>(id)];
            if (options_.user_defined_first && vocab_.type(id) == TokenType::user_defined) score = kUserDefinedBonus * static_cast<double>(bytes - 1);
            reach(bytes, id, static_cast<double>(static_cast<Real>(score) + static_cast<Real>(here)));
            has_single = has_single || bytes == one;
        });
        if (!has_single) reach(one, options_.unk, static_cast<double>(static_cast<Real>(unk_score_) + static_cast<Real>(here)));
        at += one;
    }
}

void UnigramModel::encode(EncodeScratch &s, std::string_view word, Vector<Piece> &out) const {
    if (options_.single_precision) best_path<float>(s, word);
    else best_path<double>(s, word);
    size_t before = out.size();
    for (size_t at = word.size(); at > 0; at -= s.back[at].bytes) out.push_back(s.back[at]);
    std::reverse(out.begin() + static_cast<ptrdiff_t>(before), out.end());

    // Unknown stretches: their bytes, or one unknown token for each.
    auto is_unknown = [&](const Piece &p) { return p.id == options_.unk; };
    bool any = false;
    for (size_t i = before; i < out.size(); ++i) any = any || is_unknown(out[i]);
    if (!any) return;
    s.fallback.assign(out.begin() + static_cast<ptrdiff_t>(before), out.end());
    out.resize(before, Piece{});
    size_t at = 0;
    for (const Piece &p : s.fallback) {
        if (!is_unknown(p)) {
            out.push_back(p);
        } else {
            bool bytes = options_.byte_fallback;
            for (size_t i = 0; i < p.bytes && bytes; ++i) bytes = byte_ids_[static_cast<unsigned char>(word[at + i])] != kNoToken;
            if (bytes) {
                for (size_t i = 0; i < p.bytes; ++i) out.push_back({byte_ids_[static_cast<unsigned char>(word[at + i])], 1});
            } else if (options_.unk == kNoToken) {
                if (out.size() > before) out.back().bytes += p.bytes;
            } else if (out.size() > before && is_unknown(out.back())) {
                out.back().bytes += p.bytes;
            } else {
                out.push_back(p);
            }
        }
        at += p.bytes;
    }
}

}  // namespace inlay::text
