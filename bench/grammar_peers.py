# SPDX-License-Identifier: Apache-2.0
"""The same texts through llguidance and xgrammar: compile and mask times in CPU time, beside bench_grammar.

    bench_grammar MODEL --dump vocab.bin
    python3 bench/grammar_peers.py vocab.bin SCHEMA TEXT ...
    python3 bench/grammar_peers.py vocab.bin --suite FOLDER...

Needs numpy and llguidance or xgrammar (which needs torch and transformers) from PyPI; what can't be imported is left out.
Tokens are chosen as bench_grammar chooses them: the longest that the mask allows. One thread each."""
import json
import pathlib
import struct
import sys
import time

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
special = [i for i, b in enumerate(tokens) if not b]
texts = [b or b"<special %d>" % i for i, b in enumerate(tokens)]


class Llguidance:
    name = "llguidance"

    def __init__(self):
        import llguidance
        import llguidance.numpy as masks
        from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

        class Vocabulary:
            special_token_ids = special
            eos_token_id, bos_token_id = special[0], special[0]
            tokens = texts

            def __call__(self, text):
                text = text if isinstance(text, bytes) else text.encode()
                out, i = [], 0
                while i < len(text):
                    n = next(n for n in range(min(24, len(text) - i), 0, -1) if text[i:i + n] in ids)
                    out.append(ids[text[i:i + n]])
                    i += n
                return out

        self.masks, self.LLMatcher, self.version = masks, LLMatcher, llguidance.__version__
        self.tokenizer = LLTokenizer(TokenizerWrapper(Vocabulary()))
        self.mask = masks.allocate_token_bitmask(1, len(tokens))

    def compile(self, schema):
        self.grammar = self.LLMatcher.grammar_from_json_schema(schema)
        self.start()
        return not self.matcher.get_error()

    def start(self):
        self.matcher = self.LLMatcher(self.tokenizer, self.grammar)

    def fill(self):
        self.masks.fill_next_token_bitmask(self.matcher, self.mask, 0)

    def take(self, token):
        self.matcher.consume_token(token)

    def words(self):
        return self.mask[0]


class Xgrammar:
    name = "xgrammar"

    def __init__(self):
        import importlib.metadata

        import xgrammar
        self.x, self.version = xgrammar, importlib.metadata.version("xgrammar")
        self.info = xgrammar.TokenizerInfo(texts, xgrammar.VocabType.RAW, vocab_size=len(tokens), stop_token_ids=special[:1])
        self.mask = xgrammar.allocate_token_bitmask(1, len(tokens))
        self.view = self.mask.numpy()[0]

    def compile(self, schema):
        try:
            # A new compiler each time: nothing kept of earlier schemas.
            self.compiled = self.x.GrammarCompiler(self.info, max_threads=1, cache_enabled=False).compile_json_schema(schema, strict_mode=False)
        except Exception:
            return False
        self.start()
        return True

    def start(self):
        self.matcher = self.x.GrammarMatcher(self.compiled)

    def fill(self):
        self.matcher.fill_next_token_bitmask(self.mask)

    def take(self, token):
        self.matcher.accept_token(token)

    def words(self):
        return self.view


def write(peer, text):
    us, i = [], 0
    while True:
        t = time.process_time()
        peer.fill()
        us.append((time.process_time() - t) * 1e6)
        words = peer.words()
        fits = [n for n in range(min(24, len(text) - i), 0, -1) if (k := ids.get(text[i:i + n])) is not None and int(words[k // 32]) >> k % 32 & 1]
        if not fits:
            return us, i
        peer.take(ids[text[i:i + fits[0]]])
        i += fits[0]


def compile_ms(peer, schema):
    t = time.process_time()
    ok = peer.compile(schema)
    return (time.process_time() - t) * 1e3 if ok else None


def parts(v, unit):
    s = sorted(v)
    at = lambda q: s[min(len(s) - 1, int(q * len(s)))]
    return f"p50 {at(.5):.2f}  p90 {at(.9):.2f}  p99 {at(.99):.2f}  max {s[-1]:.2f} {unit}"


def suite(peer, folders):
    compiled, first, cold, warm, refused, broken = [], [], [], [], 0, 0
    for path in sorted(p for f in folders for p in pathlib.Path(f).rglob("*.json")):
        for group in json.load(open(path)):
            if "tests" not in group:
                continue
            ms = compile_ms(peer, json.dumps(group["schema"], ensure_ascii=False))
            if ms is None:
                refused += 1
                continue
            compiled.append(ms)
            fresh = True
            for test in group["tests"]:
                if not test["valid"]:
                    continue
                text = json.dumps(test["data"], ensure_ascii=False).encode()
                for to in (cold, warm):
                    peer.start()
                    us, wrote = write(peer, text)
                    if fresh:
                        first.append(us[0] / 1e3)
                    fresh = False
                    to += us
                broken += wrote < len(text)
    print(f"{peer.name} {peer.version}: {len(compiled)} schemas ({refused} refused), {broken} valid texts not let through")
    for name, v, unit in (("compile", compiled, "ms"), ("first mask", first, "ms"), ("first pass", cold, "us"), ("second pass", warm, "us")):
        print(f"  {name:12} {parts(v, unit)}")


for Peer in (Llguidance, Xgrammar):
    try:
        peer = Peer()
    except ImportError as e:
        print(f"{Peer.name}: {e}")
        continue
    if sys.argv[2] == "--suite":
        suite(peer, [a for a in sys.argv[3:]])
        continue
    for schema_path, text_path in zip(sys.argv[2::2], sys.argv[3::2]):
        schema, text = open(schema_path).read(), open(text_path, "rb").read()
        ms = [compile_ms(peer, schema) for _ in range(5)]
        if ms[0] is None:
            print(f"{schema_path} {peer.name}: refused")
            continue
        for run in ("first", "again"):
            peer.start()
            us, wrote = write(peer, text)
            print(f"{schema_path} {peer.name} {peer.version}: compile {min(ms):.2f} ms, {run}: {len(us)} masks, first {us[0]:.1f}  mean {sum(us) / len(us):.1f}"
                  f"  {parts(us, 'us')}, wrote {wrote} of {len(text)} bytes")
