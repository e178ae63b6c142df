// SPDX-License-Identifier: Apache-2.0
#include "args.h"

#include <charconv>

namespace cli {

int64_t parse_integer(const std::string &s, const std::string &what, int64_t lo, int64_t hi) {
    int64_t v = 0;
    auto r = std::from_chars(s.data(), s.data() + s.size(), v);
    if (r.ec != std::errc() || r.ptr != s.data() + s.size()) throw Usage{what + ": '" + s + "' is not a whole number"};
    if (v < lo || v > hi) throw Usage{what + ": " + s + " is outside of " + std::to_string(lo) + ".." + std::to_string(hi)};
    return v;
}

double parse_number(const std::string &s, const std::string &what) {
    double v = 0;
    auto r = std::from_chars(s.data(), s.data() + s.size(), v);
    if (r.ec != std::errc() || r.ptr != s.data() + s.size()) throw Usage{what + ": '" + s + "' is not a number"};
    return v;
}

void Args::add(const char *name, bool takes_value, const char *help, std::function<void(const std::string &)> set) {
    options_.push_back({name, help, takes_value, std::move(set)});
}

void Args::flag(const char *name, bool *out, const char *help) {
    add(name, false, help, [out](const std::string &) { *out = true; });
}
void Args::text(const char *name, std::string *out, const char *help) {
    add(name, true, help, [out](const std::string &v) { *out = v; });
}
void Args::texts(const char *name, std::vector<std::string> *out, const char *help) {
    add(name, true, help, [out](const std::string &v) { out->push_back(v); });
}
void Args::integer(const char *name, int64_t *out, int64_t lo, int64_t hi, const char *help) {
    add(name, true, help, [=, n = std::string(name)](const std::string &v) { *out = parse_integer(v, n, lo, hi); });
}
void Args::number(const char *name, double *out, const char *help) {
    add(name, true, help, [=, n = std::string(name)](const std::string &v) { *out = parse_number(v, n); });
}
void Args::integers(const char *name, std::vector<int64_t> *out, const char *help) {
    add(name, true, help, [=, n = std::string(name)](const std::string &v) {
        out->clear();
        for (size_t i = 0; i <= v.size();) {
            size_t end = std::min(v.find(',', i), v.size());
            out->push_back(parse_integer(v.substr(i, end - i), n, 0, 1 << 24));
            i = end + 1;
        }
    });
}
void Args::positional(const char *name, std::string *out, bool required, const char *help) {
    positionals_.push_back({name, help, out, required});
}
void Args::alias(const char *short_name, const char *name) { aliases_.emplace_back(short_name, name); }

Args::Option *Args::find(const std::string &name) {
    std::string full = name;
    for (auto &[s, n] : aliases_)
        if (s == name) full = n;
    for (Option &o : options_)
        if (o.name == full) return &o;
    return nullptr;
}

bool Args::given(const std::string &name) const {
    for (const Option &o : options_)
        if (o.name == name) return o.seen;
    return false;
}

void Args::parse(const std::vector<std::string> &words) {
    size_t n_pos = 0;
    bool only_positional = false;
    for (size_t i = 0; i < words.size(); ++i) {
        const std::string &w = words[i];
        if (!only_positional && w == "--") {
            only_positional = true;
            continue;
        }
        if (only_positional || w.size() < 2 || w[0] != '-') {
            if (n_pos == positionals_.size()) throw Usage{"'" + w + "' is one argument too many"};
            *positionals_[n_pos++].out = w;
            continue;
        }
        size_t eq = w.rfind("--", 0) == 0 ? w.find('=') : std::string::npos;
        std::string name = w.substr(0, eq);
        Option *o = find(name);
        if (!o) throw Usage{"unknown option " + name};
        o->seen = true;
        if (!o->takes_value) {
            if (eq != std::string::npos) throw Usage{name + " takes no value"};
            o->set("");
        } else if (eq != std::string::npos) {
            o->set(w.substr(eq + 1));
        } else {
            if (i + 1 == words.size()) throw Usage{name + " needs a value"};
            o->set(words[++i]);
        }
    }
    for (; n_pos < positionals_.size(); ++n_pos)
        if (positionals_[n_pos].required) throw Usage{positionals_[n_pos].name + " is missing"};
}

std::string Args::help() const {
    std::string out;
    for (const Positional &p : positionals_) out += "  " + p.name + std::string(p.name.size() < 22 ? 22 - p.name.size() : 1, ' ') + p.help + "\n";
    for (const Option &o : options_) {
        std::string left = o.name + (o.takes_value ? " X" : "");
        for (auto &[s, n] : aliases_)
            if (n == o.name) left = s + ", " + left;
        out += "  " + left + std::string(left.size() < 22 ? 22 - left.size() : 1, ' ') + o.help + "\n";
    }
    return out;
}

}  // namespace cli
