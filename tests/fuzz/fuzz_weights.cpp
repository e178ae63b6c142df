// SPDX-License-Identifier: Apache-2.0
// Any bytes as a GGUF file, or as a safetensors file where they don't begin as one. What is read holds what its descriptor
// promises: names found again, tensors inside the file, and no more memory than a file of that size may cost.
#include "fuzz.h"
#include "io/gguf.h"
#include "io/safetensors.h"

using namespace inlay;
using fuzz::must;

namespace {

void as_gguf(Memory &m, const io::Source &source) {
    auto file = io::Gguf::read(m, source, Limits{}, Log{});
    for (const io::GgufEntry &e : file->entries()) {
        must(file->find(e.key) == &e.value);
        const io::GgufValue &v = e.value;
        for (uint64_t i = 0; i < v.count(); i += 1 + v.count() / 16) {
            if (v.is_number()) (void)v.number(i), (void)v.integer(i);
            else if (v.type() == io::GgufType::string) must(v.string(i).size() <= source.size());
        }
    }
    for (const io::GgufTensor &t : file->tensors()) {
        must(file->find_tensor(t.name) == &t);
        must(t.offset >= file->data_offset() && t.offset <= source.size() && t.bytes <= source.size() - t.offset);
    }
}

void as_safetensors(Memory &m, const io::Source &source) {
    io::Arena names(m);
    Vector<io::TensorInfo> tensors{Alloc<io::TensorInfo>(m)};
    io::read_safetensors(m, source, 0, Limits{}, names, tensors);
    uint64_t at = 0;
    for (const io::TensorInfo &t : tensors) {
        must(t.offset <= source.size() && t.bytes <= source.size() - t.offset && t.offset >= at);
        at = t.offset + t.bytes;
    }
    must(tensors.empty() || at == source.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Memory m;
    try {
        auto source = io::memory_source(m, {reinterpret_cast<const std::byte *>(data), size});
        if (size >= 4 && std::string_view(reinterpret_cast<const char *>(data), 4) == "GGUF")
            as_gguf(m, *source);
        else
            as_safetensors(m, *source);
    } catch (const Error &e) {
        must(e.code() != Code::internal && !e.text().empty());
    }
    must(m.used() == 0 && m.peak() <= (16u << 20) + size * 8);  // of a refused file: 16 MiB and a little by its bytes
    return 0;
}
