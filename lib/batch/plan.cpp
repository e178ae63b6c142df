// SPDX-License-Identifier: Apache-2.0
// The plan of one step, from counters alone. First every sequence that decodes gets its row, then prompts fill what is
// left in order of rank, then the queue is asked. Whoever is short of blocks takes those of the last in rank.
#include <algorithm>

#include "batch/scheduler.h"

namespace inlay::batch {

struct Scheduler::Budget {
    int32_t tokens, outputs, pages, running;
    // Pages that sequences in prefill will still need for their known tokens: not for new admissions.
    int32_t promised;
};

// Pages that become free when s alone gives up its table.
int32_t Scheduler::returned_by(const Sequence &s) const noexcept {
    int32_t n = 0;
    for (int32_t p : s.table.pages) n += p >= 0 && cache_.pool().refs(p) == 1;
    return n;
}

bool Scheduler::plan_one(Sequence &s, Budget &b, StepPlan &out) const {
    int32_t drafts = s.decoding() ? static_cast<int32_t>(s.drafts.size()) : 0;
    drafts = std::max(0, std::min({drafts, b.tokens - 1, b.outputs - 1}));
    int32_t n = std::min({s.remaining() + drafts, b.tokens, std::max(limits_.chunk, 1 + drafts)});
    if (s.all_outputs) n = std::min(n, b.outputs);
    if (n <= 0) return false;
    bool last = s.table.n_tokens + n == s.known() + drafts;
    if (last && b.outputs <= 0) {  // leave the newest token for a step with room for its output
        if (--n <= 0) return false;
        last = false;
    }
    int32_t need = cache_.need(s.table, s.table.n_tokens + n);
    if (need > b.pages && drafts > 0) {  // a guess is not worth anyone's pages
        n -= drafts;
        drafts = 0;
        need = cache_.need(s.table, s.table.n_tokens + n);
    }
    auto planned = [&](const Sequence *v) {
        return std::any_of(out.parts.begin(), out.parts.end(), [&](const Part &p) { return p.seq == v; }) ||
               std::find(out.preempt.begin(), out.preempt.end(), v) != out.preempt.end();
    };
    for (size_t i = running_.size(); need > b.pages && i-- > 0;) {
        Sequence *victim = running_[i];
        if (!before(&s, victim)) break;
        if (planned(victim)) continue;
        out.preempt.push_back(victim);
        b.pages += returned_by(*victim);
        --b.running;
    }
    if (need > b.pages) {
        // Fewer tokens may still fit: what the pages at hand allow.
        int32_t room = (cache_.blocks(s.table) + b.pages / cache_.groups().n) * kv::kBlockTokens - s.table.n_tokens;
        n = std::min(n, room);
        if (n <= 0 || cache_.need(s.table, s.table.n_tokens + n) > b.pages) return false;
        need = cache_.need(s.table, s.table.n_tokens + n);
        last = s.table.n_tokens + n == s.known() + drafts;
    }
    int32_t outputs = s.all_outputs ? n : last ? 1 + drafts : 0;
    out.parts.push_back({&s, s.table.n_tokens, n, drafts, last});
    out.n_tokens += n;
    out.n_outputs += outputs;
    b.tokens -= n;
    b.outputs -= outputs;
    b.pages -= need;
    return true;
}

// Free pages that s will use count those that it finds in the cache and that nobody holds.
Scheduler::Start Scheduler::start_of(const Sequence &s) const noexcept {
    kv::Hit hit;
    if (!s.no_attach && !s.cut()) hit = cache_.known(s.salt, s.tokens, (s.known() - 1) / kv::kBlockTokens);
    const int32_t from = std::max(hit.blocks * kv::kBlockTokens, s.swap_tokens);
    const int32_t upto = limits_.worst_case ? s.max_tokens : std::min(s.known() + 1, s.max_tokens);
    int32_t now = hit.n_free;
    for (size_t i = static_cast<size_t>(hit.blocks * cache_.groups().n); i < s.swap.size(); ++i) now += s.swap[i] >= 0;
    return {from, std::max(now, cache_.cost(hit, upto, limits_.chunk)), now};
}

// Under the priority policy the head of the queue may take the place of one that runs with a lower priority.
void Scheduler::plan_priority(Budget &b, StepPlan &out) const {
    if (limits_.policy != Policy::priority || waiting_.empty() || running_.empty()) return;
    auto first = std::find_if(waiting_.begin(), waiting_.end(), [](const Sequence *s) { return !s->parked; });
    if (first == waiting_.end()) return;
    const Sequence *head = *first;
    const int32_t need = start_of(*head).need;
    for (size_t i = running_.size(); i-- > 0 && (b.running >= limits_.max_running || need > b.pages);) {
        Sequence *victim = running_[i];
        if (victim->priority >= head->priority) continue;
        out.preempt.push_back(victim);
        b.pages += returned_by(*victim);
        --b.running;
    }
}

void Scheduler::plan_admissions(Budget &b, StepPlan &out) const {
    for (Sequence *s : waiting_) {
        if (b.running >= limits_.max_running || b.tokens <= 0 || b.outputs <= 0) return;
        if (s->parked) continue;
        const Start at = start_of(*s);
        const int32_t need = at.need, from = at.from;
        // In order: one that does not fit keeps those behind it waiting, or a long prompt would never be served.
        bool alone = b.running == 0 && out.parts.empty();
        if (need > b.pages - b.promised && !(alone && need <= b.pages)) return;
        int32_t n = std::min({s->known() - from, b.tokens, limits_.chunk});
        if (s->all_outputs) n = std::min(n, b.outputs);
        bool last = from + n == s->known();
        int32_t outputs = s->all_outputs ? n : last ? 1 : 0;
        out.admit.push_back(s);
        out.parts.push_back({s, from, n, 0, last});
        out.n_tokens += n;
        out.n_outputs += outputs;
        b.tokens -= n;
        b.outputs -= outputs;
        const int32_t now = at.now + (kv::blocks_for(from + n) - kv::blocks_for(from)) * cache_.groups().n;
        b.pages -= now;
        b.promised += std::max(0, need - now);
        ++b.running;
    }
}

void Scheduler::plan(StepPlan &out) const {
    out.clear();
    Budget b{limits_.max_tokens, limits_.max_outputs, cache_.pool().n_free(), n_running(), 0};
    plan_priority(b, out);
    auto gone = [&](const Sequence *s) { return std::find(out.preempt.begin(), out.preempt.end(), s) != out.preempt.end(); };
    for (Sequence *s : running_)
        if (s->phase == Phase::running && s->decoding() && !gone(s)) plan_one(*s, b, out);
    for (Sequence *s : running_)
        if (s->phase == Phase::running && !s->decoding() && !gone(s)) plan_one(*s, b, out);
    for (Sequence *s : running_) {
        if (gone(s)) continue;
        int32_t upto = limits_.worst_case ? s->max_tokens : std::min(s->known() + 1, s->max_tokens);
        auto part = std::find_if(out.parts.begin(), out.parts.end(), [&](const Part &p) { return p.seq == s; });
        int32_t have = cache_.blocks(s->table);
        if (part != out.parts.end()) have = std::max(have, kv::blocks_for(part->from + part->n));
        b.promised += cache_.growth(s->table, have, upto, limits_.chunk);
    }
    // With someone just sent away for lack of blocks, nobody new comes in: under priority the head does.
    if (out.preempt.empty() || limits_.policy == Policy::priority) plan_admissions(b, out);
}

}  // namespace inlay::batch
