# SPDX-License-Identifier: Apache-2.0
"""The same texts through llguidance: compile and mask times in CPU time, beside bench_grammar.

    bench_grammar MODEL --dump vocab.bin; python3 bench/grammar_peers.py vocab.bin SCHEMA TEXT ...

Needs llguidance and numpy from PyPI. Tokens are chosen as bench_grammar chooses them: the longest that the mask allows."""
import struct
import sys
import time

import llguidance.numpy as masks
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

tokens = []
data = open(sys.argv[1], "rb").read()
at = 0
while at < len(data):
    n, = struct.unpack_from("<I", data, at)
    tokens.append(data[at + 4:at + 4 + n])
    at += 4 + n
ids = {}
for i, b in enumerate(tokens):
    if b:
        ids.setdefault(b, i)


class Vocabulary:
    special_token_ids = [i for i, b in enumerate(tokens) if not b]
    eos_token_id, bos_token_id = special_token_ids[0], special_token_ids[0]
    tokens = [b or b"<special %d>" % i for i, b in enumerate(tokens)]

    def __call__(self, text):
        text = text if isinstance(text, bytes) else text.encode()
        out, i = [], 0
        while i < len(text):
            n = next(n for n in range(min(24, len(text) - i), 0, -1) if text[i:i + n] in ids)
            out.append(ids[text[i:i + n]])
            i += n
        return out


tokenizer = LLTokenizer(TokenizerWrapper(Vocabulary()))
for schema_path, text_path in zip(sys.argv[2::2], sys.argv[3::2]):
    schema, text = open(schema_path).read(), open(text_path, "rb").read()
    compile_ms = []
    for _ in range(5):
        t = time.thread_time()
        matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(schema))
        compile_ms.append((time.thread_time() - t) * 1e3)
    if matcher.get_error():
        print(schema_path, matcher.get_error())
        continue
    mask = masks.allocate_token_bitmask(1, len(tokens))
    us, i = [], 0
    while True:
        t = time.thread_time()
        masks.fill_next_token_bitmask(matcher, mask, 0)
        us.append((time.thread_time() - t) * 1e6)
        fits = [n for n in range(min(24, len(text) - i), 0, -1) if (k := ids.get(text[i:i + n])) is not None and int(mask[0][k // 32]) >> k % 32 & 1]
        if not fits:
            break
        matcher.consume_token(ids[text[i:i + fits[0]]])
        i += fits[0]
    s = sorted(us)
    print(f"{schema_path} llguidance: compile {min(compile_ms):.2f} ms, {len(us)} masks: first {us[0]:.1f}  mean {sum(us) / len(us):.1f}  p50 {s[len(s) // 2]:.1f}"
          f"  p90 {s[len(s) * 9 // 10]:.1f}  p99 {s[len(s) * 99 // 100]:.1f}  max {s[-1]:.1f} us, wrote {i} of {len(text)} bytes")
