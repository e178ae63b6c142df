#!/bin/sh
# prelink.sh WHOLE.a OUT.a DIR: one relocatable object of everything in WHOLE.a, with all but inlay_* made local.
# --force-group-allocation resolves COMDAT groups here, so that none is left for another library's copy to replace.
set -e
mkdir -p "$3"
${LD:-ld} -r --force-group-allocation --whole-archive "$1" -o "$3/inlay.o"
${OBJCOPY:-objcopy} --wildcard --keep-global-symbol='inlay_*' "$3/inlay.o"
rm -f "$2"
${AR:-ar} rcsD "$2" "$3/inlay.o"
