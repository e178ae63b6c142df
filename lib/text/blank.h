// SPDX-License-Identifier: Apache-2.0
// SentencePiece's visible blank.
#pragma once

#include <string_view>

namespace inlay::text {

// The three bytes of U+2581, which stands for a blank.
constexpr std::string_view kBlank = "\xE2\x96\x81";

}  // namespace inlay::text
