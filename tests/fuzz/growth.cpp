// SPDX-License-Identifier: Apache-2.0
// main() of a target that asks how its work grows: inputs of one shape at n, 4n and 16n bytes must cost at most a little more
// than 4 times as much each. Work is counted, not timed: comparisons, by the callbacks that -fsanitize=fuzzer-no-link compiles
// in, and the bytes of memory functions, which the linker hands to us (--wrap). growth TARGET
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNCOUNTED __attribute__((no_sanitize("coverage", "address", "undefined")))

static uint64_t work;

extern "C" {
UNCOUNTED void __sanitizer_cov_trace_cmp1(uint8_t, uint8_t) { ++work; }
UNCOUNTED void __sanitizer_cov_trace_cmp2(uint16_t, uint16_t) { ++work; }
UNCOUNTED void __sanitizer_cov_trace_cmp4(uint32_t, uint32_t) { ++work; }
UNCOUNTED void __sanitizer_cov_trace_cmp8(uint64_t, uint64_t) { ++work; }
UNCOUNTED void __sanitizer_cov_trace_const_cmp1(uint8_t, uint8_t) { ++work; }
UNCOUNTED void __sanitizer_cov_trace_const_cmp2(uint16_t, uint16_t) { ++work; }
UNCOUNTED void __sanitizer_cov_trace_const_cmp4(uint32_t, uint32_t) { ++work; }
UNCOUNTED void __sanitizer_cov_trace_const_cmp8(uint64_t, uint64_t) { ++work; }
UNCOUNTED void __sanitizer_cov_trace_switch(uint64_t, uint64_t *) { ++work; }
// Sixteen bytes at once are worth one comparison.
#define COUNT_BYTES(name, result, arguments, values, n)            \
    result __real_##name arguments;                                \
    UNCOUNTED result __wrap_##name arguments {                     \
        work += (n) / 16;                                          \
        return __real_##name values;                               \
    }
COUNT_BYTES(__asan_memcpy, void *, (void *a, const void *b, size_t n), (a, b, n), n)
COUNT_BYTES(__asan_memmove, void *, (void *a, const void *b, size_t n), (a, b, n), n)
COUNT_BYTES(__asan_memset, void *, (void *a, int b, size_t n), (a, b, n), n)
COUNT_BYTES(memcmp, int, (const void *a, const void *b, size_t n), (a, b, n), n)
const void *__real_memchr(const void *a, int b, size_t n);
UNCOUNTED const void *__wrap_memchr(const void *a, int b, size_t n) {
    const void *found = __real_memchr(a, b, n);
    work += (found ? static_cast<size_t>(static_cast<const char *>(found) - static_cast<const char *>(a)) : n) / 16;
    return found;
}
}

