# SPDX-License-Identifier: Apache-2.0
"""The peers' virtual environments, in the user's cache and never in the project: one with llama.cpp, compiled there for this CPU, and
ik's wheel; one with ik compiled for this CPU as well. Compiling takes minutes the first time; pip's own output shows how far it is."""
import os
import subprocess
import sys

PACKAGES = ["llama-cpp-python", "ik-llama-cpp-python", "numpy"]


def cache_folder():
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "inlay")


def python(native_ik=False):
    """An environment's Python, made and filled when something lacks."""
    folder = os.path.join(cache_folder(), "ik-native-venv" if native_ik else "bench-venv")
    py = os.path.join(folder, "bin", "python")
    if not os.path.exists(py):
        print(f"== a virtual environment for the peers in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    missing = [p for p in (PACKAGES[1:] if native_ik else PACKAGES) if p not in versions(py)]
    if missing:
        what = "ik_llama.cpp is compiled here: a quarter of an hour" if native_ik else "llama.cpp is compiled here: some minutes"
        print(f"== fetching {', '.join(missing)} ({what} the first time)", file=sys.stderr)
        how = ["--no-binary", "ik-llama-cpp-python"] if native_ik else []
        flags = {"CMAKE_ARGS": "-DGGML_NATIVE=ON"} if native_ik else {}
        subprocess.run([py, "-m", "pip", "install", "--disable-pip-version-check", *how, *missing], check=True, stdout=sys.stderr, env=os.environ | flags)
    return py


def versions(py):
    out = subprocess.run([py, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], capture_output=True, text=True, check=True).stdout
    return dict(line.lower().replace("_", "-").split("==") for line in out.splitlines() if "==" in line)
