#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Makes the tokenizer goldens: small vocabularies trained on the sentences below, and what tokenizers 0.23.3 and
# sentencepiece 0.2.3 (PyPI, with unicodedata2) answer for a few hundred texts. Deterministic.
#   cd tests/golden/tokenizer && python3 make.py
import json
import os
import random

import sentencepiece
import unicodedata2
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import decoders as D
from tokenizers import models as M
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P
from tokenizers import processors as PP
from tokenizers import trainers as T

SENTENCES = """The river bends twice before it reaches the mill, and the miller's dog barks at every boat.
She couldn't say why she'd kept 1,024 letters; they're in a box under the bed.
    if (count > 10) { return count * 2; } // twice, as we've seen
for i in range(100):\n\tprint(f"{i:03d}", end="\\n\\n")
Über den Dächern von Köln fliegt ein grüner Ballon; naïve façade, déjà vu, Ærø.
Москва встречает утро тихо, и река блестит.
今天的天气很好,我们去公园散步吧。二〇二四年
ひらがなとカタカナと漢字がまざった文です。ﾊﾝｶｸ
오늘은 날씨가 좋아서 산책을 했어요.
نص عربي قصير، مع أرقام ١٢٣ وعلامات؟
हिन्दी में एक छोटा वाक्य है।
Price: $3.50, 20% off... (was €4.40)! #sale @shop http://example.org/a/b?c=d&e=f
e = mc² and H₂O, ½ + ¼ = ¾; x\u0301y\u0323z\u0308 ÅÅ ﬁne ﬀ ① Ⅷ
🙂👍🏽👩\u200d👩\u200d👧 🇩🇪 ok\r\n\r\nnew line\ttab \u00a0nbsp\u3000wide   three   four
HTMLParser camelCase XMLHttpRequest iPhone McDonald's O'Neill'S I'LL you'Re 'tis
1 12 123 1234 12345 1234567 3.14159 1e-9 0xFF 2024-01-31 ٣٤٥ ⅧⅨ""".replace("\\n", "\n").replace("\\t", "\t").split("\n")
rnd = random.Random(20240131)


def texts():
    out = ["", " ", "  ", "\n", "\n\n \n", "a", "'s", "''s", "<s>", "</s> x", " <s>  a<s>", "foo", "xfoo foo.", "<tag>  <tag>", "\u2581", "a\u2581\u2581b"]
    out += SENTENCES
    chars = [c for s in SENTENCES for c in s] + list("\t\n\r '\u0301\u200d\u2028\u00ad'sſ-_/.,!")
    for _ in range(40):
        out.append("".join(rnd.choice(chars) for _ in range(rnd.choice([2, 5, 9, 20, 40]))))
    for _ in range(20):
        s = rnd.choice(SENTENCES)
        i = rnd.randrange(len(s) or 1)
        out.append(s[i:i + rnd.randrange(1, 40)])
    return out


