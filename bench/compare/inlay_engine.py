# SPDX-License-Identifier: Apache-2.0
"""inlay through its C API, as any host calls it. Structs are filled by the offsets that tests/capi/layout.json holds, so that a
field that is added or moved needs nothing here."""
import ctypes
import json
import os
import struct
import time

TOKEN_EVENT, FINISH_EVENT, AGAIN, DONE = 1, 2, 1, 2
IGNORE_EOS, NO_PREFIX_CACHE = 1, 1
KV_TYPES = {"f16": 0, "q8_0": 1}


class Library:
    def __init__(self, root, build):
        self.c = ctypes.CDLL(os.path.join(build, "capi", "libinlay.so"))
        self.layout = json.load(open(os.path.join(root, "tests", "capi", "layout.json")))
        self.error = ctypes.create_string_buffer(self.layout["inlay_error"])

    def struct(self, name, **fields):
        """A struct with its defaults and these fields, each (struct's format letter, value)."""
        buf = ctypes.create_string_buffer(self.layout[name])
        init = name + "_init"
        if hasattr(self.c, init):
            getattr(self.c, init)(buf, ctypes.c_size_t(len(buf)))
        else:
            struct.pack_into("I", buf, self.layout[name + ".struct_size"], len(buf))
        for field, (form, value) in fields.items():
            struct.pack_into(form, buf, self.layout[name + "." + field], value)
        return buf

    def get(self, buf, name, field, form):
        return struct.unpack_from(form, buf, self.layout[name + "." + field])[0]

    def call(self, name, *args):
        status = getattr(self.c, name)(*args, self.error)
        if status < 0:
            at = self.layout["inlay_error.message"]
            raise RuntimeError(name + ": " + self.error.raw[at:].split(b"\0")[0].decode())
        return status


class Request:
    def __init__(self, engine, ids, max_tokens):
        lib, self.engine = engine.lib, engine
        sampling = lib.struct("inlay_sampling_params", temperature=("f", 0.0))
        params = lib.struct("inlay_request_params", flags=("I", IGNORE_EOS), max_tokens=("I", max_tokens),
                            sampling=("P", ctypes.addressof(sampling)))
        self.handle = ctypes.c_void_p()
        lib.call("inlay_request_submit", engine.handle, (ctypes.c_int32 * len(ids))(*ids), ctypes.c_size_t(len(ids)), params,
                 ctypes.byref(self.handle))
        self.event = lib.struct("inlay_event")
        self.at_kind = lib.layout["inlay_event.kind"]
        self.ended = False

    def poll(self):
        """How many tokens came since the last poll."""
        n = 0
        while not self.ended:
            status = self.engine.lib.call("inlay_request_poll", self.handle, self.event)
            if status:
                self.ended = status == DONE
                break
            kind = struct.unpack_from("i", self.event, self.at_kind)[0]
            n += kind == TOKEN_EVENT
            self.ended = kind == FINISH_EVENT
        return n

    def free(self):
        self.engine.lib.c.inlay_request_free(self.handle)


class Engine:
    def __init__(self, model, n_ctx, n_requests, kv):
        self.lib = model.lib
        self.handle = ctypes.c_void_p()
        params = self.lib.struct("inlay_engine_params", n_ctx=("I", n_ctx), max_requests=("I", n_requests), flags=("I", NO_PREFIX_CACHE),
                                 kv_type=("i", KV_TYPES[kv]))
        self.lib.call("inlay_engine_create", model.handle, params, ctypes.byref(self.handle))

    def step(self):
        return self.lib.call("inlay_engine_step", self.handle, ctypes.c_uint64(0))

    def free(self):
        self.lib.c.inlay_engine_free(self.handle)


