// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON: what is read is written again and read as the same tree.
#include "fuzz.h"
#include "text/messages.h"

using namespace inlay;
using fuzz::must;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const std::string_view s(reinterpret_cast<const char *>(data), size);
    Memory m;
    for (bool refuse : {true, false}) try {
            io::JsonLimits limits;
            limits.values = 1 << 20;
            limits.refuse_duplicates = refuse;
            io::JsonDocument doc = io::JsonDocument::parse(m, s, limits);
            const String once = text::write_json(m, doc.root());
            const String twice = text::write_json(m, io::JsonDocument::parse(m, once, limits).root());
            must(once == twice);
            if (doc.root().is_object())
                for (const io::JsonMember &x : doc.root().members()) must(doc.root().find(x.key) != nullptr);
        } catch (const Error &e) {
            must((e.code() == Code::format || e.code() == Code::limit) && !e.text().empty());
        }
    must(m.used() == 0);
    return 0;
}
