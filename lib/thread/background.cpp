// SPDX-License-Identifier: Apache-2.0
#include "thread/background.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace inlay::thread {

static_assert(sizeof(pthread_t) <= sizeof(uint64_t));

void *Background::main(void *self) {
    Background *b = static_cast<Background *>(self);
    b->fn_(b->ctx_);
    return nullptr;
}

void Background::start(Fn fn, void *ctx, const char *name) {
    fn_ = fn;
    ctx_ = ctx;
    pid_ = getpid();
    // The host's signals stay with the host's threads.
    sigset_t everything, before;
    sigfillset(&everything);
    pthread_sigmask(SIG_SETMASK, &everything, &before);
    pthread_t t;
    int error = pthread_create(&t, nullptr, main, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error) fail(Code::limit, "a background thread could not be started: system error ", error);
    pthread_setname_np(t, name);
    handle_ = static_cast<uint64_t>(t);
    started_ = true;
}

void Background::join() noexcept {
    if (!started_) return;
    started_ = false;
    if (getpid() == pid_) pthread_join(static_cast<pthread_t>(handle_), nullptr);
}

WakeDescriptor::WakeDescriptor() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ < 0) fail(Code::io, "no event descriptor: system error ", errno);
}

WakeDescriptor::~WakeDescriptor() {
    if (fd_ >= 0) close(fd_);
}

void WakeDescriptor::set() noexcept {
    uint64_t one = 1;
    (void)!write(fd_, &one, sizeof one);
}

void WakeDescriptor::clear() noexcept {
    uint64_t n;
    (void)!read(fd_, &n, sizeof n);
}

}  // namespace inlay::thread
