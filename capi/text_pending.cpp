// SPDX-License-Identifier: Apache-2.0
// Entry points whose library side has not landed yet: they keep their symbols and say so.
#include "capi/messages.h"

using namespace inlay;
using namespace inlay::capi;

namespace inlay::capi {
Conversation prepare_conversation(engine::Runtime &, const engine::OpenedModel &, std::string_view, bool) { fail(Code::unsupported, "chat templates are not in this build"); }
}  // namespace inlay::capi
