// SPDX-License-Identifier: Apache-2.0
#include "batch/scheduler.h"

#include <algorithm>

#include "base/error.h"

namespace inlay::batch {

namespace {

// A step of priority is worth this many tokens of waiting: high enough to order any real queue, finite, so that the
// lowest still gets its turn.
constexpr int64_t kPriorityTokens = int64_t{1} << 20;
// Shortest-first gives a request back its place after its own length in 16ths of others' work.
constexpr int64_t kAging = 16;

void insert_sorted(Vector<Sequence *> &v, Sequence *s) { v.insert(std::upper_bound(v.begin(), v.end(), s, before), s); }
void erase(Vector<Sequence *> &v, Sequence *s) noexcept {
    auto it = std::find(v.begin(), v.end(), s);
    if (it != v.end()) v.erase(it);
}

}  // namespace

void StepPlan::clear() noexcept {
    parts.clear();
    admit.clear();
    preempt.clear();
    copies.clear();
    n_tokens = n_outputs = 0;
}

Scheduler::Scheduler(Memory &m, kv::Cache &cache, const Limits &limits)
    : cache_(cache), swap_(m, limits.swap_pages), limits_(limits), waiting_(Alloc<Sequence *>(m)), running_(Alloc<Sequence *>(m)), tenants_(Alloc<Tenant>(m)) {
    // Every running sequence must find a row in each pass.
    limits_.max_running = std::min({limits_.max_running, limits_.max_tokens, limits_.max_outputs});
    running_.reserve(static_cast<size_t>(limits_.max_running) + 1);
}

void Scheduler::check_fits(int32_t max_tokens, int32_t n_sequences) const {
    // What several share is not counted off: after a preemption it may be there twice.
    const int64_t need = cache_.groups().pages(max_tokens, limits_.chunk) * n_sequences, have = cache_.pool().n_blocks();
    if (need <= have) return;
    Message who;
    if (n_sequences == 1)
        who << "a sequence of " << max_tokens << " tokens needs ";
    else
        who << n_sequences << " beams of " << max_tokens << " tokens need ";
    fail(Code::limit, who.view(), need, " KV blocks, the cache has ", have, " (", cache_.holds(limits_.chunk), " tokens)");
}

void Scheduler::add(Sequence &s) {
    waiting_.reserve(waiting_.size() + static_cast<size_t>(limits_.max_running) + 1);  // a preemption must find room too
    auto tenant = std::find_if(tenants_.begin(), tenants_.end(), [&](const Tenant &t) { return t.salt == s.salt; });
    if (tenant == tenants_.end()) {
        // Tenants whose work is served are as good as new ones.
        std::erase_if(tenants_, [&](const Tenant &t) { return t.finish <= now_; });
        tenants_.push_back({s.salt, now_});
        tenant = tenants_.end() - 1;
    }
    int64_t start = std::max(now_, tenant->finish);
    tenant->finish = start + s.max_tokens;
    s.start = s.rank = start;
    if (limits_.policy == Policy::priority) s.rank = start - kPriorityTokens * s.priority;
    if (limits_.policy == Policy::shortest) s.rank = start / kAging + s.max_tokens;
    s.serial = ++serial_;
    s.phase = Phase::waiting;
    insert_sorted(waiting_, &s);
}

void Scheduler::remove(Sequence &s) noexcept {
    if (s.phase == Phase::waiting) erase(waiting_, &s);
    else if (s.phase != Phase::outside) erase(running_, &s);
    restart(s);
    s.phase = Phase::outside;
}

void Scheduler::fork(const Sequence &parent, Sequence &child) {
    child.start = parent.start;
    child.rank = parent.rank;
    child.serial = ++serial_;
    if (n_running() < limits_.max_running && parent.phase != Phase::waiting) {
        cache_.fork(parent.table, child.table);
        child.phase = Phase::running;
        child.admitted_before = true;
        child.n_cached = parent.n_cached;
        insert_sorted(running_, &child);
    } else {
        waiting_.reserve(waiting_.size() + static_cast<size_t>(limits_.max_running) + 1);
        child.phase = Phase::waiting;
        insert_sorted(waiting_, &child);
    }
}

void Scheduler::hold(Sequence &s) noexcept {
    s.parked = true;
    if (s.phase == Phase::running) s.phase = Phase::held;
}

void Scheduler::unhold(Sequence &s) noexcept {
    s.parked = false;
    if (s.phase == Phase::held) s.phase = Phase::running;
}

// All of it or nothing: what has no place is computed again.
void Scheduler::swap_out(Sequence &s, Vector<kv::Copy> &copies) noexcept {
    const size_t n = static_cast<size_t>(kv::blocks_for(s.table.n_tokens) * cache_.groups().n);
    size_t held = 0;
    for (size_t i = 0; i < n; ++i) held += s.table.pages[i] >= 0;
    if (held == 0 || held > static_cast<size_t>(swap_.n_free()) || n > s.swap.capacity()) return;
    s.swap_tokens = s.table.n_tokens;
    for (size_t i = 0; i < n; ++i) {
        const int32_t b = s.table.pages[i];
        s.swap.push_back(b < 0 ? -1 : swap_.take());
        if (b >= 0) copies.push_back({b, s.swap.back(), kv::Copy::Way::out});
    }
    n_swapped_out_ += held;
}

// Its table holds what the cache still knows; the rest comes from the swap.
void Scheduler::swap_in(Sequence &s, Vector<kv::Copy> &copies) {
    if (s.swap_tokens > s.table.n_tokens) {
        const size_t have = s.table.pages.size();
        if (cache_.restore(s.table, s.swap_tokens, s.swap))
            for (size_t i = have; i < s.swap.size(); ++i) {
                if (s.swap[i] < 0) continue;
                copies.push_back({s.swap[i], s.table.pages[i], kv::Copy::Way::in});
                ++n_swapped_in_;
            }
    }
    drop_swap(s);
}

void Scheduler::drop_swap(Sequence &s) noexcept {
    for (int32_t i : s.swap)
        if (i >= 0) swap_.release(i);
    s.swap.clear();
    s.swap_tokens = 0;
}

void Scheduler::preempt(Sequence &s, Vector<kv::Copy> &copies) {
    if (swap_.n_blocks() > 0) swap_out(s, copies);
    yield(s);
}

void Scheduler::yield(Sequence &s) {
    cache_.release(s.table);
    s.drafts.clear();
    ++s.preemptions;
    ++n_preempted_;
    erase(running_, &s);
    s.phase = Phase::waiting;
    insert_sorted(waiting_, &s);
}

bool Scheduler::starved() const noexcept {
    bool held = std::any_of(running_.begin(), running_.end(), [](const Sequence *s) { return s->phase == Phase::held; });
    return !held && (!running_.empty() || std::any_of(waiting_.begin(), waiting_.end(), [](const Sequence *s) { return !s->parked; }));
}

void Scheduler::begin(StepPlan &p) {
    // Room for all that follows: from here on a preemption is whole.
    const size_t groups = static_cast<size_t>(cache_.groups().n);
    size_t n_copies = (p.parts.size() + 1) * groups;
    for (Sequence *s : p.preempt) {
        n_copies += s->table.pages.size();
        if (swap_.n_blocks() > 0) s->swap.reserve(s->table.pages.size());
    }
    for (Sequence *s : p.admit) n_copies += s->swap.size();
    p.copies.reserve(n_copies);
    ++step_;
    for (Sequence *s : p.preempt) preempt(*s, p.copies);
    // What admissions share is held before anything is taken: taking could evict it.
    for (Sequence *s : p.admit) {
        erase(waiting_, s);
        s->phase = Phase::running;
        insert_sorted(running_, s);
        // A window's past that went back is neither found nor needed.
        int32_t found = s->no_attach || s->cut() ? 0 : cache_.attach(s->table, s->salt, s->tokens, (s->known() - 1) / kv::kBlockTokens);
        if (!s->admitted_before) s->n_cached = std::min(found, s->n_prompt);
        s->admitted_before = true;
        now_ = std::max(now_, s->start);
    }
    for (Sequence *s : p.admit)
        if (!s->swap.empty()) swap_in(*s, p.copies);
    size_t kept = 0;
    p.n_tokens = p.n_outputs = 0;
    for (size_t i = 0; i < p.parts.size(); ++i) {
        Part part = p.parts[i];
        Sequence &s = *part.seq;
        // More may have been found in the cache than was planned with: a preemption has just returned it.
        part.from = s.table.n_tokens;
        part.n = std::min(part.n, s.remaining() + part.n_drafts);
        part.last = part.from + part.n == s.known() + part.n_drafts;
        if (!cache_.reserve(s.table, part.from + part.n, p.copies)) continue;  // such a find can also leave too few for the last ones
        s.last_step = step_;
        p.n_tokens += part.n;
        p.n_outputs += s.all_outputs ? part.n : part.last ? 1 + part.n_drafts : 0;
        p.parts[kept++] = part;
    }
    p.parts.resize(kept);
}

void Scheduler::commit(const Part &p, int32_t accepted) noexcept {
    Sequence &s = *p.seq;
    int32_t computed = p.from + p.n - p.n_drafts + accepted;
    cache_.commit(s.table, s.salt, s.tokens, computed);
    if (p.n_drafts > accepted) cache_.truncate(s.table, computed, s.salt, s.tokens);
    s.drafts.clear();
}

void Scheduler::abort(StepPlan &p) noexcept {
    for (Part &part : p.parts)
        if (part.seq->phase == Phase::running || part.seq->phase == Phase::held) {
            cache_.truncate(part.seq->table, part.seq->table.n_tokens, part.seq->salt, part.seq->tokens);
            part.seq->drafts.clear();
        }
    p.clear();
}

void Scheduler::check() const {
    cache_.check();
    require(n_running() <= limits_.max_running, n_running(), " sequences run, limit ", limits_.max_running);
    auto in_order = [](const Vector<Sequence *> &v) { return std::is_sorted(v.begin(), v.end(), before); };
    require(in_order(waiting_) && in_order(running_), "a queue is out of order");
    int64_t swapped = 0;
    for (const Sequence *s : waiting_) {
        require(s->phase == Phase::waiting, "sequence ", s->serial, " is queued in phase ", static_cast<int>(s->phase));
        require(s->table.pages.empty() && s->table.n_tokens == 0, "sequence ", s->serial, " waits with ", s->table.pages.size(), " pages");
        require(static_cast<int32_t>(s->swap.size()) == kv::blocks_for(s->swap_tokens) * cache_.groups().n, "sequence ", s->serial, " swapped ",
                s->swap.size(), " pages of ", s->swap_tokens, " tokens");
        swapped += std::count_if(s->swap.begin(), s->swap.end(), [](int32_t i) { return i >= 0; });
    }
    require(swapped == swap_.n_blocks() - swap_.n_free(), swapped, " pages in the swap, ", swap_.n_blocks() - swap_.n_free(), " taken");
    swap_.check();
    int64_t held = 0;
    for (const Sequence *s : running_) {
        require(s->swap.empty(), "sequence ", s->serial, " runs with ", s->swap.size(), " pages in the swap");
        require(s->phase == Phase::running || s->phase == Phase::held, "sequence ", s->serial, " runs in phase ", static_cast<int>(s->phase));
        require(s->remaining() >= (s->phase == Phase::held ? 0 : 1), "sequence ", s->serial, " has ", s->table.n_tokens, " tokens computed of ", s->known());
        cache_.check(s->table);
        held += cache_.held(s->table);
    }
    int64_t refs = 0;
    for (int32_t b = 0; b < cache_.pool().n_blocks(); ++b) refs += cache_.pool().refs(b);
    require(refs >= held, held, " pages in tables, ", refs, " holds in the pool");
}

}  // namespace inlay::batch
