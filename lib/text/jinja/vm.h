// SPDX-License-Identifier: Apache-2.0
// Runs a program: its own stack of values and calls, one rendering at a time.
#pragma once

#include "text/jinja/code.h"
#include "text/jinja/template.h"

namespace inlay::text::jinja {

class Vm {
public:
    Vm(Memory &m, const Program &p, const RenderInput &in, RenderOutput &out);
    void run();
    Place place() const;  // of the instruction that runs, for errors

private:
    enum class Return : uint8_t { text, filter };
    struct Call {
        const FunctionCode *fn;
        Activation *act;
        uint32_t pc = 0;
        uint32_t stack_base = 0, buffer_base = 0;
        Return how = Return::text;
        int64_t depth0 = 0;     // of a recursive loop
        Loop *loop = nullptr;   // whose filter this is
        Value item;
    };

    Value &top(size_t n = 0) { return stack_[stack_.size() - 1 - n]; }
    void push(const Value &v) {
        if (stack_.size() > kMaxStack) fail(Code::limit, "template stacks more than ", kMaxStack, " values");
        stack_.push_back(v);
    }
    Value pop() {
        Value v = stack_.back();
        stack_.pop_back();
        return v;
    }
    void enter(const FunctionCode *fn, Activation *parent, Return how);
    void step();
    void output(const Str &s);
    void output(const Value &v);
    void raw_output(const char *p, size_t n, bool user);
    Value resolve(uint16_t name);
    Value *variable(const Instr &in) {
        Activation *a = calls_.back().act;
        for (uint8_t i = 0; i < in.x; ++i) a = a->parent;
        return &a->slots[in.a];
    }
    Args gather(const CallSig &sig, const Value *base);
    void call(const Instr &in);
    void call_macro(const Macro &m, const Args &args);
    void call_loop(const FunctionCode *fn, Activation *scope, const Value &iterable, int64_t depth0);
    bool pull(Loop *loop);  // tries to get one more item ahead; false: a filter call was pushed, run again
    bool prepare(const Value &obj, std::string_view attr);
    void for_setup(const Instr &in);
    void for_next(const Instr &in);
    void return_(const Instr &in);
    void unpack(const Value &v, uint32_t n);

    static constexpr size_t kMaxStack = 1u << 20;
    const Program &p_;
    Rt rt_;
    const RenderInput &in_;
    RenderOutput &out_;
    Vector<Value> stack_;
    Vector<Call> calls_;
    Vector<Text> buffers_;
    Vector<Value> resolved_;
};

}  // namespace inlay::text::jinja
