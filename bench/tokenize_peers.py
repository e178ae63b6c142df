#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The peers of bench/tokenize.cpp on the same text, processor time of one thread:
#   python3 bench/tokenize_peers.py MODEL.gguf TEXT
# builds the GGUF file's vocabulary anew in the tokenizers package (byte-level BPE) or sentencepiece (SPM), and in
# llama-cpp-python where that is installed. Needs the PyPI packages gguf, tokenizers, sentencepiece and protobuf.
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import gguf  # noqa: E402

model, path = sys.argv[1:3]
text = open(path, encoding="utf-8", errors="replace").read()
size = len(text.encode())
fields = gguf.GGUFReader(model).fields


def get(name):
    return fields["tokenizer.ggml." + name].contents()


def measure(name, encode):
    best, n = 1e9, 0
    for _ in range(3):
        start = time.process_time()
        n = encode()
        best = min(best, time.process_time() - start)
    print(f"{name}: {size} bytes, {n} tokens, {size / best / 1e6:.1f} MB/s")


if get("model") == "gpt2":
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    patterns = {
        "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    }
    vocab = {t: i for i, t in enumerate(get("tokens"))}
    merges = [tuple(m.split(" ")) for m in get("merges")]
    t = Tokenizer(models.BPE(vocab, merges))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(patterns[get("pre")]), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    measure("tokenizers", lambda: len(t.encode(text).ids))
else:
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as pb

    proto = pb.ModelProto()
    for piece, score, kind in zip(get("tokens"), get("scores"), get("token_type")):
        proto.pieces.add(piece=piece.replace(" ", "\u2581") if kind == 4 else piece, score=score, type=kind)
    proto.trainer_spec.model_type = pb.TrainerSpec.BPE
    proto.trainer_spec.byte_fallback = True
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = False
    proto.normalizer_spec.remove_extra_whitespaces = False
    sp = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    measure("sentencepiece", lambda: len(sp.encode(text)))
try:
    import llama_cpp

    llama = llama_cpp.Llama(model, vocab_only=True, verbose=False)
    measure("llama.cpp", lambda: len(llama.tokenize(text.encode(), add_bos=False)))
except ImportError:
    print("llama-cpp-python is not installed")
