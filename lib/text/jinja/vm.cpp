// SPDX-License-Identifier: Apache-2.0
// The interpreter. Calls of macros, call blocks, recursive loops and loop filters are frames on its own stack, so no
// template can deepen the C stack; native filters and methods never call back into code.
#include "text/jinja/vm.h"

#include <algorithm>

namespace inlay::text::jinja {

Vm::Vm(Memory &m, const Program &p, const RenderInput &in, RenderOutput &out)
    : p_(p), rt_(m, p.limits), in_(in), out_(out), stack_(Alloc<Value>(m, MemTag::text)), calls_(Alloc<Call>(m, MemTag::text)),
      buffers_(Alloc<Text>(m, MemTag::text)), resolved_(p.names.size(), Value{}, Alloc<Value>(m, MemTag::text)) {
    rt_.extended = in.extended;
    rt_.now = in.now;
}

Place Vm::place() const {
    if (calls_.empty()) return {};
    const Call &c = calls_.back();
    for (uint32_t pc = std::min<uint32_t>(c.pc, static_cast<uint32_t>(c.fn->lines.size())); pc-- > 0;)
        if (c.fn->lines[pc]) return {-1, static_cast<int32_t>(c.fn->lines[pc] >> 32), static_cast<int32_t>(c.fn->lines[pc] & 0xffffffff)};
    return {};
}

void Vm::enter(const FunctionCode *fn, Activation *parent, Return how) {
    if (calls_.size() > rt_.limits.template_call_depth)
        fail(Code::limit, "template calls nest ", calls_.size(), " deep, limit ", rt_.limits.template_call_depth);
    Activation *act = rt_.heap.make<Activation>();
    act->parent = parent;
    act->slots = rt_.heap.array<Value>(static_cast<size_t>(fn->n_slots));
    for (int32_t i = 0; i < fn->n_slots; ++i) act->slots[i] = Value{};
    rt_.charge(static_cast<uint64_t>(fn->n_slots) / 4 + 1);
    Call c{fn, act};
    c.stack_base = static_cast<uint32_t>(stack_.size());
    c.buffer_base = static_cast<uint32_t>(buffers_.size());
    c.how = how;
    calls_.push_back(c);
    if (how == Return::text && fn->kind != FunctionCode::Kind::root) buffers_.emplace_back(rt_);
}

void Vm::run() {
    enter(p_.functions[0].get(), nullptr, Return::text);
    while (!calls_.empty()) step();
}

// ---- output ----

void Vm::raw_output(const char *p, size_t n, bool user) {
    if (n == 0) return;
    if (out_.text.size() + n > rt_.limits.template_output_bytes)
        fail(Code::limit, "template output exceeds ", rt_.limits.template_output_bytes, " bytes");
    rt_.charge(n >> 4);
    out_.text.append(p, n);
    if (!out_.segments.empty() && out_.segments.back().user == user) out_.segments.back().end = out_.text.size();
    else out_.segments.push_back({out_.text.size(), user});
}

void Vm::output(const Str &s) {
    if (!buffers_.empty()) return buffers_.back().add(s);
    if (!s.shadow) return raw_output(s.data, s.size, s.user);
    for (uint32_t i = 0; i < s.size;) {
        const void *change = std::memchr(s.shadow + i, s.shadow[i] ^ 1, s.size - i);
        uint32_t end = change ? static_cast<uint32_t>(static_cast<const uint8_t *>(change) - s.shadow) : s.size;
        raw_output(s.data + i, end - i, s.shadow[i] != 0);
        i = end;
    }
}

void Vm::output(const Value &v) {
    if (v.is_string()) return output(*v.s);
    if (v.is_undefined()) return;
    output(*to_str(rt_, v));
}

Value Vm::resolve(uint16_t name) {
    Value &v = resolved_[name];
    if (!v.is_missing()) return v.kind == Kind::slice ? Value{} : v;  // a slice marks a name that is known to be absent
    std::string_view w = p_.names[name]->view();
    for (size_t i = in_.variables.size(); i-- > 0;) {
        const TemplateVariable &var = in_.variables[i];
        if (var.name != w) continue;
        return v = var.value ? from_json(rt_, *var.value, !var.trusted) : Value::none();
    }
    if (w == "self") return v = Value::of(new_dict(rt_), Kind::space);  // Jinja's handle on blocks, of which there are none
    int id = find_global(w);
    if (w == "strftime_now" && in_.now.month == 0) id = -1;  // no clock was given
    if (id >= 0) {
        v = Value::of(Kind::function);
        v.i = id;
        return v;
    }
    v.kind = Kind::slice;
    return {};
}

// ---- calls ----

Args Vm::gather(const CallSig &sig, const Value *base) {
    Args args;
    args.pos = base;
    args.n_pos = sig.n_pos;
    args.kw = base + sig.n_pos;
    args.n_kw = sig.n_kw;
    args.kw_names = p_.kw_names.data() + sig.kw_names;
    if (!sig.star && !sig.star_star && !sig.caller) return args;
    List *pos = new_list(rt_, sig.n_pos), *kw = new_list(rt_, sig.n_kw + 1u), *names = new_list(rt_, sig.n_kw + 1u);
    const Value *rest = base + sig.n_pos + sig.n_kw;
    for (uint32_t i = 0; i < sig.n_pos; ++i) jinja::push(rt_, pos, base[i]);
    for (uint32_t i = 0; i < sig.n_kw; ++i) jinja::push(rt_, kw, args.kw[i]), jinja::push(rt_, names, str_value(args.kw_names[i]));
    if (sig.star) {
        const Value &s = *rest++;
        if (!s.is(Kind::iterator) && !s.is_array() && !s.is_string() && !s.is(Kind::dict) && !s.is(Kind::view) && !s.is(Kind::range) &&
            !s.is_undefined())
            type_error(rt_, "TypeError: argument after * must be an iterable, not ", type_name(s));
        List *more = to_list(rt_, s);
        for (uint32_t i = 0; i < more->size; ++i) jinja::push(rt_, pos, more->data[i]);
    }
    if (sig.star_star) {
        const Value &s = *rest++;
        if (!s.is(Kind::dict)) type_error(rt_, "TypeError: argument after ** must be a mapping, not ", type_name(s));
        for (uint32_t i = 0; i < s.dict->size; ++i) {
            const DictEntry &e = s.dict->entries[i];
            if (!e.key.is_string()) type_error(rt_, "TypeError: keywords must be strings");
            for (uint32_t k = 0; k < names->size; ++k)
                if (names->data[k].s->view() == e.key.s->view())
                    type_error(rt_, "TypeError: got multiple values for keyword argument '", e.key.s, "'");
            jinja::push(rt_, kw, e.value);
            jinja::push(rt_, names, e.key);
        }
    }
    if (sig.caller) jinja::push(rt_, kw, *rest), jinja::push(rt_, names, literal(rt_, "caller"));
    const Str **name_array = rt_.heap.array<const Str *>(names->size);
    for (uint32_t i = 0; i < names->size; ++i) name_array[i] = names->data[i].s;
    args.pos = pos->data;
    args.n_pos = pos->size;
    args.kw = kw->data;
    args.n_kw = kw->size;
    args.kw_names = name_array;
    return args;
}

void Vm::call_macro(const Macro &m, const Args &args) {
    const FunctionCode &fn = *m.code;
    enter(&fn, m.scope, Return::text);
    Activation *act = calls_.back().act;
    uint32_t n = static_cast<uint32_t>(fn.params.size()), given = std::min(args.n_pos, n);
    for (uint32_t i = 0; i < given; ++i) act->slots[fn.params[i].slot] = args.pos[i];
    Dict *rest = nullptr;
    bool found_caller = given == n && fn.explicit_caller;
    uint64_t taken = 0;  // keywords that went to parameters, one bit each; more than 64 keywords go by the slow way
    auto is_taken = [&](uint32_t k) { return k < 64 && (taken >> k & 1); };
    for (uint32_t k = 0; k < args.n_kw; ++k) {
        std::string_view w = args.kw_names[k]->view();
        for (uint32_t i = given; i < n; ++i)
            if (fn.params[i].name->view() == w) {
                act->slots[fn.params[i].slot] = args.kw[k];
                if (k < 64) taken |= uint64_t{1} << k;
                else type_error(rt_, "TypeError: more than 64 keyword arguments");
            }
    }
    if (given < n && fn.explicit_caller) found_caller = true;
    if (fn.caller_slot >= 0 && !found_caller) {
        Value caller = Value::none();
        for (uint32_t k = 0; k < args.n_kw; ++k)
            if (!is_taken(k) && args.kw_names[k]->view() == "caller") {
                caller = args.kw[k];
                if (k < 64) taken |= uint64_t{1} << k;
            }
        act->slots[fn.caller_slot] = caller.is_none() ? undefined(rt_, "No caller defined") : caller;
    }
    if (fn.kwargs_slot >= 0) rest = new_dict(rt_);
    for (uint32_t k = 0; k < args.n_kw; ++k) {
        if (is_taken(k)) continue;
        const Str *w = args.kw_names[k];
        if (rest) dict_set(rt_, rest, str_value(w), args.kw[k]);
        else if (fn.name) type_error(rt_, "TypeError: macro '", fn.name, "' takes no keyword argument '", w, "'");
        else type_error(rt_, "TypeError: macro None takes no keyword argument '", w, "'");
    }
    if (rest) act->slots[fn.kwargs_slot] = Value::of(rest);
    if (fn.varargs_slot >= 0) {
        List *l = new_list(rt_, args.n_pos - given);
        for (uint32_t i = given; i < args.n_pos; ++i) jinja::push(rt_, l, args.pos[i]);
        act->slots[fn.varargs_slot] = Value::of(l, Kind::tuple);
    } else if (args.n_pos > n) {
        type_error(rt_, "TypeError: macro '", fn.name ? fn.name->view() : "None", "' takes not more than ", static_cast<int64_t>(n), " argument(s)");
    }
}

void Vm::call_loop(const FunctionCode *fn, Activation *scope, const Value &iterable, int64_t depth0) {
    enter(fn, scope, Return::text);
    calls_.back().depth0 = depth0;
    push(iterable);
}

void Vm::call(const Instr &in) {
    const CallSig &sig = p_.signatures[static_cast<size_t>(in.a)];
    size_t n = sig.n_pos + sig.n_kw + sig.star + sig.star_star + sig.caller;
    Value callee = stack_[stack_.size() - n - 1];
    Args args = gather(sig, stack_.data() + stack_.size() - n);
    auto drop = [&] { stack_.resize(stack_.size() - n - 1); };
    // A new frame's stack begins where the callee stood, so that its result takes that place.
    auto framed = [&] {
        Value *arg_copy = rt_.heap.array<Value>(args.n_pos + args.n_kw);
        std::copy_n(args.pos, args.n_pos, arg_copy);
        std::copy_n(args.kw, args.n_kw, arg_copy + args.n_pos);
        args.pos = arg_copy;
        args.kw = arg_copy + args.n_pos;
        drop();
    };
    switch (callee.kind) {
        case Kind::macro:
            framed();
            return call_macro(*callee.macro, args);
        case Kind::loop:
            if (!callee.loop->recurse) type_error(rt_, "TypeError: The loop must have the 'recursive' marker to be called recursively.");
            if (args.n_pos != 1 || args.n_kw) type_error(rt_, "TypeError: a recursive loop takes one iterable");
            framed();
            return call_loop(callee.loop->recurse, callee.loop->scope, args.pos[0], callee.loop->depth0 + 1);
        case Kind::method: {
            Value v = call_method(rt_, *callee.method, args);
            drop();
            return push(v);
        }
        case Kind::function: {
            Value v = call_global(rt_, static_cast<int>(callee.i), args);
            drop();
            return push(v);
        }
        case Kind::joiner: {
            Joiner *j = callee.joiner;
            Value v = j->used ? j->sep : literal(rt_, "");
            j->used = true;
            drop();
            return push(v);
        }
        case Kind::undefined: use_undefined(rt_, callee);
        default: type_error(rt_, "TypeError: '", type_name(callee), "' object is not callable");
    }
}

void Vm::return_(const Instr &in) {
    Call c = calls_.back();
    if (in.op == Op::return_value) {
        Value v = pop();
        calls_.pop_back();
        stack_.resize(c.stack_base);
        if (truthy(rt_, v)) jinja::push(rt_, c.loop->ahead, c.item);
        return;  // the caller's instruction runs again and finds the item
    }
    if (c.fn->kind == FunctionCode::Kind::root) {
        calls_.pop_back();
        return;
    }
    const Str *s = buffers_[c.buffer_base].done();
    buffers_.erase(buffers_.begin() + c.buffer_base, buffers_.end());
    stack_.resize(c.stack_base);
    calls_.pop_back();
    push(str_value(s));
}

// ---- loops ----

void Vm::for_setup(const Instr &in) {
    Value iterable = pop();
    Call &c = calls_.back();
    Loop *l = rt_.heap.make<Loop>();
    if (iterable.is(Kind::loop)) iterable = Value::of(to_list(rt_, iterable));
    l->iter = iterate(rt_, iterable);
    l->iterable = iterable;
    l->slot = in.a;
    l->scope = in.x ? c.act->parent : c.act;
    if (in.y) {
        l->filter = p_.functions[static_cast<size_t>(in.y - 1)].get();
        l->ahead = new_list(rt_);
    }
    if (in.x) {
        l->recurse = c.fn;
        l->depth0 = c.depth0;
    }
    Value v = Value::of(Kind::loop);
    v.loop = l;
    push(v);
}

// One more item into `ahead`, or `exhausted`. With a filter it takes a call, after which the instruction is run again.
bool Vm::pull(Loop *l) {
    Value item;
    if (!next(rt_, l->iter, &item)) {
        l->exhausted = true;
        return true;
    }
    if (!l->filter) {
        if (!l->ahead) l->ahead = new_list(rt_);
        jinja::push(rt_, l->ahead, item);
        return true;
    }
    calls_.back().pc--;
    enter(l->filter, l->scope, Return::filter);
    calls_.back().loop = l;
    calls_.back().item = item;
    push(item);
    return false;
}

void Vm::for_next(const Instr &in) {
    Loop *l = top().loop;
    Value item;
    if (l->ahead && l->ahead_pos < l->ahead->size) {
        item = l->ahead->data[l->ahead_pos++];
        if (l->ahead_pos == l->ahead->size) l->ahead->size = l->ahead_pos = 0;
    } else if (l->exhausted || (!l->filter && !next(rt_, l->iter, &item))) {
        calls_.back().pc = static_cast<uint32_t>(in.a);
        return;
    } else if (l->filter) {
        if (pull(l)) calls_.back().pc--;
        return;
    }
    ++l->index0;
    l->before = l->current;
    l->current = item;
    if (l->slot >= 0) calls_.back().act->slots[l->slot] = top();
    push(item);
}

// Attributes of `loop` that look ahead. With a loop filter that takes calls: false means "run this instruction again".
bool Vm::prepare(const Value &obj, std::string_view attr) {
    Loop *l = obj.loop;
    auto ahead = [&] { return l->ahead && l->ahead_pos < l->ahead->size; };
    if (attr == "last" || attr == "nextitem") {
        while (!ahead() && !l->exhausted)
            if (!pull(l)) return false;
        return true;
    }
    if (attr == "length" || attr == "revindex" || attr == "revindex0") {
        if (l->length >= 0) return true;
        Kind k = l->iterable.kind;
        if (!l->filter && (l->iterable.is_array() || k == Kind::string || k == Kind::dict || k == Kind::range || k == Kind::view ||
                           k == Kind::undefined)) {
            l->length = length_of(rt_, l->iterable);
            return true;
        }
        while (!l->exhausted)
            if (!pull(l)) return false;
        l->length = l->index0 + 1 + (l->ahead ? l->ahead->size - l->ahead_pos : 0);
    }
    return true;
}

Value loop_attr(Rt &rt, const Value &v, std::string_view n) {
    const Loop &l = *v.loop;
    bool more = l.ahead && l.ahead_pos < l.ahead->size;
    if (n == "index0") return Value::integer(l.index0);
    if (n == "index") return Value::integer(l.index0 + 1);
    if (n == "first") return Value::boolean(l.index0 == 0);
    if (n == "last") return Value::boolean(!more);
    if (n == "length") return Value::integer(l.length);
    if (n == "revindex") return Value::integer(l.length - l.index0);
    if (n == "revindex0") return Value::integer(l.length - l.index0 - 1);
    if (n == "depth") return Value::integer(l.depth0 + 1);
    if (n == "depth0") return Value::integer(l.depth0);
    if (n == "previtem") return l.index0 == 0 ? undefined(rt, "there is no previous item") : l.before;
    if (n == "nextitem") return more ? l.ahead->data[l.ahead_pos] : undefined(rt, "there is no next item");
    return {};
}

Value macro_attr(Rt &rt, const Macro &m, std::string_view n) {
    const FunctionCode &fn = *m.code;
    if (n == "name") return fn.name ? str_value(fn.name) : Value::none();
    if (n == "arguments") {
        List *l = new_list(rt, fn.params.size());
        for (const Param &p : fn.params) push(rt, l, str_value(p.name));
        return Value::of(l, Kind::tuple);
    }
    if (n == "catch_kwargs") return Value::boolean(fn.kwargs_slot >= 0);
    if (n == "catch_varargs") return Value::boolean(fn.varargs_slot >= 0);
    if (n == "caller") return Value::boolean(fn.caller_slot >= 0);
    if (n == "explicit_caller") return Value::boolean(fn.explicit_caller);
    return {};
}

void repr_macro(Text &out, const Macro &m) {
    out.add("<Macro ");
    if (m.code->name) repr_str(out, *m.code->name);
    else out.add("anonymous");
    out.add(">");
}

void Vm::unpack(const Value &v, uint32_t n) {
    if (!v.is_array() && !v.is_string() && !v.is(Kind::dict) && !v.is(Kind::view) && !v.is(Kind::range) && !v.is(Kind::iterator) && !v.is_undefined())
        type_error(rt_, "TypeError: cannot unpack non-iterable ", type_name(v), " object");
    const List *l = v.is_array() ? v.list : to_list(rt_, v);
    if (l->size < n)
        type_error(rt_, "ValueError: not enough values to unpack (expected ", static_cast<int64_t>(n), ", got ", static_cast<int64_t>(l->size), ")");
    if (l->size > n) type_error(rt_, "ValueError: too many values to unpack (expected ", static_cast<int64_t>(n), ")");
    for (uint32_t i = n; i-- > 0;) push(l->data[i]);
}

// ---- one instruction ----

void Vm::step() {
    Call *c = &calls_.back();
    const Instr &in = c->fn->code[c->pc++];
    rt_.charge(1);
    switch (in.op) {
        case Op::constant: return push(p_.constants[static_cast<size_t>(in.a)]);
        case Op::load: {
            const Value &v = *variable(in);
            return push(v.is_missing() ? undefined_name(rt_, p_.names[in.y]->view()) : v);
        }
        case Op::store: *variable(in) = pop(); return;
        case Op::copy: {
            Activation *a = c->act;
            for (uint8_t i = 0; i < in.x; ++i) a = a->parent;
            c->act->slots[in.a] = a->slots[in.y];
            return;
        }
        case Op::resolve: c->act->slots[in.a] = resolve(in.y); return;
        case Op::clear: c->act->slots[in.a] = Value{}; return;
        case Op::pop: stack_.pop_back(); return;
        case Op::dup: return push(top());
        case Op::rot2: std::swap(top(), top(1)); return;
        case Op::rot3: std::swap(top(), top(1)), std::swap(top(1), top(2)); return;
        case Op::roll: std::rotate(stack_.end() - in.a - 1, stack_.end() - in.a, stack_.end()); return;
        case Op::jump: c->pc = static_cast<uint32_t>(in.a); return;
        case Op::jump_false:
            if (!truthy(rt_, pop())) c->pc = static_cast<uint32_t>(in.a);
            return;
        case Op::jump_true:
            if (truthy(rt_, pop())) c->pc = static_cast<uint32_t>(in.a);
            return;
        case Op::jump_false_keep:
            if (!truthy(rt_, top())) c->pc = static_cast<uint32_t>(in.a);
            else stack_.pop_back();
            return;
        case Op::jump_true_keep:
            if (truthy(rt_, top())) c->pc = static_cast<uint32_t>(in.a);
            else stack_.pop_back();
            return;
        case Op::jump_set:
            if (!c->act->slots[in.y].is_missing()) c->pc = static_cast<uint32_t>(in.a);
            return;
        case Op::not_: top() = Value::boolean(!truthy(rt_, top())); return;
        case Op::neg:
        case Op::pos: top() = negate(rt_, top(), in.op == Op::neg); return;
        case Op::binary: {
            Value v = binary(rt_, static_cast<BinOp>(in.x), top(1), top());
            stack_.pop_back();
            top() = v;
            return;
        }
        case Op::compare: {
            bool r = jinja::compare(rt_, static_cast<Cmp>(in.x), top(1), top());
            stack_.pop_back();
            top() = Value::boolean(r);
            return;
        }
        case Op::concat: {
            Text t(rt_);
            size_t n = static_cast<size_t>(in.a);
            for (size_t i = 0; i < n; ++i) t.add(to_str(rt_, top(n - 1 - i)));
            stack_.resize(stack_.size() - n);
            return push(str_value(t.done()));
        }
        case Op::list:
        case Op::tuple: {
            size_t n = static_cast<size_t>(in.a);
            List *l = new_list(rt_, n);
            for (size_t i = 0; i < n; ++i) l->data[l->size++] = top(n - 1 - i);
            stack_.resize(stack_.size() - n);
            return push(Value::of(l, in.op == Op::list ? Kind::list : Kind::tuple));
        }
        case Op::dict: {
            size_t n = static_cast<size_t>(in.a) * 2;
            Dict *d = new_dict(rt_);
            for (size_t i = 0; i < n; i += 2) dict_set(rt_, d, top(n - 1 - i), top(n - 2 - i));
            stack_.resize(stack_.size() - n);
            return push(Value::of(d));
        }
        case Op::slice: {
            Slice *s = rt_.heap.make<Slice>();
            s->start = top(2), s->stop = top(1), s->step = top();
            stack_.resize(stack_.size() - 3);
            Value v = Value::of(Kind::slice);
            v.slice = s;
            return push(v);
        }
        case Op::getattr: {
            const Str *name = p_.constants[static_cast<size_t>(in.a)].s;
            if (top().is(Kind::loop) && !prepare(top(), name->view())) return;
            top() = get_attr(rt_, top(), name);
            return;
        }
        case Op::getitem: {
            if (top(1).is(Kind::loop) && top().is_string() && !prepare(top(1), top().s->view())) return;
            Value v = get_item(rt_, top(1), top());
            stack_.pop_back();
            top() = v;
            return;
        }
        case Op::call: return call(in);
        case Op::filter:
        case Op::test: {
            const CallSig &sig = p_.signatures[static_cast<size_t>(in.a)];
            size_t n = sig.n_pos + sig.n_kw + sig.star + sig.star_star;
            Args args = gather(sig, stack_.data() + stack_.size() - n);
            Value &subject = stack_[stack_.size() - n - 1];
            if (subject.is(Kind::loop) && !prepare(subject, "length")) return;
            Value v = in.op == Op::filter ? apply_filter(rt_, in.y, subject, args) : Value::boolean(apply_test(rt_, in.y, subject, args));
            stack_.resize(stack_.size() - n);
            top() = v;
            return;
        }
        case Op::unknown:
            throw_fault(rt_, TemplateFault::unknown_filter, in.x ? "No test named '" : "No filter named '", p_.names[in.y], "' found.");
        case Op::output: {
            Value v = pop();
            return output(v);
        }
        case Op::output_constant: return output(*p_.constants[static_cast<size_t>(in.a)].s);
        case Op::push_buffer: buffers_.emplace_back(rt_); return;
        case Op::pop_buffer: {
            const Str *s = buffers_.back().done();
            buffers_.pop_back();
            return push(str_value(s));
        }
        case Op::drop_buffers: buffers_.erase(buffers_.end() - in.a, buffers_.end()); return;
        case Op::for_setup: return for_setup(in);
        case Op::for_next: return for_next(in);
        case Op::loop_done: top().loop->ran = true; return;
        case Op::for_end: {
            bool ran = pop().loop->ran;
            if (in.x) push(Value::boolean(ran));
            return;
        }
        case Op::unpack: {
            Value v = pop();
            return unpack(v, static_cast<uint32_t>(in.a));
        }
        case Op::check_space:
            if (!variable(in)->is(Kind::space)) throw_fault(rt_, TemplateFault::type, "cannot assign attribute on non-namespace object");
            return;
        case Op::set_space: {
            Value *space = variable(in);
            Value v = pop();
            if (!space->is(Kind::space)) throw_fault(rt_, TemplateFault::type, "cannot assign attribute on non-namespace object");
            return dict_set(rt_, space->dict, p_.constants[in.y], v);
        }
        case Op::make_macro: {
            Macro *m = rt_.heap.make<Macro>();
            m->code = p_.functions[static_cast<size_t>(in.a)].get();
            m->scope = c->act;
            Value v = Value::of(Kind::macro);
            v.macro = m;
            return push(v);
        }
        case Op::call_loop: {
            Value iterable = pop();
            return call_loop(p_.functions[static_cast<size_t>(in.a)].get(), c->act, iterable, 0);
        }
        case Op::undefined_param: {
            Text t(rt_);
            t.add("parameter '"), t.add(p_.names[in.y]), t.add("' was not provided");
            c->act->slots[in.a] = undefined(rt_, t.done()->view());
            return;
        }
        case Op::return_text:
        case Op::return_value: return return_(in);
        case Op::fail: type_error(rt_, p_.constants[in.y].s);
    }
}

}  // namespace inlay::text::jinja
