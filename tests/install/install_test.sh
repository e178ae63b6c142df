#!/bin/sh
# install_test.sh SOURCE BUILD TOY: installs into a scratch folder and builds examples/minimal.c against it, shared and static, by
# pkg-config alone; both must answer.
set -eu
src=$1 build=$2 toy=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >/dev/null 2>&1 || DESTDIR=$root /usr/bin/meson install -C "$build" --no-rebuild --quiet >/dev/null
pc=$(dirname "$(find "$root" -name inlay.pc)")
export PKG_CONFIG_PATH="$pc" PKG_CONFIG_SYSROOT_DIR="$root"
lib=$(pkg-config --variable=libdir inlay)
case $lib in "$root"*) ;; *) lib=$root$lib ;; esac

# shellcheck disable=SC2046
cc "$src/examples/minimal.c" $(pkg-config --cflags --libs inlay) -Wl,-rpath,"$lib" -o "$root/minimal_shared"
"$root/minimal_shared" "$toy" "abc" >"$root/shared.txt"
# The archive first, then what it needs: a C compiler links it, no C++ driver.
# shellcheck disable=SC2046
cc "$src/examples/minimal.c" $(pkg-config --cflags inlay) "$lib/libinlay.a" $(pkg-config --static --libs-only-l inlay | sed 's/-linlay//') -pthread -o "$root/minimal_static"
"$root/minimal_static" "$toy" "abc" >"$root/static.txt"
cmp "$root/shared.txt" "$root/static.txt"
test -s "$root/shared.txt"
test -x "$(find "$root" -path '*bin/inlay')"
for h in inlay.h inlay.hpp tensor/tensor.h; do test -f "$(find "$root" -path "*include/inlay/$h")"; done
echo "shared and static programs agree"
