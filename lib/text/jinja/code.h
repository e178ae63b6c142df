// SPDX-License-Identifier: Apache-2.0
// What a template is compiled to: functions of 8-byte instructions over a stack of values. A program is never changed
// after it is made, so any number of threads may render it.
#pragma once

#include "text/jinja/runtime.h"

namespace inlay::text::jinja {

enum class Op : uint8_t {
    constant,        // push constants[a]
    load,            // push variable a of the function x levels out; if missing, undefined names[y]
    store,           // pop into variable a, x levels out
    copy,            // variable a of this function = variable b of x levels out, missing or not
    resolve,         // variable a = the context's names[y]
    clear,           // variable a = missing
    pop, dup, rot2, rot3,
    roll,            // the value below the top a moves to the top
    jump, jump_false, jump_true, jump_false_keep, jump_true_keep,  // keep: leaves the value when it jumps
    jump_set,        // to a when variable y of this function is not missing
    not_, neg, pos, binary, compare,
    concat, list, tuple, dict, slice,
    getattr, getitem,
    call, filter, test,  // a = call signature; x = table row in y (filter, test)
    unknown,         // raises names[y]: a filter (x = 0) or test (x = 1) that does not exist was reached
    output, output_constant,
    push_buffer, pop_buffer, drop_buffers,
    for_setup,       // pops the iterable; a = slot of `loop` or -1, y = filter function + 1; x = 1: recursive
    for_next,        // pushes the next item or jumps to a
    loop_done,       // one pass of the body is through
    for_end,         // x = 1: pushes whether a pass was completed
    unpack,          // pops a sequence of a items, pushes them last first
    check_space,     // the namespace variable a (x out) is one
    set_space,       // pops a value into attribute constants[y] of the namespace variable a
    make_macro,      // push macro of function a
    call_loop,       // pops an iterable, runs the recursive loop function a, pushes its text
    undefined_param, // variable a = undefined: parameter names[y] was not provided
    return_text,     // end of a function: the text of its buffer
    return_value,    // end of a loop filter: the top of the stack
    fail,            // raises the type error constants[y]
};

struct Instr {
    Op op;
    uint8_t x = 0;
    uint16_t y = 0;
    int32_t a = 0;
};

struct CallSig {
    uint32_t n_pos = 0, n_kw = 0;
    bool star = false, star_star = false, caller = false;
    uint32_t kw_names = 0;  // first of n_kw in Program::kw_names
};

struct Param {
    const Str *name;
    int32_t slot;
};

struct FunctionCode {
    enum class Kind : uint8_t { root, macro, caller, loop, filter };
    explicit FunctionCode(Memory &m)
        : code(Alloc<Instr>(m, MemTag::text)), lines(Alloc<uint64_t>(m, MemTag::text)), params(Alloc<Param>(m, MemTag::text)) {}
    Kind kind = Kind::root;
    const Str *name = nullptr;
    int32_t n_slots = 0;
    int32_t caller_slot = -1, kwargs_slot = -1, varargs_slot = -1;
    bool explicit_caller = false;
    Vector<Instr> code;
    Vector<uint64_t> lines;  // line << 32 | column, one an instruction
    Vector<Param> params;
};

struct Program {
    Program(Memory &m, const Limits &l)
        : limits(l), rt(m, limits), functions(Alloc<Owned<FunctionCode>>(m, MemTag::text)), constants(Alloc<Value>(m, MemTag::text)),
          names(Alloc<const Str *>(m, MemTag::text)), signatures(Alloc<CallSig>(m, MemTag::text)), kw_names(Alloc<const Str *>(m, MemTag::text)) {}
    Limits limits;
    Rt rt;  // owns the strings of the source; used while parsing only
    Vector<Owned<FunctionCode>> functions;  // 0 = root
    Vector<Value> constants;
    Vector<const Str *> names;
    Vector<CallSig> signatures;
    Vector<const Str *> kw_names;
};

void compile(Program &program, std::string_view source);

}  // namespace inlay::text::jinja