TEXTS = texts()
WORD = r"'s|'t|'re|'ve|'m|'ll|'d"
LLAMA3 = r"(?i:" + WORD + r")|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = WORD + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
UP, LOW = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD, ENDS = r"[^\r\n\p{L}\p{N}]?", r"\s*[\r\n]+|\s+(?!\S)|\s+"
GPT4O = f"{LEAD}{UP}*{LOW}+(?i:{WORD})?|{LEAD}{UP}+{LOW}*(?i:{WORD})?|" + r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + ENDS
TEKKEN = f"{LEAD}{UP}*{LOW}+|{LEAD}{UP}+{LOW}*|" + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + ENDS
QWEN35 = r"(?i:" + WORD + r")|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + ENDS
DEEPSEEK3 = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|""" + ENDS


def iso(regex):
    return P.Split(Regex(regex), "isolated")


CUTS = {
    "gpt-2": iso(GPT2),
    "llama-bpe": iso(LLAMA3),
    "qwen2": iso(LLAMA3.replace("{1,3}", "")),
    "qwen35": iso(QWEN35),
    "gpt-4o": iso(GPT4O),
    "tekken": iso(TEKKEN),
    "starcoder": P.Sequence([P.Digits(individual_digits=True), iso(GPT2)]),
    "deepseek-v3": P.Sequence([iso(r"\p{N}{1,3}"), iso("[一-龥\u3040-ゟ゠-ヿ]+"), iso(DEEPSEEK3)]),
    "deepseek-coder": P.Sequence([iso("[\r\n]"), iso(r"\s?\p{L}+"), iso(r"\s?\p{P}+"), iso("[一-龥\u0800-一가-\ud7ff]+"), P.Digits(individual_digits=True)]),
    "bloom": iso(r" ?[^(\s|.,!?…。，、।۔،)]+"),
}
FORMS = {"nfc": N.NFC(), "nfd": N.NFD(), "nfkc": N.NFKC(), "nfkd": N.NFKD(), "lowercase": N.Lowercase()}


def write(name, rows):
    with open(name, "w") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


def pieces():
    for name, pre in CUTS.items():
        for text in TEXTS:
            ends = [len(text[:end].encode()) for _, (_, end) in pre.pre_tokenize_str(text)]
            yield {"name": name, "text": text, "ends": ends}


def forms():
    assert unicodedata2.unidata_version == "16.0.0"
    marks = [chr(c) for c in range(0x300, 0x3000) if unicodedata2.combining(chr(c)) or unicodedata2.decomposition(chr(c))]
    for name, form in FORMS.items():
        for text in [rnd.choice("aAoOKÅ가각ﬁ") + "".join(rnd.choice(marks) for _ in range(rnd.choice([1, 2, 4, 20]))) + "e" for _ in range(40)]:
            yield {"name": name, "text": text, "out": form.normalize_str(text)}


def added(t):
    t.add_special_tokens([AddedToken("<s>", special=True), AddedToken("</s>", special=True, lstrip=True)])
    t.add_tokens([AddedToken("foo", single_word=True), AddedToken("<tag>", normalized=False, rstrip=True), AddedToken("BAR", normalized=True)])


def trained(model, trainer, normalizer, pre, decoder, post=None):
    t = Tokenizer(model)
    if normalizer:
        t.normalizer = normalizer
    if pre:
        t.pre_tokenizer = pre
    t.train_from_iterator(SENTENCES * 3, trainer)
    t.decoder = decoder
    j = json.loads(t.to_str())  # the trainer takes byte pieces as special tokens only; published files don't have them so
    j["added_tokens"] = [a for a in j["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(j))
    added(t)
    if post:
        t.post_processor = post(t)
    return t


def hugging_face():
    bpe = dict(vocab_size=420, show_progress=False)
    byte = dict(bpe, initial_alphabet=P.ByteLevel.alphabet())
    fallback = ["<unk>"] + [f"<0x{b:02X}>" for b in range(256)]
    return {
        "bytes": trained(M.BPE(), T.BpeTrainer(**byte), N.NFC(), P.Sequence([iso(LLAMA3), P.ByteLevel(add_prefix_space=False, use_regex=False)]), D.ByteLevel()),
        "prefix": trained(M.BPE(), T.BpeTrainer(**byte), None, P.ByteLevel(add_prefix_space=True), D.ByteLevel()),
        "fallback": trained(M.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True), T.BpeTrainer(**dict(bpe, vocab_size=700), special_tokens=fallback),
                            N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None,
                            D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])),
        "wordpiece": trained(M.WordPiece(unk_token="[UNK]"), T.WordPieceTrainer(vocab_size=420, show_progress=False, limit_alphabet=120, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]),
                             N.BertNormalizer(), P.BertPreTokenizer(), D.WordPiece(), lambda t: PP.BertProcessing(("[SEP]", 3), ("[CLS]", 2))),
        "unigram": trained(M.Unigram(), T.UnigramTrainer(vocab_size=420, show_progress=False, special_tokens=["<unk>"], unk_token="<unk>"),
                           N.Sequence([N.NFKC(), N.Replace(Regex(" {2,}"), " ")]), P.Metaspace(prepend_scheme="first"), D.Metaspace(),
                           lambda t: PP.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])),
    }


def sentence_piece():
    with open("corpus.tmp", "w") as f:
        f.write("\n".join(s for s in SENTENCES * 3 if s.strip()))
    with open("rules.tmp", "w") as f:  # a map of our own: a few letters, a sequence, one that vanishes
        f.write("41\t61\nFB01\t66 69\n65 301\tE9\nAD\t\n3000\t20\nA0\t20\nD A\t20\n")
    common = dict(input="corpus.tmp", minloglevel=2, vocab_size=560, hard_vocab_limit=False, num_threads=1)
    rules = dict(normalization_rule_tsv="rules.tmp")
    train = sentencepiece.SentencePieceTrainer.train
    train(model_prefix="bpe", model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
          user_defined_symbols=["<tag>", "▁▁", "foo"], **common)
    train(model_prefix="unigram_map", model_type="unigram", user_defined_symbols=["foo", "BAR"], **rules, **common)
    for name in ("bpe", "unigram_map"):
        os.remove(name + ".vocab")
    os.remove("corpus.tmp")
    os.remove("rules.tmp")
    return ["bpe", "unigram_map"]


def cases():
    for name, t in hugging_face().items():
        t.save(name + ".json", pretty=False)
        for special in (False, True):
            t.encode_special_tokens = not special
            for text in TEXTS:
                yield {"file": name + ".json", "text": text, "special": special, "ids": t.encode(text, add_special_tokens=special).ids}
    for name in sentence_piece():
        sp = sentencepiece.SentencePieceProcessor(model_file=name + ".model")
        for text in TEXTS:
            ids = sp.encode(text)
            yield {"file": name + ".model", "text": text, "special": False, "ids": ids, "decoded": sp.decode([i for i in ids if i != sp.unk_id()])}


if __name__ == "__main__":
    write("cuts.jsonl", pieces())
    write("forms.jsonl", forms())
    write("cases.jsonl", cases())
