# SPDX-License-Identifier: Apache-2.0
"""The peers' virtual environment, in the user's cache and never in the project. The first time llama.cpp is compiled there for
this CPU, which takes minutes; pip's own output shows how far it is."""
import os
import subprocess
import sys

PACKAGES = ["llama-cpp-python", "ik-llama-cpp-python", "numpy"]


def cache_folder():
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "inlay")


def python():
    """The environment's Python, made and filled when something lacks."""
    folder = os.path.join(cache_folder(), "bench-venv")
    py = os.path.join(folder, "bin", "python")
    if not os.path.exists(py):
        print(f"== a virtual environment for the peers in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    missing = [p for p in PACKAGES if p not in versions(py)]
    if missing:
        print(f"== fetching {', '.join(missing)} (llama.cpp is compiled here: some minutes the first time)", file=sys.stderr)
        subprocess.run([py, "-m", "pip", "install", "--disable-pip-version-check", *missing], check=True, stdout=sys.stderr)
    return py


def versions(py):
    out = subprocess.run([py, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], capture_output=True, text=True, check=True).stdout
    return dict(line.lower().replace("_", "-").split("==") for line in out.splitlines() if "==" in line)
