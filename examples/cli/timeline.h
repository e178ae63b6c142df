// SPDX-License-Identifier: Apache-2.0
// A page that draws an engine's trace: a lane for each request, a bar for each step it took part in.
#pragma once

#include <string>
#include <vector>

namespace cli {

// `names_json`: what the requests are called, in order of submission, each as JSON.
std::string timeline_page(const std::string &trace_json, const std::vector<std::string> &names_json);

}  // namespace cli
