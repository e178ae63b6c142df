// SPDX-License-Identifier: Apache-2.0
// A page that draws an engine's trace: a lane for each request, a bar for each step it took part in.
#pragma once

#include <string>

namespace cli {

std::string timeline_page(const std::string &trace_json);

}  // namespace cli
