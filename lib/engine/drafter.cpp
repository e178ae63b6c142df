// SPDX-License-Identifier: Apache-2.0
#include "engine/drafter.h"

#include <algorithm>

#include "base/error.h"

namespace inlay::engine {

Drafter::Drafter(Memory &m, Owned<Backend> backend, int32_t n_pages, int32_t chunk, int32_t max_rows)
    : backend_(std::move(backend)),
      cache_(m, n_pages, false, 0),
      workspace_(m, backend_->facts().n_vocab, backend_->kernels()),
      chunk_(chunk),
      max_rows_(max_rows),
      jobs_(m),
      ids_(m),
      history_(m),
      rows_(m),
      copies_(m),
      output_job_(m) {
    ids_.reserve(static_cast<size_t>(max_rows));
}

void Drafter::add(Choice &c, int32_t n) {
    if (n <= 0) return;
    // What the cache holds and is still true: all but rejected proposals.
    auto &held = c.draft_ids;
    auto same = std::mismatch(held.begin(), held.end(), c.seq.tokens.begin(), c.seq.tokens.end()).first;
    int32_t valid = std::min(static_cast<int32_t>(same - held.begin()), c.seq.known() - 1);
    cache_.truncate(c.draft_table, valid, 0, held);
    held.resize(static_cast<size_t>(c.draft_table.n_tokens));
    c.seq.drafts.clear();
    jobs_.push_back({&c, n, 0, false});
}

void Drafter::forget(const Job &j) noexcept {
    if (j.choice->constraint) j.choice->constraint->forget_guesses();
}

void Drafter::abandon() noexcept {
    if (stage_ != Stage::idle) backend_->abandon();
    for (Job &j : jobs_) {
        forget(j);
        // tokens that were not computed do not count as held
        cache_.truncate(j.choice->draft_table, static_cast<int32_t>(j.choice->draft_ids.size()), 0, j.choice->draft_ids);
        j.choice->draft_table.n_tokens = std::min(j.choice->draft_table.n_tokens, static_cast<int32_t>(j.choice->draft_ids.size()));
    }
    jobs_.clear();
    stage_ = Stage::idle;
}

// One pass over all jobs; false when none has anything left.
bool Drafter::begin_pass() {
    ids_.clear();
    rows_.clear();
    output_job_.clear();
    std::erase_if(jobs_, [](const Job &j) {
        if (j.want == 0) forget(j);
        return j.want == 0;
    });
    int32_t left = max_rows_;
    copies_.clear();
    for (Job &j : jobs_) {
        Choice &c = *j.choice;
        int32_t total = c.seq.known() + static_cast<int32_t>(c.seq.drafts.size()), from = c.draft_table.n_tokens;
        j.feed = std::min({total - from, chunk_, left});
        j.last = from + j.feed == total;
        // Without room in its cache a sequence goes without proposals.
        if (j.feed > 0 && !cache_.reserve(c.draft_table, from + j.feed, copies_)) j.feed = 0;
        if (j.feed == 0) {
            j.want = 0;
            continue;
        }
        left -= j.feed;
        for (int32_t i = from; i < from + j.feed; ++i)
            ids_.push_back(i < c.seq.known() ? c.seq.tokens[static_cast<size_t>(i)] : c.seq.drafts[static_cast<size_t>(i - c.seq.known())]);
        Rows r;
        r.n = j.feed;
        r.position = from;
        r.first_output = j.last ? j.feed - 1 : j.feed;
        r.declared = c.group.params.declared_length ? c.group.params.declared_length : c.seq.max_tokens;
        r.pages = c.draft_table.pages.data();
        r.n_blocks = cache_.blocks(c.draft_table);
        if (j.last) output_job_.push_back(static_cast<int32_t>(&j - jobs_.data()));
        rows_.push_back(r);
    }
    if (rows_.empty()) return false;
    const int32_t *at = ids_.data();
    for (Rows &r : rows_) r.tokens = at, at += r.n;
    backend_->copy_blocks(copies_);
    stage_ = Stage::forward;
    backend_->begin(rows_);
    return true;
}

void Drafter::take_row(Job &j, std::span<const float> logits, std::span<const float> tops) {
    Choice &c = *j.choice;
    const sample::Params &p = c.sampling;
    std::span<const int32_t> history = c.seq.tokens;
    if (p.repetition_penalty != 1 || p.presence_penalty != 0 || p.frequency_penalty != 0 || p.dry_multiplier != 0) {
        history_.assign(c.seq.tokens.begin(), c.seq.tokens.end());
        history_.insert(history_.end(), c.seq.drafts.begin(), c.seq.drafts.end());
        history = history_;
    }
    uint64_t position = static_cast<uint64_t>(c.seq.known()) + c.seq.drafts.size();
    sample::Restriction r;
    if (c.constraint) try {
            r.mask = c.constraint->mask();
        } catch (const Error &) {  // the turn of that token will tell
            j.want = 0;
            return;
        }
    sample::Pick pick = sample::draw(logits, p, {history, c.seq.n_prompt}, r, c.sampler, position, workspace_, tops);
    if (pick.outcome != sample::Outcome::ok) {
        j.want = 0;
        return;
    }
    c.seq.drafts.push_back(pick.token);
    --j.want;
    if (c.constraint && !c.constraint->guess(pick.token)) j.want = 0;
}

bool Drafter::advance(uint64_t deadline) {
    for (;;) {
        if (stage_ == Stage::idle && !begin_pass()) {
            for (Job &j : jobs_) forget(j);
            jobs_.clear();
            return true;
        }
        if (stage_ == Stage::forward) {
            if (!backend_->advance(deadline)) return false;
            for (Job &j : jobs_) {
                Choice &c = *j.choice;
                int32_t upto = c.draft_table.n_tokens + j.feed;
                for (int32_t i = c.draft_table.n_tokens; i < upto; ++i)
                    c.draft_ids.push_back(i < c.seq.known() ? c.seq.tokens[static_cast<size_t>(i)]
                                                            : c.seq.drafts[static_cast<size_t>(i - c.seq.known())]);
                cache_.commit(c.draft_table, 0, c.draft_ids, upto);
                if (j.feed > 0 && !j.last) j.want = 0;  // still reading the prompt: goes on in the next step
            }
            stage_ = Stage::head;
            head_first_ = head_n_ = 0;
        }
        int32_t n = static_cast<int32_t>(output_job_.size());
        while (head_first_ < n) {
            if (head_n_ == 0) {
                head_n_ = std::min(n - head_first_, backend_->max_head_rows());
                backend_->begin_head(head_first_, head_n_);
            }
            if (!backend_->advance_head(deadline)) return false;
            for (int32_t i = 0; i < head_n_; ++i)
                take_row(jobs_[static_cast<size_t>(output_job_[static_cast<size_t>(head_first_ + i)])], backend_->logits(i),
                         backend_->tops(i));
            head_first_ += head_n_;
            head_n_ = 0;
        }
        stage_ = Stage::idle;
    }
}

}  // namespace inlay::engine