namespace {

using namespace std::string_view_literals;

struct Shape {
    std::string_view target, front, again, back;  // front, again as often as fits n bytes ('#': the number of the repeat), back
    size_t n = 4096;
};

const Shape kShapes[] = {
    {"json"sv, "["sv, "1,"sv, "1]"sv},
    {"json"sv, "\""sv, "\\u00e9"sv, "\""sv},
    {"json"sv, "\""sv, "x"sv, "\""sv},
    {"json"sv, "{"sv, "\"k#\":#,"sv, "\"z\":0}"sv},
    {"json"sv, "{"sv, "\"k\":1,"sv, "\"z\":0}"sv},
    {"json"sv, "["sv, "{},[],"sv, "0]"sv},
    {"json"sv, ""sv, "["sv, ""sv},
    {"json"sv, ""sv, "9"sv, ""sv},
    {"json"sv, ""sv, " "sv, ""sv},
    {"json"sv, "{\"a\":["sv, "\"\\ud83d\\ude00\","sv, "1"sv},
    {"template"sv, ""sv, "x\n"sv, ""sv},
    {"template"sv, ""sv, "{{ n }}"sv, ""sv},
    {"template"sv, "{{ n"sv, " + n"sv, " }}"sv},
    {"template"sv, "{{ s"sv, " ~ 'a'"sv, " }}"sv},
    {"template"sv, "{{ s"sv, "|trim"sv, " }}"sv},
    {"template"sv, "{{ n"sv, " and n"sv, " }}"sv},
    {"template"sv, "{{ n"sv, " < n"sv, " }}"sv},
    {"template"sv, "{{ d"sv, ".a"sv, " }}"sv},
    {"template"sv, "{{ l"sv, "[0]"sv, " }}"sv},
    {"template"sv, "{{ ["sv, "1,"sv, "1]|length }}"sv},
    {"template"sv, "{{ {"sv, "'k#':1,"sv, "'z':1}|length }}"sv},
    {"template"sv, "{{ '"sv, "a"sv, "'|upper }}"sv},
    {"template"sv, "{{ '"sv, "\\\\"sv, "' }}"sv},
    {"template"sv, ""sv, "{% set x# = # %}"sv, "{{ x1 }}"sv},
    {"template"sv, ""sv, "{% macro m#(a) %}{{ a }}{% endmacro %}"sv, "{{ m1(2) }}"sv},
    {"template"sv, "{% if n == 1 %}"sv, "{% elif n == # %}a"sv, "{% endif %}"sv},
    {"template"sv, ""sv, "{# c #} \n"sv, ""sv},
    {"template"sv, ""sv, "  \n{%- if n -%} \n{%- endif -%}"sv, ""sv},
    {"template"sv, ""sv, "{% raw %}{{{% endraw %}"sv, ""sv},
    {"template"sv, ""sv, "{% for i in l %}{% set q = i %}{% endfor %}"sv, ""sv},
    {"template"sv, ""sv, "{% for i in"sv, ""sv},
    {"template"sv, ""sv, "{{ ("sv, ""sv},
    {"template"sv, ""sv, "{% if n %}"sv, ""sv},
    {"template"sv, "{{ f("sv, "k#=1,"sv, ") }}"sv},
    {"template"sv, "{{ '"sv, "%s"sv, "'|format(1) }}"sv},
    {"template"sv, "{{ '"sv, "a "sv, "'.split()|join(',') }}"sv},
    {"template"sv, "{{ '"sv, "b,a,"sv, "'.split(',')|sort|unique|list }}"sv},
    {"template"sv, "{{ '"sv, "aab"sv, "'|replace('a', 'bb')|wordwrap(10)|title|indent }}"sv},
    {"messages"sv, "["sv, "{\"role\":\"user\",\"content\":\"x\"},"sv, "{}]\0""0"sv},
    {"messages"sv, "["sv, "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},\"b\"]},"sv, "{}]\0""2"sv},
    {"messages"sv, "[{\"role\":\"user\",\"content\":["sv, "{\"type\":\"text\",\"text\":\"a\"},"sv, "\"b\"]}]\0""2"sv},
    {"messages"sv, "[{\"role\":\"assistant\",\"tool_calls\":["sv, "{\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"sv,
     "1]}]\0{{ messages[0].tool_calls[0].function.arguments.a }}"sv},
    {"gbnf"sv, "root ::= "sv, "\"a\" "sv, "\n"sv},
    {"gbnf"sv, "root ::= \""sv, "a"sv, "\"\n"sv},
    {"gbnf"sv, "root ::= "sv, "\"a#\" | "sv, "\"b\"\n"sv},
    {"gbnf"sv, "root ::= ["sv, "a-cx"sv, "]+\n"sv},
    {"gbnf"sv, "root ::= r1\n"sv, "r# ::= \"x\"\n"sv, ""sv},
    {"gbnf"sv, "root ::= "sv, "( "sv, ""sv},
    {"gbnf"sv, "root ::= "sv, "[a-z]* "sv, "\n\0abcabc"sv, 1024},
    {"gbnf"sv, "root ::= x x\nx ::= \"y\"\n"sv, "# comment\n"sv, ""sv},
    {"gbnf"sv, "root ::= s\ns ::= \"a\" s | \"a\" \n\0"sv, "a"sv, ""sv},
    {"gbnf"sv, "root ::= (\"a\"*)* | s\ns ::= \"a\" s \"b\" | \"a\" s | \"\"\n\0"sv, "a"sv, ""sv},
    {"gbnf"sv, "root ::= [a-z]{1,60000} | (\"a\"{3,5} \"b\")*\n\0"sv, "a"sv, ""sv},
    {"gbnf"sv, "root ::= v\nv ::= \"[\" (v (\",\" v)*)? \"]\"\n\0"sv, "["sv, ""sv},
    {"gbnf"sv, "root ::= v\nv ::= \"[\" (v (\",\" v)*)? \"]\"\n\0["sv, "[],"sv, "[]]"sv},
    {"regex"sv, ""sv, "a"sv, ""sv, 1024},
    {"regex"sv, ""sv, "[a-z]"sv, ""sv, 1024},
    {"regex"sv, ""sv, "ab#|"sv, "z"sv, 1024},
    {"regex"sv, ""sv, "("sv, ""sv, 1024},
    {"regex"sv, "(a|b)*c\0"sv, "ab"sv, "c"sv},
    {"regex"sv, ".*x.*y\0"sv, "xz"sv, ""sv},
    {"regex"sv, "^"sv, "a"sv, "$"sv, 1024},
    {"regex"sv, "["sv, "\\w-\\u0100"sv, "]"sv, 1024},
    {"schema"sv, "{\"type\":\"object\",\"properties\":{"sv, "\"k#\":{\"type\":\"integer\"},"sv, "\"z\":{}}}"sv},
    {"schema"sv, "{\"type\":\"object\",\"required\":["sv, "\"k#\","sv, "\"z\"]}"sv},
    {"schema"sv, "{\"enum\":["sv, "\"k#\","sv, "null]}"sv},
    {"schema"sv, "{\"enum\":["sv, "[#],"sv, "null]}"sv, 1024},
    {"schema"sv, "{\"anyOf\":["sv, "{\"const\":#},"sv, "{\"type\":\"null\"}]}"sv, 1024},
    {"schema"sv, "{\"allOf\":["sv, "{\"type\":\"string\"},"sv, "{}]}"sv, 1024},
    {"schema"sv, "{\"$defs\":{"sv, "\"d#\":{\"$ref\":\"#/$defs/z\"},"sv, "\"z\":{}},\"$ref\":\"#/$defs/d1\"}"sv},
    {"schema"sv, "{\"description\":\""sv, "x"sv, "\"}"sv},
    {"schema"sv, ""sv, "{\"items\":"sv, ""sv},
    {"schema"sv, "{\"type\":\"array\",\"prefixItems\":["sv, "{\"type\":\"null\"},"sv, "{}]}"sv},
    {"schema"sv, "{}\0\""sv, "x"sv, "\""sv},
    {"schema"sv, "{}\0"sv, "["sv, ""sv},
    {"schema"sv, "{}\0["sv, "{\"a\":[1,2.5e3,\"\\u00e9\"]},"sv, "1]"sv},
    {"schema"sv, "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}\0{"sv, "\"k#\":#,"sv, "\"z\":1}"sv},
    {"schema"sv, "{\"type\":\"string\",\"pattern\":\"(a|b)*c\"}\0\""sv, "ab"sv, "c\""sv},
    {"schema"sv, "{\"type\":\"array\",\"items\":{\"oneOf\":[{\"const\":1},{\"minimum\":0}]},\"uniqueItems\":false}\0["sv, "2,"sv, "3]"sv},
    {"text"sv, ""sv, "a"sv, ""sv},
    {"text"sv, ""sv, " "sv, ""sv},
    {"text"sv, ""sv, "7"sv, ""sv},
    {"text"sv, ""sv, "\n"sv, ""sv},
    {"text"sv, ""sv, "\xCC\x81"sv, ""sv},
    {"text"sv, ""sv, "\xCC\x81\xCC\x96"sv, ""sv},
    {"text"sv, ""sv, "\xFF"sv, ""sv},
    {"text"sv, ""sv, "\xE2\x96\x81"sv, ""sv},
    {"text"sv, ""sv, "ab "sv, ""sv},
    {"text"sv, ""sv, "\xE6\x97\xA5"sv, ""sv},
    {"text"sv, ""sv, "'s"sv, ""sv},
    {"text"sv, ""sv, "<s"sv, ""sv},
    {"text"sv, ""sv, "<s>"sv, ""sv},
    {"text"sv, ""sv, "foo"sv, ""sv},
    {"text"sv, ""sv, "A\xC3\x89"sv, ""sv},
    {"text"sv, ""sv, "\r\n "sv, ""sv},
    {"text"sv, ""sv, "x# "sv, ""sv},
    {"text"sv, ""sv, "\xF0\x9F\x91\xA9\xE2\x80\x8D"sv, ""sv},
    {"text"sv, ""sv, "\xED\x95\x9C"sv, ""sv},
    {"text"sv, ""sv, "!?"sv, ""sv},
    {"tokenizer"sv, "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{"sv, "\"k#\":#,"sv, "\"z\":0}}}"sv},
    {"tokenizer"sv, "{\"added_tokens\":["sv, "{\"id\":#,\"content\":\"<#>\",\"special\":true},"sv,
     "{\"id\":0,\"content\":\"<x>\"}],\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{}}}"sv},
    {"tokenizer"sv, "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0]"sv, ",[\"k#\",-#]"sv, "]}}"sv},
};

std::string make(const Shape &s, size_t n) {
    std::string text(s.front);
    for (size_t i = 1; text.size() < n; ++i)
        for (char c : s.again) c == '#' ? text += std::to_string(i) : text += c;
    return text += s.back;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int bad = 0, n_shapes = 0;
    for (const Shape &s : kShapes) {
        if (s.target != argv[1]) continue;
        uint64_t cost[3];
        for (int k = 0; k < 3; ++k) {
            const std::string input = make(s, s.n << (2 * k));
            LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(input.data()), input.size());  // lazily made things
            work = 0;
            LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(input.data()), input.size());
            cost[k] = work;
        }
        const double a = static_cast<double>(cost[1]) / static_cast<double>(cost[0]), b = static_cast<double>(cost[2]) / static_cast<double>(cost[1]);
        const bool slow = b > 6;
        std::printf("%s %.24s...%.60s...%.24s: %.1f a byte, x4: %.2f, %.2f%s\n", argv[1], std::string(s.front).c_str(), std::string(s.again).c_str(),
                    std::string(s.back).c_str(), static_cast<double>(cost[2]) / static_cast<double>(s.n << 4), a, b, slow ? "  GROWS" : "");
        std::fflush(stdout);
        bad += slow;
        ++n_shapes;
    }
    std::printf("%s: %d shapes, %d of them grow faster than their size\n", argv[1], n_shapes, bad);
    return bad != 0;
}
