// SPDX-License-Identifier: Apache-2.0
#include "engine/trace.h"

#include <algorithm>

#include "base/error.h"

namespace inlay::engine {

void Trace::write(String &out) const {
    static const char *const kinds[] = {"prefill", "decode", "step"};
    out.append("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
    uint64_t first = n_ > spans_.size() ? n_ - spans_.size() : 0;
    uint64_t zero = n_ ? spans_[static_cast<size_t>(first % spans_.size())].begin_ns : 0;
    for (uint64_t i = first; i < n_; ++i) {
        const Span &s = spans_[static_cast<size_t>(i % spans_.size())];
        uint64_t begin = s.begin_ns > zero ? s.begin_ns - zero : 0;
        const double submitted = (static_cast<double>(s.submit_ns) - static_cast<double>(zero)) / 1000;
        Message m;
        m << (i == first ? "\n" : ",\n") << "{\"ph\":\"X\",\"cat\":\"" << kinds[s.kind] << "\",\"name\":\"" << kinds[s.kind] << ' ' << s.n_tokens
          << "\",\"ts\":" << static_cast<double>(begin / 1000) << ",\"dur\":" << static_cast<double>((s.end_ns - s.begin_ns) / 1000)
          << ",\"pid\":1,\"tid\":" << (s.kind == 2 ? uint64_t{0} : s.request * 8 + static_cast<uint64_t>(s.choice)) << ",\"args\":{\"step\":" << s.step
          << ",\"request\":" << s.request << ",\"choice\":" << s.choice << ",\"from\":" << s.from << ",\"tokens\":" << s.n_tokens
          << ",\"submitted\":" << submitted << "}}";
        out.append(m.view());
    }
    out.append("\n]}\n");
}

}  // namespace inlay::engine
