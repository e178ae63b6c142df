#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One fuzz target for some seconds: run.py SOURCE BUILD TARGET SECONDS. Makes the libFuzzer build (clang, ASan, UBSan) in BUILD
if it is not there. New inputs are kept in BUILD/corpus/TARGET, committed ones are read from tests/fuzz/corpus/TARGET. A crash,
a leak, an input over 5 s or 1 GiB fails, and the input's place is printed; and so does work that grows faster than its input."""
import fcntl
import os
import re
import shutil
import subprocess
import sys

source, build, target, seconds = sys.argv[1:5]
clang = shutil.which("clang++")
if not clang or not shutil.which("meson") or not shutil.which("ninja"):
    print("SKIP: clang++, meson and ninja are needed for libFuzzer")
    sys.exit(77)
os.makedirs(build, exist_ok=True)
with open(os.path.join(build, ".lock"), "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    env = dict(os.environ, CC="clang", CXX=clang)
    if not os.path.exists(os.path.join(build, "build.ninja")):
        r = subprocess.run(["meson", "setup", build, source, "-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dtbb=disabled",
                            "--buildtype=plain", "-Doptimization=1", "-Db_ndebug=false"], env=env, capture_output=True, text=True)
        if r.returncode:
            print(r.stdout[-3000:], "SKIP: the libFuzzer build could not be configured", sep="\n")
            sys.exit(77)
    programs = ["tests/fuzz/fuzz_" + target, "tests/fuzz/growth_" + target]
    subprocess.run(["ninja", "-C", build, *programs], env=env, check=True)

sanitizers = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1", UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
growth = subprocess.run([os.path.join(build, programs[1]), target], env=sanitizers).returncode

seeds = [os.path.join(source, "tests/fuzz/corpus", target)]
kept = os.path.join(build, "corpus", target)
found = os.path.join(build, "found")
os.makedirs(kept, exist_ok=True)
os.makedirs(found, exist_ok=True)
words = os.path.join(source, "tests/fuzz", target + ".dict")
args = [os.path.join(build, programs[0]), "-max_len=1024", "-max_total_time=" + seconds, "-timeout=5", "-rss_limit_mb=1024", "-print_final_stats=1",
        "-artifact_prefix=" + os.path.join(found, target + "-"), *(["-dict=" + words] if os.path.exists(words) else []), kept, *seeds]
r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                   env=sanitizers)
stat = lambda name: (re.search(r"stat::" + name + r":\s*(\d+)", r.stdout) or [0, "?"])[1]
cover = re.findall(r"cov: (\d+)", r.stdout)
print(f"{target}: {stat('number_of_executed_units')} inputs, {cover[-1] if cover else '?'} edges, peak {stat('peak_rss_mb')} MiB")
if r.returncode:
    print(r.stdout[-6000:])
sys.exit(1 if r.returncode or growth else 0)
