// SPDX-License-Identifier: Apache-2.0
// Header-only C++17 over the C API: handles that free themselves, errors as exceptions, pieces of text as they come. No ABI of
// its own: everything here is compiled into the program that includes it.
//
//   inlay::Runtime rt;
//   inlay::Model model(rt, "model.gguf");
//   inlay::Engine engine(model);
//   inlay::Request request(engine, "Once upon a time");
//   for (std::string_view piece : request.pieces()) std::cout << piece;   // steps the engine itself
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "inlay.h"

namespace inlay {

// A failed call. what() is the library's message.
class Failure : public std::runtime_error {
public:
    Failure(inlay_status status, const inlay_error &e) : std::runtime_error(e.message), status_(status) {}
    inlay_status status() const noexcept { return status_; }

private:
    inlay_status status_;
};

namespace detail {

template <class F>
inlay_status check(F &&call) {
    inlay_error e;
    const inlay_status st = call(&e);
    if (st < 0) throw Failure(st, e);
    return st;
}
struct Free {
    void operator()(inlay_runtime *p) const noexcept { inlay_runtime_free(p); }
    void operator()(inlay_model *p) const noexcept { inlay_model_free(p); }
    void operator()(inlay_tokenizer *p) const noexcept { inlay_tokenizer_free(p); }
    void operator()(inlay_engine *p) const noexcept { inlay_engine_free(p); }
    void operator()(inlay_request *p) const noexcept { inlay_request_free(p); }
    void operator()(inlay_constraint *p) const noexcept { inlay_constraint_free(p); }
};
template <class T>
using Handle = std::unique_ptr<T, Free>;

}  // namespace detail

class Runtime {
public:
    explicit Runtime(const inlay_runtime_params *params = nullptr) {
        inlay_runtime *p = nullptr;
        detail::check([&](inlay_error *e) { return inlay_runtime_create(params, &p, e); });
        handle_.reset(p);
    }
    inlay_runtime *get() const noexcept { return handle_.get(); }

private:
    detail::Handle<inlay_runtime> handle_;
};

class Tokenizer {
public:
    explicit Tokenizer(const inlay_model *model) {
        inlay_tokenizer *p = nullptr;
        detail::check([&](inlay_error *e) { return inlay_model_get_tokenizer(model, &p, e); });
        handle_.reset(p);
    }
    inlay_tokenizer *get() const noexcept { return handle_.get(); }

    std::vector<int32_t> encode(std::string_view text, uint32_t flags = INLAY_ENCODE_ADD_SPECIAL) const {
        std::vector<int32_t> ids(text.size() + 8);
        size_t n = ids.size();
        inlay_error e;
        inlay_status st = inlay_tokenizer_encode(get(), text.data(), text.size(), flags, ids.data(), nullptr, &n, &e);
        if (st == INLAY_E_LIMIT && n > ids.size()) {
            ids.resize(n);
            st = inlay_tokenizer_encode(get(), text.data(), text.size(), flags, ids.data(), nullptr, &n, &e);
        }
        if (st < 0) throw Failure(st, e);
        ids.resize(n);
        return ids;
    }
    std::string decode(const std::vector<int32_t> &ids, uint32_t flags = INLAY_DECODE_SKIP_SPECIAL) const {
        std::string text(ids.size() * 8 + 16, '\0');
        size_t n = text.size();
        inlay_error e;
        inlay_status st = inlay_tokenizer_decode(get(), ids.data(), ids.size(), flags, text.data(), &n, &e);
        if (st == INLAY_E_LIMIT && n > text.size()) {
            text.resize(n);
            st = inlay_tokenizer_decode(get(), ids.data(), ids.size(), flags, text.data(), &n, &e);
        }
        if (st < 0) throw Failure(st, e);
        text.resize(n);
        return text;
    }

private:
    detail::Handle<inlay_tokenizer> handle_;
};

class Model {
public:
    Model(const Runtime &rt, std::string_view path, const inlay_model_params *params = nullptr) {
        inlay_model *p = nullptr;
        detail::check([&](inlay_error *e) { return inlay_model_open(rt.get(), path.data(), path.size(), params, &p, e); });
        handle_.reset(p);
    }
    inlay_model *get() const noexcept { return handle_.get(); }
    inlay_model_info info() const {
        inlay_model_info i{};
        i.struct_size = sizeof i;
        detail::check([&](inlay_error *e) { return inlay_model_get_info(get(), &i, e); });
        return i;
    }
    Tokenizer tokenizer() const { return Tokenizer(get()); }

private:
    detail::Handle<inlay_model> handle_;
};

class Engine {
public:
    explicit Engine(const Model &model, const inlay_engine_params *params = nullptr) {
        inlay_engine *p = nullptr;
        detail::check([&](inlay_error *e) { return inlay_engine_create(model.get(), params, &p, e); });
        handle_.reset(p);
    }
    inlay_engine *get() const noexcept { return handle_.get(); }
    // INLAY_OK, INLAY_AGAIN (paused by the budget) or INLAY_DONE (nothing to do).
    inlay_status step(uint64_t budget_us = 0) {
        return detail::check([&](inlay_error *e) { return inlay_engine_step(get(), budget_us, e); });
    }

private:
    detail::Handle<inlay_engine> handle_;
};

class Request {
public:
    Request(Engine &engine, std::string_view prompt, const inlay_request_params *params = nullptr) : engine_(&engine) {
        inlay_request *p = nullptr;
        detail::check([&](inlay_error *e) { return inlay_request_submit_text(engine.get(), prompt.data(), prompt.size(), params, &p, e); });
        handle_.reset(p);
    }
    inlay_request *get() const noexcept { return handle_.get(); }
    void cancel() noexcept { inlay_request_cancel(get()); }
    // INLAY_OK with an event, INLAY_AGAIN, INLAY_DONE.
    inlay_status poll(inlay_event &out) {
        out = {};
        out.struct_size = sizeof out;
        return detail::check([&](inlay_error *e) { return inlay_request_poll(get(), &out, e); });
    }

    // Texts of the answer, one after the other; stepping the engine when there is none yet. Single pass.
    class Pieces {
    public:
        struct End {};
        class Iterator {
        public:
            explicit Iterator(Request *r) : request_(r) { ++*this; }
            std::string_view operator*() const noexcept { return {event_.text, static_cast<size_t>(event_.n_text)}; }
            Iterator &operator++() {
                for (;;) {
                    const inlay_status st = request_->poll(event_);
                    if (st == INLAY_DONE) {
                        done_ = true;
                        return *this;
                    }
                    if (st == INLAY_AGAIN) request_->engine_->step();
                    else if (event_.kind == INLAY_EVENT_FINISH && event_.finish >= INLAY_FINISH_NUMERIC)
                        throw std::runtime_error(std::string(event_.text, static_cast<size_t>(event_.n_text)));
                    else if (event_.n_text) return *this;
                }
            }
            bool operator!=(End) const noexcept { return !done_; }

        private:
            Request *request_;
            inlay_event event_{};
            bool done_ = false;
        };
        explicit Pieces(Request *r) : request_(r) {}
        Iterator begin() const { return Iterator(request_); }
        End end() const { return {}; }

    private:
        Request *request_;
    };
    Pieces pieces() & { return Pieces(this); }

    std::string text() {
        std::string out;
        for (std::string_view piece : pieces()) out += piece;
        return out;
    }

private:
    Engine *engine_;
    detail::Handle<inlay_request> handle_;
};

}  // namespace inlay
