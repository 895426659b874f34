#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# same_bits_emulated.sh BUILD MODEL ... : the Xtensa emulator prints the same bits after every stage as this machine.
set -eu
build=$1; shift
here=$(dirname "$0")
[ $# -gt 0 ] || { echo "FAILED: no model files"; exit 1; }
for model in "$@"; do
    got=$("$here/../emulator/run.sh" "$build/selftest.elf" "$build/instructions.so" "$model" --count) || { echo "FAILED: $model"; echo "$got"; exit 1; }
    expected=$("$build/selftest" "$model") || { echo "FAILED: $model"; echo "$expected"; exit 1; }
    [ "$(echo "$got" | grep -v '^count')" = "$expected" ] || { echo "FAILED: $model"; echo "expected:"; echo "$expected"; echo "got:"; echo "$got"; exit 1; }
    echo "$got" | grep '^count'
    echo "ok: $(basename "$model"): the same bits after every stage, $(echo "$got" | tail -n 1)"
done
