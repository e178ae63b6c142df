// SPDX-License-Identifier: Apache-2.0
// A conversation in JSON as the variables of a template.
#pragma once

#include "io/json.h"
#include "text/jinja/template.h"

namespace inlay::capi {

// `{"messages", "tools", "documents", "kwargs": {…}}`. tools and documents are None where absent, as transformers passes
// them; what kwargs names as a token (bos_token …) is the template's own text, all else is the user's.
void read_variables(const io::Json &root, Vector<text::TemplateVariable> &out);

// Renders; a template that fails or refuses is INVALID_ARGUMENT "template: …" with its own words, unchanged.
void render_template(const text::Template &t, Memory &m, const text::RenderInput &in, text::RenderOutput &out);

}  // namespace inlay::capi
