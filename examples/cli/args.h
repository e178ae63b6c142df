// SPDX-License-Identifier: Apache-2.0
// Command-line options: a command declares what it takes, parse() fills it in. Wrong usage throws Usage (exit 2).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cli {

struct Usage {
    std::string text;
};

// What a command accepts. A flag takes no value; `value` options take the next word or what follows '='.
class Args {
public:
    void flag(const char *name, bool *out, const char *help);
    void text(const char *name, std::string *out, const char *help);
    void texts(const char *name, std::vector<std::string> *out, const char *help);  // repeatable
    void integer(const char *name, int64_t *out, int64_t lo, int64_t hi, const char *help);
    void number(const char *name, double *out, const char *help);
    void integers(const char *name, std::vector<int64_t> *out, const char *help);  // 1,4,16
    void positional(const char *name, std::string *out, bool required, const char *help);
    void alias(const char *short_name, const char *name);

    void parse(const std::vector<std::string> &words);
    bool given(const std::string &name) const;
    std::string help() const;

private:
    struct Option {
        std::string name, help;
        bool takes_value;
        std::function<void(const std::string &)> set;
        bool seen = false;
    };
    struct Positional {
        std::string name, help;
        std::string *out;
        bool required;
    };
    void add(const char *name, bool takes_value, const char *help, std::function<void(const std::string &)> set);
    Option *find(const std::string &name);

    std::vector<Option> options_;
    std::vector<Positional> positionals_;
    std::vector<std::pair<std::string, std::string>> aliases_;
};

int64_t parse_integer(const std::string &s, const std::string &what, int64_t lo, int64_t hi);
double parse_number(const std::string &s, const std::string &what);

}  // namespace cli
