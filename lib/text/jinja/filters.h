// SPDX-License-Identifier: Apache-2.0
// What the filters' files share: how arguments are read, and the filters of text (filters_text.cpp) for the table.
#pragma once

#include "text/jinja/runtime.h"

namespace inlay::text::jinja {

// `v` is what the filter is applied to, `a` its bound arguments (missing where not given), `args` all of them.
using FilterFn = Value (*)(Rt &rt, const Value &v, const Value *a, const Args &args);

inline Value given(const Value &v, Value otherwise) { return v.is_missing() ? otherwise : v; }
inline bool flag(Rt &rt, const Value &v, bool otherwise = false) { return v.is_missing() ? otherwise : truthy(rt, v); }
inline const Str *soft(Rt &rt, const Value &v) { return to_str(rt, v); }
inline Value from_iter(Iterator *it) {
    Value v = Value::of(Kind::iterator);
    v.iter = it;
    return v;
}
Value attribute_of(Rt &rt, Value v, const Value &attribute);  // environment.getitem along "a.b.0"

Value f_capitalize(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_center(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_escape(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_forceescape(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_safe(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_string(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_filesizeformat(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_format(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_indent(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_join(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_lower(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_upper(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_replace(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_striptags(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_title(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_trim(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_truncate(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_urlencode(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_wordcount(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_wordwrap(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_xmlattr(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_tojson(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_from_json(Rt &rt, const Value &v, const Value *a, const Args &args);
Value f_pprint(Rt &rt, const Value &v, const Value *a, const Args &args);

}  // namespace inlay::text::jinja
