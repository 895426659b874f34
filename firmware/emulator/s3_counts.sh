#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# s3_counts.sh BUILD MODEL ... : estimated instructions of an ESP32-S3 per stage of one picture, a line each:
#   s3 MODEL KERNELS ATTENTION STAGE INSTRUCTIONS VECTOR BUSIEST
# of all cores together, of these in vector functions, and of the core that has most to do (CORES=2).
# Executed: the C of the engine and of kernels_pie.c, compiled for a 32-bit core that has a floating-point unit and the
# S3's number of registers (Makefile); what the S3 does otherwise by instructions.c and run_s3.sh; vector functions by
# pie_cost.h. The bits after every stage are those of this machine. Left out: what else the S3's compiler makes otherwise,
# interrupts, handing tasks to the other core, the console, waiting for memory.
set -eu
build=$1; shift
here=$(dirname "$0")
for model in "$@"; do
    for kernels in ${KERNELS:-pie}; do
        for attention in ${ATTENTION:-f32 int8}; do
            got=$("$here/run_s3.sh" "$build/selftest-s3.elf" "$build/instructions.so" "$model" --count --threads "${CORES:-2}" \
                --kernels "$kernels" --attention "$attention") || { echo "FAILED: $model"; echo "$got"; exit 1; }
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
