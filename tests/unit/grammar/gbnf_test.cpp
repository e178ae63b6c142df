// SPDX-License-Identifier: Apache-2.0
// GBNF: small grammars of our own, and the reference cases beside the checkout.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "io/json.h"
#include "support/shared.h"
#include "text/grammar/constraint.h"

using namespace inlay;
using namespace inlay::text::grammar;

namespace {

std::string read(const std::filesystem::path &p) {
    std::ifstream f(p, std::ios::binary);
    std::stringstream s;
    s << f.rdbuf();
    return s.str();
}

struct Verdict {
    bool accept;
    size_t at;
};
Verdict match(const std::shared_ptr<const Constraint> &c, std::string_view text) {
    Matcher m(c);
    size_t at = m.accepted_prefix(text);
    return {at == text.size() && m.accept_bytes(text) && m.can_end(), at};
}
bool match(const char *grammar, std::string_view text) {
    Memory m;
    return match(Constraint::from_gbnf(m, grammar, Limits{}), text).accept;
}
Code refused(std::string_view grammar) {
    Memory m;
    try {
        Constraint::from_gbnf(m, grammar, Limits{});
    } catch (const Error &e) {
        CHECK(e.text().size() > 10);
        return e.code();
    }
    return Code::ok;
}

}  // namespace

TEST_CASE("literals, classes, repeats") {
    CHECK(match("root ::= \"ab\" [0-9]+ (\"x\" | \"y\")?", "ab12y"));
    CHECK(!match("root ::= \"ab\" [0-9]+ (\"x\" | \"y\")?", "ab"));
    CHECK(match("root ::= [^a-z]{2,3}", "éÉ"));
    CHECK(!match("root ::= [^a-z]{2,3}", "é"));
    CHECK(match("root ::= .{2}", "\n😀"));
    CHECK(match("root ::= \"\\u00e9\\x41\\U0001F600\\n\"", "éA😀\n"));
    CHECK(match("# c\nroot ::= a |\n  b # c\na ::= \"a\"\nb ::= (\n\"b\"\n)\n", "b"));
    CHECK(match("root ::= \"\" | \"x\"", ""));
    CHECK(!match("root ::= [a-c]", "d"));
}

TEST_CASE("counted repeats keep one body") {
    Memory m;
    auto c = Constraint::from_gbnf(m, "root ::= ([a-z] [0-9]){400,1000} \".\"", Limits{});
    CHECK(c->net().n_states() < 40);
    std::string text;
    for (int i = 0; i < 399; ++i) text += "a1";
    CHECK(!match(c, text + ".").accept);
    CHECK(match(c, text + "b2.").accept);
    while (text.size() < 2000) text += "z9";
    CHECK(match(c, text + ".").accept);
    CHECK(match(c, text + "a").at == 2000);
}

TEST_CASE("repeats of what may be empty, nested counts, ambiguity") {
    CHECK(match("root ::= (\"a\"?){3,1000} \"b\"", "b"));
    CHECK(match("root ::= (\"a\"?){3,1000} \"b\"", "aab"));
    CHECK(match("root ::= ((\"a\"*)*)* \"b\"", "aaab"));
    std::string nest = "\"a\"";
    for (int i = 0; i < 8; ++i) nest = "(" + nest + "){100}";
    CHECK(!match(("root ::= " + nest).c_str(), "aaa"));
    CHECK(match("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\"", "aaaadbcbc"));
    std::string deep(2000, 'a'), back;
    for (int i = 0; i < 2000; ++i) back += i % 3 ? 'b' : 'c';
    CHECK(match("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\"", deep + "d" + back));
    // x x x ... split in every way: polynomial, not exponential
    CHECK(match("root ::= e\ne ::= \"x\" e e | \"x\" e | \"x\"", std::string(60, 'x')));
}

TEST_CASE("refused grammars") {
    CHECK(refused("root ::= root \"a\" | \"b\"") == Code::format);
    CHECK(refused("root ::= a\na ::= b? c\nb ::= \"b\"\nc ::= a \"x\" | \"c\"") == Code::format);
    CHECK(refused("root ::= a\nb ::= b \"x\"\na ::= \"a\"") == Code::format);
    CHECK(refused("root ::= \"a\" root") == Code::invalid_argument);
    for (const char *g :
         {"", "x ::= \"a\"", "root ::= y", "root ::= \"a\nroot ::= \"b\"", "root ::= [z-a]", "root ::= []", "root ::= \"\\U00110000\"",
          "root ::= \"\\uD800\"", "root ::= \"a\"{2,1}", "root ::= \"a\"{-1}", "root ::= \"a\"{,}", "root ::= \"a\"{1", "root ::= (\"a\"",
          "root = \"a\"", "root ::= \"a\" \xff", "root ::= \"a\"\nroot ::= \"b\"", "root ::= ?"})
        CHECK_MESSAGE(refused(g) == Code::format, g);
    CHECK(refused("root ::= \"a\"{65535}") == Code::ok);
    CHECK(refused("root ::= \"a\"{65536}") == Code::limit);
    CHECK(refused("root ::= \"a\"{0,18446744073709551615}") == Code::limit);
    CHECK(refused("root ::= \"a\"{99999999999999999999}") == Code::limit);
    CHECK(refused("root ::= " + std::string(60000, '(') + "\"a\"" + std::string(60000, ')')) == Code::limit);
    CHECK(refused("root ::= " + std::string(60000, '[')) == Code::format);
    CHECK(refused("root ::= " + std::string(256, '(') + "\"a\"" + std::string(256, ')')) == Code::ok);
    CHECK(refused("root ::= " + std::string(257, '(') + "\"a\"" + std::string(257, ')')) == Code::limit);
    CHECK(refused("root ::= \"a\"\n#" + std::string(1 << 20, 'x')) == Code::limit);
}

