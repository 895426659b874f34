#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh PROGRAM.elf PLUGIN.so ARGUMENT ... : runs a program in the emulator; its exit status is ours. Paths are made absolute.
# PLUGIN.so counts instructions; `-` does without, twice as fast.
# EMULATOR_SECONDS (default 280) ends an emulator that has lost its way.
set -eu
program=$(realpath "$1"); plugin=$2; [ "$plugin" = - ] || plugin=$(realpath "$plugin"); shift 2
address() { xtensa-lx106-elf-nm "$program" | awk -v n="$1" '$3 == n { print $1; exit }'; }
arguments="arg=$(basename "$program")"
for a in "$@"; do if [ -e "$a" ]; then a=$(realpath "$a"); fi; arguments="$arguments,arg=$a"; done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
[ "$plugin" = - ] && plugin= || plugin="-plugin $plugin,mark=$(address sim_mark),low=$(address __soft_float_start),high=$(address __soft_float_end),out=instructions.bin"
timeout "${EMULATOR_SECONDS:-280}" qemu-system-xtensa -M sim -cpu lx106 -m 64 -nographic -monitor none -serial none \
  -semihosting-config "enable=on,$arguments" -kernel "$program" $plugin
