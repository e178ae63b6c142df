// SPDX-License-Identifier: Apache-2.0
// JSON in and out for the command line: a small tree for the lines it reads, and append functions for what it prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

struct Value {
    enum Kind { null, boolean, integer, number, string, array, object } kind = null;
    bool flag = false;
    int64_t whole = 0;
    double real = 0;
    std::string text;
    std::string raw;  // the JSON text of this value (objects and arrays of the top two levels only)
    std::vector<Value> items;
    std::vector<std::pair<std::string, Value>> members;

    const Value *find(std::string_view key) const;
};

// Throws std::string with what is wrong.
Value parse_json(const std::string &text);

void append_string(std::string &out, std::string_view s);
void append_number(std::string &out, double v);
void append_ids(std::string &out, const std::vector<int32_t> &ids);

// Builds {"a":1,…}: each call adds a member.
class Object {
public:
    Object &text(const char *key, std::string_view v);
    Object &number(const char *key, double v);
    Object &integer(const char *key, int64_t v);
    Object &boolean(const char *key, bool v);
    Object &ids(const char *key, const std::vector<int32_t> &v);
    Object &raw(const char *key, std::string_view json);
    std::string str() const { return "{" + body_ + "}"; }

private:
    void key(const char *k);
    std::string body_;
};

}  // namespace cli
