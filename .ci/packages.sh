# Sourced by examples/quickstart and tests/run: `need PACKAGE…` installs the Debian packages that are missing.
# shellcheck shell=sh
need() {
    missing=
    for p in "$@"; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
    done
    [ -z "$missing" ] && return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "These packages (Debian's names) are needed, and this is no Debian system:$missing" >&2
        return 1
    fi
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 || { echo "Run as root, or install sudo: these packages are missing:$missing" >&2; return 1; }
        as_root=sudo
    fi
    echo "== installing$missing"
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/tmp/inlay-apt.log 2>&1 && return 0
    # A bare machine has no package lists yet, or old ones.
    $as_root apt-get update -qq >/tmp/inlay-apt.log 2>&1
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >>/tmp/inlay-apt.log 2>&1 ||
        { tail -20 /tmp/inlay-apt.log >&2; return 1; }
}

# What the library itself is built with.
build_packages="g++ meson ninja-build pkg-config binutils libeigen3-dev libtbb-dev libsimdjson-dev"
