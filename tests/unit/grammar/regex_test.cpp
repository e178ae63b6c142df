// SPDX-License-Identifier: Apache-2.0
// Regular expressions: what they match, in whole and as a search, and what is refused.
#include <doctest/doctest.h>

#include <string>

#include "text/grammar/constraint.h"
#include "text/grammar/dfa.h"

using namespace inlay;
using namespace inlay::text::grammar;

namespace {

bool whole(std::string_view re, std::string_view text) {
    Memory m;
    Matcher a(Constraint::from_regex(m, re, Limits{}));
    bool by_net = a.accept_bytes(text) && a.can_end();
    CHECK(by_net == regex_dfa(m, re, false, Limits{}).matches(text));
    return by_net;
}
bool search(std::string_view re, std::string_view text) {
    Memory m;
    return regex_dfa(m, re, true, Limits{}).matches(text);
}
Code refused(std::string_view re) {
    Memory m;
    Code net = Code::ok, dfa = Code::ok;
    try {
        Constraint::from_regex(m, re, Limits{});
    } catch (const Error &e) {
        net = e.code();
    }
    try {
        regex_dfa(m, re, true, Limits{});
    } catch (const Error &e) {
        dfa = e.code();
    }
    CHECK((net == dfa || net == Code::ok || dfa == Code::ok));
    return net == Code::ok ? dfa : net;
}

}  // namespace

TEST_CASE("whole match") {
    CHECK(whole("a|bc", "bc"));
    CHECK(!whole("a|bc", "abc"));
    CHECK(whole("^[a-z]+\\d{2,3}$", "ab123"));
    CHECK(!whole("^[a-z]+\\d{2,3}$", "ab1"));
    CHECK(whole("(?:x|y)*?z", "xyxz"));
    CHECK(whole("(?<n>\\w+)\\s\\S", "été") == false);
    CHECK(whole("\\p{L}+ \\P{L}+", "été 123"));
    CHECK(whole(".", "é"));
    CHECK(!whole(".", "\n"));
    CHECK(whole("\\u00e9\\x41\\u{1F600}\\ud83d\\ude00", "éA😀😀"));
    CHECK(whole("[^\\d\\s]{3}", "a😀-"));
    CHECK(whole("(a|b)*abb", "ababb"));
    CHECK(whole("", ""));
    CHECK(refused("[]") == Code::invalid_argument);
    CHECK(whole("[^]", "\n"));
}

TEST_CASE("search, with anchors anywhere") {
    CHECK(search("b", "abc"));
    CHECK(!search("^b", "abc"));
    CHECK(search("b$", "ab"));
    CHECK(!search("b$", "abc"));
    CHECK(search("(^a|b)c", "xbc"));
    CHECK(!search("(^a|b)c", "xac"));
    CHECK(search("a(b|$)", "xa"));
    CHECK(!search("a(b|$)", "xac"));
    CHECK(search("^$", ""));
    CHECK(!search("^$", "a"));
    CHECK(!search("a^b", "ab"));
    CHECK(search("", "anything"));
    CHECK(search("^a*$|^b*$", "bbb"));
    CHECK(!search("^a*$|^b*$", "ab"));
}

TEST_CASE("refused expressions") {
    for (const char *re :
         {"^+[a-z]$", "^{2}t$", "foo**", "[", "(", "a{2,1}", "a{", "a{,3}", ")", "a{-1}", "*", "]", "\\", "a++", "[z-a]", "\\x4", "a|*"})
        CHECK_MESSAGE(refused(re) == Code::format, re);
    for (const char *re :
         {"(?<=x)*", "(?=x)", "(?!x)", "(?<!x)", "\\1", "(a)\\1", "\\k<a>", "\\b", "\\p{Script=Greek}", "\\ud800", "\\Z", "(?i)a"})
        CHECK_MESSAGE(refused(re) == Code::unsupported, re);
    CHECK(refused(std::string(60000, '(')) == Code::limit);
    CHECK(refused("a{1,100000}") == Code::limit);
    CHECK(refused("(((a{1000}){1000}){1000})") == Code::limit);
    CHECK(refused("^(a|b)*a(a|b){30}$") == Code::limit);
    CHECK(refused(std::string(65537, 'a')) == Code::limit);
}

TEST_CASE("Boolean algebra of automata") {
    Memory m;
    Limits l;
    Dfa a = regex_dfa(m, "^[a-z]*$", true, l), b = texts_of_length(m, 2, 4, l);
    Dfa both = combine(a, b, SetOp::intersect, l);
    CHECK(both.matches("abc"));
    CHECK(!both.matches("a"));
    CHECK(!both.matches("abcde"));
    Dfa rest = combine(any_text(m), both, SetOp::subtract, l);
    CHECK(rest == complement(both));
    CHECK(complement(rest) == both);
    CHECK(combine(both, rest, SetOp::unite, l).all());
    CHECK(combine(both, rest, SetOp::intersect, l).empty());
    CHECK(both.finite());
    CHECK(!a.finite());
    Vector<String> texts(m);
    CHECK(regex_dfa(m, "^(a|bc?|é)$", true, l).enumerate(10, texts));
    CHECK(texts.size() == 4);
    CHECK(!both.enumerate(10, texts));
    CHECK(literal_text(m, "x").matches("x"));
    CHECK(regex_dfa(m, "^x|y$", true, l) == combine(regex_dfa(m, "^x", true, l), regex_dfa(m, "y$", true, l), SetOp::unite, l));
}
