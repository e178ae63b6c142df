# SPDX-License-Identifier: Apache-2.0
"""llama.cpp and ik_llama.cpp through the C functions that their Python packages bind: batches are built and decoded here, so
that no high-level Python is timed. The two differ in a few names and in the struct of context parameters."""
import ctypes
import os
import time

import numpy

KV_TYPES = {"f16": 1, "q8_0": 8}


class Llama:
    def __init__(self, options):
        self.ik = options["engine"].startswith("ik")
        self.threads, self.kv = options["threads"], options.get("kv", "f16")
        self.flash = options.get("flash", True)
        if self.ik:
            import ik_llama_cpp._ctypes_api as api
            # Functions that the package leaves unbound.
            remove = api._lib.llama_kv_cache_seq_rm
            remove.argtypes, remove.restype = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32], ctypes.c_bool
            self.system_info = api._lib.llama_print_system_info
            self.system_info.restype = ctypes.c_char_p
            self.remove = lambda seq: remove(self.context, seq, -1, -1)
            self.clear = lambda: api.llama_kv_cache_clear(self.context)
        else:
            if not options.get("tiles", True):
                os.environ["GGML_CPU_TILED_MM"] = "0"  # read by its first product
            import llama_cpp as api
            self.quiet = api.llama_log_callback(lambda *a: None)
            api.llama_log_set(self.quiet, ctypes.c_void_p(0))
            self.system_info = api.llama_print_system_info
            self.remove = lambda seq: api.llama_memory_seq_rm(api.llama_get_memory(self.context), seq, -1, -1)
            self.clear = lambda: api.llama_memory_clear(api.llama_get_memory(self.context), True)
        self.api = api
        api.llama_backend_init()
        p = api.llama_model_default_params()
        if options["engine"] == "ik-rtr":
            p.repack_tensors, p.use_mmap, p.use_thp = True, False, True
        if not self.ik:
            p.use_extra_bufts = options.get("repack", True)
        self.model = api.llama_model_load_from_file(options["model"].encode(), p)
        if not self.model:
            raise RuntimeError("the model was refused")
        self.n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.context, self.shape, self.batch = None, None, api.llama_batch_init(512, 0, 1)

    def label(self):
        features = [w.split("=")[0].replace("CPU :", "").strip() for w in self.system_info().decode().split("|") if w.strip().endswith("= 1")]
        return ", ".join(f for f in features if f)

    def open(self, n_ctx, n_seq=1, unified=False):
        if self.shape == (n_ctx, n_seq, unified):
            return self.clear()
        if self.context:
            self.api.llama_free(self.context)
        p = self.api.llama_context_default_params()
        p.n_ctx, p.n_batch, p.n_ubatch, p.n_seq_max = n_ctx, 512, 512, n_seq
        p.n_threads = p.n_threads_batch = self.threads
        p.type_k = p.type_v = KV_TYPES[self.kv]
        if self.ik:
            # With several sequences in one cache the wheel's flash attention ends in an assertion (S > 0).
            p.flash_attn = self.flash and n_seq == 1
        else:
            p.flash_attn_type, p.kv_unified = -1 if self.flash else 0, unified
        self.context = self.api.llama_init_from_model(self.model, p)
        if not self.context:
            raise RuntimeError("no context")
        self.shape = (n_ctx, n_seq, unified)

    def run(self, items):
        """One decode of (token, position, sequence, wants logits)."""
        b = self.batch
        b.n_tokens = len(items)
        for i, (token, pos, seq, wants) in enumerate(items):
            b.token[i], b.pos[i], b.n_seq_id[i], b.logits[i] = token, pos, 1, wants
            b.seq_id[i][0] = seq
        status = self.api.llama_decode(self.context, b)
        if status:
            raise RuntimeError(f"llama_decode: {status}")

    def prompt(self, ids, seq=0):
        for at in range(0, len(ids), 512):
            part = ids[at:at + 512]
            self.run([(t, at + i, seq, at + i == len(ids) - 1) for i, t in enumerate(part)])

    def best(self, i):
        """The likeliest token of the batch's item i."""
        p = self.api.llama_get_logits_ith(self.context, i)
        return int(numpy.ctypeslib.as_array(ctypes.cast(p, ctypes.POINTER(ctypes.c_float)), (self.n_vocab,)).argmax())

    def first_token(self):
        self.open(256)
        self.prompt([1000])

    def prefill(self, ids):
        self.open(len(ids) + 64)
        t = time.perf_counter()
        self.prompt(ids)
        return time.perf_counter() - t

    def decode(self, prompts, n):
        self.open(len(prompts) * 256, len(prompts))
        for s, p in enumerate(prompts):
            self.prompt(p, s)
        start = len(prompts[0])
        t = time.perf_counter()
        for i in range(n):
            self.run([(1000 + i, start + i, s, True) for s in range(len(prompts))])
        return time.perf_counter() - t

    def deep(self, ids, n):
        self.open(len(ids) + n + 64)
        t0 = time.perf_counter()
        self.prompt(ids)
        t1 = time.perf_counter()
        for i in range(n):
            self.run([(1000 + i, len(ids) + i, 0, True)])
        return t1 - t0, time.perf_counter() - t1

    def mixed(self, jobs, slots):
        """As its server does: each pass takes a token of every answer and fills up to 512 with prompts, first come first served."""
        self.open(slots * 1280, slots, True)
        waiting, free, times = list(range(len(jobs))), list(range(slots)), [[] for _ in jobs]
        active = []  # [job, sequence, next position, next token or None while the prompt lasts]
        t0 = time.perf_counter()
        while waiting or active:
            now = time.perf_counter() - t0
            while waiting and free and jobs[waiting[0]][0] <= now:
                active.append([waiting.pop(0), free.pop(), 0, None])
            if not active:
                time.sleep(max(0, jobs[waiting[0]][0] - now))
                continue
            items, wants = [], []
            for a in active:
                if a[3] is not None:
                    wants.append((a, len(items)))
                    items.append((a[3], a[2], a[1], True))
                    a[2] += 1
            for a in active:
                ids = jobs[a[0]][1]
                if a[3] is None and len(items) < 512:
                    part = ids[a[2]:a[2] + 512 - len(items)]
                    for t in part:
                        items.append((t, a[2], a[1], a[2] == len(ids) - 1))
                        a[2] += 1
                    if a[2] == len(ids):
                        wants.append((a, len(items) - 1))
            self.run(items)
            for a, i in wants:
                a[3] = self.best(i)
            now = time.perf_counter() - t0
            for a, _ in wants:
                times[a[0]].append(now - jobs[a[0]][0])
                if len(times[a[0]]) == jobs[a[0]][2]:
                    self.remove(a[1])
                    free.append(a[1])
                    active.remove(a)
        return times
