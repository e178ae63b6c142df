# SPDX-License-Identifier: Apache-2.0
"""The peers' virtual environment, in the user's cache and never in the project. The first time llama.cpp is compiled there for
this CPU, which takes minutes; pip's own output shows how far it is. ik_llama.cpp is the wheel; beside it its two libraries are
compiled for this CPU, when a native ik takes part."""
import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

IK = "ik-llama-cpp-python"
PACKAGES = ["llama-cpp-python", IK, "numpy"]


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


def native_ik(py):
    """What a worker's environment needs for the wheel's Python to load libraries that were compiled for this CPU. pip can't
    compile the source package, which lacks a file of one of its programs; its libraries are whole."""
    version = versions(py)[IK]
    folder = os.path.join(cache_folder(), "ik-native-" + version)
    library = os.path.join(folder, "libllama.so")
    if not os.path.exists(library):
        print("== ik_llama.cpp is compiled for this CPU: a quarter of an hour", file=sys.stderr)
        run = lambda *command: subprocess.run(command, check=True, stdout=sys.stderr)
        with tempfile.TemporaryDirectory() as work:
            run(py, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--no-binary", IK, "-d", work, f"{IK}=={version}")
            with tarfile.open(glob.glob(os.path.join(work, "*.tar.gz"))[0]) as t:
                t.extractall(work, filter="data")
            source, build = glob.glob(os.path.join(work, "*", "CMakeLists.txt"))[0], os.path.join(work, "build")
            # Flash attention for all pairs of KV types takes most of the time, and nobody here uses it.
            run("cmake", "-S", os.path.dirname(source), "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DGGML_IQK_FA_ALL_QUANTS=OFF",
                "-DCMAKE_CXX_FLAGS=-w")
            run("cmake", "--build", build, "--parallel", str(os.cpu_count()), "--target", "llama", "ggml")
            os.makedirs(folder, exist_ok=True)
            for found in sorted(glob.glob(os.path.join(build, "**", "lib*.so"), recursive=True)):  # libggml before libllama
                shutil.copy(found, folder)
    return {"IK_LLAMA_CPP_LIB_PATH": library, "LD_LIBRARY_PATH": folder}


def versions(py):
    out = subprocess.run([py, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], capture_output=True, text=True, check=True).stdout
    return dict(line.lower().replace("_", "-").split("==") for line in out.splitlines() if "==" in line)
