// SPDX-License-Identifier: Apache-2.0
// Every allocation and every I/O call of loading a model, from the head of its file to a word through its tokenizer, and
// of validating it, fails in turn.
#include "engine/opened_model.h"
#include "engine/validate_file.h"
#include "faults.h"
#include "support/toy_gguf.h"
#include "support/toy_hf.h"
#include "text/tokenizer.h"

using namespace inlay;
using namespace inlay_test;

namespace {

// A run takes a few milliseconds, so of many calls a choice.
constexpr int64_t most = 250;

std::map<std::string, std::string> &models() {
    static auto all = [] {
        std::map<std::string, std::string> f;
        f["toy.gguf"] = toy_base(DType::q8_0).build().bytes;
        for (auto &[name, text] : toy_hf()) f["hf/" + name] = text;
        return f;
    }();
    return all;
}

void load(std::shared_ptr<engine::Runtime> rt, const char *path) {
    Memory &m = rt->memory();
    auto file = io::open_checkpoint(rt->files(), m, path, rt->limits(), rt->log());
    engine::OpenedModel model(rt, std::move(file), {});
    const text::Tokenizer *t = model.tokenizer();
    // A model without a usable tokenizer computes all the same; the reason must then be the fault, told as its status.
    if (!t) {
        model.need_tokenizer();
        return;
    }
    Vector<int32_t> ids((Alloc<int32_t>(m)));
    text::EncodeScratch scratch(m);
    t->encode(scratch, "hello world", {}, ids);
    CHECK(ids.size() >= 2);
}

void validate(std::shared_ptr<engine::Runtime> rt, const char *path) {
    auto problems = engine::validate_file(*rt, path);
    CHECK(problems.empty());
}

using Body = void (*)(std::shared_ptr<engine::Runtime>, const char *);

void run(Fuse *memory, Fuse *files, const char *path, Body body) {
    FaultyAllocator allocator{memory};
    FaultyFiles table;
    table.fuse = files;
    table.files = models();
    auto leftovers = [&] {
        CHECK(allocator.live_blocks == 0);
        CHECK(allocator.live_bytes == 0);
        CHECK(table.open_handles == 0);
    };
    try {
        engine::RuntimeOptions o;
        o.executor = engine::ExecutorKind::caller;
        o.memory = allocator.hooks();
        o.io = table.hooks();
        body(std::make_shared<engine::Runtime>(o), path);
    } catch (...) {
        leftovers();
        throw;
    }
    leftovers();
}

}  // namespace

TEST_CASE("faults: every allocation and call of loading and of validating a model") {
    for (const char *path : {"toy.gguf", "hf"})
        for (Body body : {Body(load), Body(validate)}) {
            auto a = fail_each(
                path, [&](Fuse &f) { run(&f, nullptr, path, body); }, [](Code c) { return c == Code::out_of_memory; }, true, most);
            CHECK(a.survived == 0);
            auto b = fail_each(
                path, [&](Fuse &f) { run(nullptr, &f, path, body); }, [](Code c) { return c == Code::io; }, true, most);
            MESSAGE(std::string(path) << ": " << a.calls << " allocations, " << b.calls << " calls of the host's files, " << b.survived
                                      << " survived");
        }
}
