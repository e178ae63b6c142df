// SPDX-License-Identifier: Apache-2.0
// Constraints on generated text. A Constraint is compiled once, in any thread, and shared; a Matcher is one text's
// progress through it: cheap to copy, able to go back. Bytes in, so a token that cuts a character in two is no case
// of its own.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "text/grammar/machine.h"
#include "text/grammar/net.h"

namespace inlay::text::grammar {

struct SchemaOptions {
    bool allow_unknown = false;                     // unknown keywords restrict nothing instead of being refused
    std::span<const std::string_view> waived = {};  // keywords that the host accepts unenforced
    bool any_key_order = true;                      // else properties come in the schema's order
};

class Masks;
class TokenTrie;

class Constraint {
public:
    // FORMAT (place) for text that is not the language; UNSUPPORTED for what cannot be enforced; INVALID_ARGUMENT
    // where nothing matches; LIMIT over a cap. A schema's message holds the JSON pointer of the keyword to blame.
    static std::shared_ptr<const Constraint> from_gbnf(Memory &m, std::string_view source, const Limits &limits);
    static std::shared_ptr<const Constraint> from_regex(Memory &m, std::string_view source, const Limits &limits);  // whole text
    static std::shared_ptr<const Constraint> from_choices(Memory &m, std::span<const std::string_view> choices, const Limits &limits);
    static std::shared_ptr<const Constraint> from_json_schema(Memory &m, std::string_view source, const SchemaOptions &options,
                                                              const Limits &limits);
    static std::shared_ptr<const Constraint> json_object(Memory &m, const Limits &limits);

    Constraint(Memory &m, Net net, const Limits &limits);

    // The masks over one vocabulary, made at the first call and kept as long as the constraint.
    Masks &masks_for(const std::shared_ptr<const TokenTrie> &trie) const;

    const Net &net() const noexcept { return net_; }
    const Limits &limits() const noexcept { return limits_; }
    Memory &memory() const noexcept { return memory_; }

private:
    friend class Matcher;
    friend class Masks;
    Memory &memory_;
    Limits limits_;
    Net net_;
    mutable std::mutex lock_;                 // held for the length of one matcher call
    mutable std::shared_ptr<Tables> tables_;  // the current epoch
    mutable Vector<std::shared_ptr<Masks>> masks_;
};

class Matcher {
public:
    explicit Matcher(std::shared_ptr<const Constraint> constraint);
    Matcher(const Matcher &) = default;  // a fork: goes its own way from here
    Matcher(Matcher &&) = default;
    Matcher &operator=(const Matcher &) = default;
    Matcher &operator=(Matcher &&) = default;

    // Reads all bytes or none. One call is one step to go back over. LIMIT when a byte needs more work than the cap
    // allows: the matcher stays as it was.
    bool accept_bytes(std::string_view bytes);
    // How many leading bytes could be read from here (nothing is changed).
    size_t accepted_prefix(std::string_view bytes);
    bool can_end() const noexcept { return machine_.ended(); }  // the text so far is a sentence
    bool dead() const noexcept { return machine_.threads().empty() && !machine_.ended(); }
    bool only_end() const noexcept { return machine_.threads().empty(); }  // no byte can follow
    // Takes back the last n accept_bytes() calls; at most `kept_steps()` are remembered.
    void rollback(size_t n);
    size_t kept_steps() const noexcept { return history_.size(); }
    void set_history(size_t steps) noexcept { history_cap_ = steps; }
    void reset();
    // The bytes that must come next, as far as there is exactly one way and the text cannot end; at most `cap`.
    void forced_bytes(String &out, size_t cap = 4096);
    const Constraint &constraint() const noexcept { return *constraint_; }

private:
    friend class Masks;
    struct Step {
        Machine::Level level;
        uint32_t first;  // of history_threads_
    };
    void enter(size_t steps_ahead);  // under the lock: fresh tables if the epoch changed or must
    void move_to(std::shared_ptr<Tables> fresh);
    void tidy();

    std::shared_ptr<const Constraint> constraint_;
    std::shared_ptr<Tables> tables_;
    Machine machine_;
    Vector<Step> history_;
    Vector<Thread> history_threads_;
    size_t history_cap_ = 64;
    size_t tidy_at_ = 4096;  // frames; rises with what is alive
};

}  // namespace inlay::text::grammar