class Inlay:
    def __init__(self, options):
        self.lib = Library(options["root"], options["build"])
        self.kv = options.get("kv", "f16")
        self.runtime, self.handle = ctypes.c_void_p(), ctypes.c_void_p()
        tier, name = ctypes.c_int32(), options.get("tier", "auto").encode()
        self.lib.call("inlay_tier_parse", name, ctypes.c_size_t(len(name)), ctypes.byref(tier))
        params = self.lib.struct("inlay_runtime_params", n_threads=("I", options["threads"]), cpu_tier=("i", tier.value))
        self.lib.call("inlay_runtime_create", params, ctypes.byref(self.runtime))
        path = options["model"].encode()
        self.lib.call("inlay_model_open", self.runtime, path, ctypes.c_size_t(len(path)), None, ctypes.byref(self.handle))
        self.engine, self.shape = None, None
        info = self.lib.struct("inlay_runtime_info")
        self.lib.call("inlay_runtime_get_info", self.runtime, info)
        self.lib.c.inlay_tier_name.restype = ctypes.c_char_p
        self.tier = self.lib.c.inlay_tier_name(self.lib.get(info, "inlay_runtime_info", "cpu_tier", "i")).decode()

    def label(self):
        self.lib.c.inlay_version.restype = ctypes.c_char_p
        return f"inlay {self.lib.c.inlay_version().decode()}, tier {self.tier}"

    def engine_for(self, n_ctx, n_requests):
        if self.shape != (n_ctx, n_requests):
            if self.engine:
                self.engine.free()
            self.engine, self.shape = Engine(self, n_ctx, n_requests, self.kv), (n_ctx, n_requests)
        return self.engine

    def first_token(self):
        e = self.engine_for(64, 1)
        r = Request(e, [1000], 1)
        while not r.ended:
            r.poll()
            e.step()
        r.free()

    def prefill(self, ids):
        """Seconds from an empty context to the first token."""
        e = self.engine_for(len(ids) + 2, 1)
        t = time.perf_counter()
        r = Request(e, ids, 1)
        while not r.poll():
            e.step()
        t = time.perf_counter() - t
        r.free()
        return t

    def decode(self, prompts, n):
        """Seconds of n steps in which each of the sequences gets a token."""
        e = self.engine_for(max(map(len, prompts)) + n + 2, len(prompts))
        rs = [Request(e, p, n + 2) for p in prompts]
        while any([not r.poll() for r in rs]):  # all prompts fit into one step
            e.step()
        t = time.perf_counter()
        done = 0
        for _ in range(n):
            e.step()
            done += sum(r.poll() for r in rs)
        t = time.perf_counter() - t
        for r in rs:
            r.free()
        while e.step() != DONE:
            pass
        if done != n * len(rs):
            raise RuntimeError(f"{done} tokens of {n * len(rs)}")
        return t

    def deep(self, ids, n):
        """Prefill of a long prompt, then n tokens behind it: seconds of each."""
        e = self.engine_for(len(ids) + n + 2, 1)
        t0 = time.perf_counter()
        r = Request(e, ids, n + 1)
        while not r.poll():
            e.step()
        t1 = time.perf_counter()
        done = 0
        for _ in range(n):
            e.step()
            done += r.poll()
        t2 = time.perf_counter()
        r.free()
        if done != n:
            raise RuntimeError(f"{done} tokens of {n}")
        return t1 - t0, t2 - t1

    def mixed(self, jobs, slots):
        """Runs jobs (arrival s, prompt ids, n answer tokens); returns the times of each one's tokens after its arrival."""
        e = self.engine_for(max(len(p) + n for _, p, n in jobs) + 2, slots)
        waiting, running, times = list(range(len(jobs))), [], [[] for _ in jobs]
        t0 = time.perf_counter()
        while waiting or running:
            now = time.perf_counter() - t0
            while waiting and jobs[waiting[0]][0] <= now:
                i = waiting.pop(0)
                running.append((i, Request(e, jobs[i][1], jobs[i][2])))
            if not running:
                time.sleep(max(0, jobs[waiting[0]][0] - now))
                continue
            e.step()
            now = time.perf_counter() - t0
            for i, r in running:
                times[i] += [now - jobs[i][0]] * r.poll()
                if r.ended:
                    r.free()
            running = [x for x in running if not x[1].ended]
        return times