TEST_CASE("long and bushy grammars compile in time") {
    std::string chain = "root ::= r0\n";
    for (int i = 0; i < 30000; ++i)
        chain += "r" + std::to_string(i) + " ::= \"a\" r" + std::to_string(i + 1) + " | r" + std::to_string(i + 1) + " \"b\"\n";
    CHECK(refused(chain + "r30000 ::= \"c\"") == Code::ok);
    std::string doubling = "root ::= r0\n";
    for (int i = 0; i < 60; ++i)
        doubling += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + " r" + std::to_string(i + 1) + "\n";
    CHECK(refused(doubling + "r60 ::= \"c\"") == Code::ok);
}

TEST_CASE("going back, forks, forced bytes") {
    Memory m;
    auto c = Constraint::from_gbnf(m, "root ::= \"{\" (\"alpha\" | \"beta\") root? \"}\"", Limits{});
    Matcher a(c);
    CHECK(a.accept_bytes("{al"));
    Matcher b(a);
    CHECK(!a.accept_bytes("b"));
    CHECK(a.accept_bytes("pha"));
    CHECK(a.accept_bytes("{beta"));
    CHECK(a.accept_bytes("}}"));
    CHECK(a.can_end());
    CHECK(a.only_end());
    a.rollback(2);
    CHECK(!a.can_end());
    CHECK(a.accept_bytes("{"));
    a.rollback(1);
    CHECK(a.accept_bytes("}"));
    CHECK(a.can_end());
    String forced(m);
    b.forced_bytes(forced);
    CHECK(std::string_view(forced) == "pha");
    CHECK(b.accept_bytes("pha}"));
    CHECK(b.can_end());
}

TEST_CASE("deep nesting keeps only living frames") {
    Memory m;
    auto c = Constraint::from_gbnf(m, "root ::= \"[\" (root (\",\" root)*)? \"]\"", Limits{});
    Matcher a(c);
    CHECK(a.accept_bytes("["));
    for (int i = 0; i < 20000; ++i) CHECK(a.accept_bytes(i ? ",[[]]" : "[[]]"));
    uint64_t before = m.used();
    for (int i = 0; i < 20000; ++i) CHECK(a.accept_bytes(",[[]]"));
    CHECK(m.used() < before + 200000);
    CHECK(a.accept_bytes("]"));
    CHECK(a.can_end());
}

TEST_CASE("reference grammars") {
    std::string dir = inlay_test::shared_path("data/gbnf");
    if (dir.empty()) {
        MESSAGE("SKIP: no reference data beside the checkout");
        return;
    }
    Memory m;
    int seen = 0;
    for (auto &entry : std::filesystem::directory_iterator(dir)) {
        std::string p = entry.path().string();
        if (!p.ends_with(".cases.jsonl")) continue;
        std::string source = read(p.substr(0, p.size() - 12) + ".gbnf");
        std::istringstream lines(read(p));
        std::shared_ptr<const Constraint> c;
        for (std::string line; std::getline(lines, line);) {
            auto doc = io::JsonDocument::parse(m, line, io::JsonLimits{});
            const io::Json &x = doc.root();
            ++seen;
            if (x.find("error")) {
                try {
                    Constraint::from_gbnf(m, source, Limits{});
                    FAIL_CHECK("accepted " << p);
                } catch (const Error &e) {
                    CHECK(e.place().line == x.find("line")->integer());
                }
                continue;
            }
            if (!c) c = Constraint::from_gbnf(m, source, Limits{});
            std::string text(x.find("text")->string());
            CHECK_MESSAGE(match(c, text).accept == x.find("accept")->boolean(), p << ": " << text);
            Matcher bytes(c);
            bool ok = true;
            for (size_t i = 0; i < text.size() && ok; ++i) ok = bytes.accept_bytes({&text[i], 1});
            CHECK((ok && bytes.can_end()) == x.find("accept")->boolean());
        }
    }
    std::istringstream lines(read(dir + "/malformed.jsonl"));
    for (std::string line; std::getline(lines, line);) {
        auto doc = io::JsonDocument::parse(m, line, io::JsonLimits{});
        const io::Json &x = doc.root();
        ++seen;
        try {
            Constraint::from_gbnf(m, x.find("grammar")->string(), Limits{});
            FAIL_CHECK("accepted " << line);
        } catch (const Error &e) {
            if (!x.find("line")) continue;
            CHECK_MESSAGE(e.place().offset == *x.find("offset")->integer(), line << " " << std::string(e.text()));
            CHECK(e.place().line == *x.find("line")->integer());
            CHECK(e.place().column == *x.find("column")->integer());
        }
    }
    CHECK(seen > 60);
}
