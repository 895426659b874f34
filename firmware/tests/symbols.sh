#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# symbols.sh [COMPILER ...] : every symbol with external linkage that a program or a chip links begins with ftv_. Not asked: main and
# app_main, which the C library and ESP-IDF call, and the emulator, which stands in for a C runtime.
set -eu
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
include='-Iinclude -Isrc -Iapp -Ihost -Iesp32s3/check -Iesp32s3/main -Iesp32s3 -isystem third_party'
objects=0
for cc in "$@"; do
    command -v "$cc" > /dev/null || continue
    nm=nm
    case $cc in *-gcc) nm=${cc%gcc}nm;; esac
    for f in src/*.c app/*.c host/*.c web/engine.c esp32s3/*.c esp32s3/main/*.c emulator/pie.c; do
        "$cc" -std=gnu17 -O0 -w -DCHECK_ON $include -c "$f" -o "$folder/o" || { echo "FAILED: symbols: $cc $f"; exit 1; }
        "$nm" -g --defined-only "$folder/o" | awk -v f="$f" 'NF == 3 && $3 !~ /^(ftv_|main$|app_main$)/ { print f ": " $3 }' >> "$folder/offenders"
        objects=$((objects + 1))
    done
done
sed -nE 's/^FUNCTION\(([a-z0-9_]+).*/\1/p' esp32s3/pie_gemm.S > "$folder/functions"
[ -s "$folder/functions" ] || { echo "FAILED: symbols: no FUNCTION in pie_gemm.S: the check is blind"; exit 1; }
sed '/^ftv_/d; s/^/esp32s3\/pie_gemm.S: /' "$folder/functions" >> "$folder/offenders"
[ $objects -gt 0 ] || { echo "skipped: symbols (no compiler)"; exit 0; }
[ ! -s "$folder/offenders" ] || { echo "FAILED: symbols without the prefix ftv_:"; sort -u "$folder/offenders"; exit 1; }
echo "ok: symbols: all of $objects objects begin with ftv_"
