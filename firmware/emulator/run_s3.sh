#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_s3.sh PROGRAM.elf PLUGIN.so ARGUMENT ... : runs a program on the core that stands in for the ESP32-S3's; its
# exit status is ours. Paths are made absolute. A division or square root counts as DIVISION instructions: with 60, GELU
# costs what was counted on an emulated S3. EMULATOR_SECONDS (default 280) ends an emulator that has lost its way.
set -eu
program=$(realpath "$1"); plugin=$(realpath "$2"); shift 2
address() { riscv64-unknown-elf-nm "$program" | awk -v n="$1" '$3 == n { print $1; exit }'; }
arguments=
for a in "$@"; do if [ -e "$a" ]; then a=$(realpath "$a"); fi; arguments="$arguments,arg=$a"; done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
plugin="$plugin,out=instructions.bin,division=${DIVISION:-60},mark=$(address sim_mark),pause=$(address ftv_sim_pause),resume=$(address ftv_sim_resume)"
timeout "${EMULATOR_SECONDS:-280}" qemu-system-riscv32 -M virt -m 256 -bios none -nographic -monitor none -serial none \
    -semihosting-config "enable=on$arguments" -kernel "$program" -plugin "$plugin" 2>&1 # its console is standard error
