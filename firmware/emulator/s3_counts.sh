#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# s3_counts.sh BUILD MODEL ... : estimated instructions of an ESP32-S3 per stage of one picture, a line each:
#   s3 MODEL KERNELS ATTENTION STAGE INSTRUCTIONS VECTOR BUSIEST
# of all cores together, of these in vector functions, and of the core that has most to do (CORES=2).
# Executed: the C of the engine and of kernels_pie.c, compiled for a 32-bit core that has a floating-point unit and the
# S3's number of registers (Makefile); what of its instructions differs on the S3 by instructions.c, a division or square
# root as DIVISION; vector functions by pie_cost.h. The bits after every stage are those of this machine. Left out: what
# else the S3's compiler makes otherwise, interrupts, handing tasks to the other core, the console, waiting for memory.
set -eu
build=$1; shift
address() { riscv64-unknown-elf-nm "$build/selftest-s3.elf" | awk -v n="$1" '$3 == n { print $1; exit }'; }
plugin="$(realpath "$build")/instructions.so,out=instructions.bin,division=${DIVISION:-60}"
plugin="$plugin,mark=$(address sim_mark),pause=$(address sim_pause),resume=$(address sim_resume)"
program=$(realpath "$build/selftest-s3.elf")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
emulate() { # MODEL KERNELS ATTENTION; the emulator's console is its standard error
    (cd "$folder" && timeout "${EMULATOR_SECONDS:-280}" qemu-system-riscv32 -M virt -m 256 -bios none -nographic -monitor none \
        -serial none -semihosting-config "enable=on,arg=$1,arg=--count,arg=--threads,arg=${CORES:-2},arg=--kernels,arg=$2,arg=--attention,arg=$3" \
        -kernel "$program" -plugin "$plugin" 2>&1)
}
for model in "$@"; do
    for kernels in ${KERNELS:-pie}; do
        for attention in ${ATTENTION:-f32 int8}; do
            got=$(emulate "$(realpath "$model")" "$kernels" "$attention") || { echo "FAILED: $model"; echo "$got"; exit 1; }
            expected=$("$build/selftest" "$model" --attention "$attention" | grep -v golden)
            [ "$(echo "$got" | grep -v '^count' | grep -v golden)" = "$expected" ] || { echo "FAILED: $model: other bits than this machine's"; exit 1; }
            echo "$got" | awk -v what="$(basename "$model") $kernels $attention" '
                $1 == "count" && $2 != "all" {
                    vector = beside = 0
                    for (i = 5; i < NF; i++) {
                        if ($(i + 1) == "in") vector = $i
                        if ($(i + 1) == "at") beside = $i
                    }
                    print "s3", what, $2, $3, vector, $3 - beside
                }'
        done
    done
done
