#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# s3_counts.sh BUILD MODEL ... : estimated instructions of an ESP32-S3 per stage, both cores together, with the board's kernel set.
# Executed: the C of the engine and of kernels_pie.c, compiled for the lx106; floating-point operations by the number of calls (one
# instruction each in the S3, less CALL around a call that it does not need; a division or root takes DIVISION); vector functions by
# pie_cost.h. The bits after every stage are those of this machine. Left out: what another compiler makes of the C (registers for
# floats; sums kept in them are spilled here around every call), interrupts, the console, waiting for memory.
set -eu
build=$1; shift
here=$(dirname "$0")
for model in "$@"; do
    for attention in f32 int8; do
        got=$("$here/run.sh" "$build/selftest-pie.elf" "$build/instructions.so" "$model" --count --kernels pie --attention $attention) || { echo "FAILED: $model"; echo "$got"; exit 1; }
        expected=$("$build/selftest" "$model" --attention $attention | grep -v golden)
        [ "$(echo "$got" | grep -v '^count' | grep -v golden)" = "$expected" ] || { echo "FAILED: $model: other bits than this machine's"; exit 1; }
        echo "$got" | awk -v model="$(basename "$model")" -v attention=$attention -v call="${CALL:-2.5}" -v division="${DIVISION:-45}" '
            $1 == "count" && $2 != "all" {
                n = $3 - $5; v = 0
                for (i = 6; i < NF; i++) {
                    if ($(i + 1) ~ /^operations/) n -= (call - 1) * $i
                    if ($(i + 1) ~ /^divisions/) n += division * $i
                    if ($(i + 1) == "in") v = $i
                }
                printf "s3 %s %-4s %-10s %9.3f million instructions, %8.3f of them in vector functions\n", model, attention, $2, (n + v) / 1e6, v / 1e6
                all += n + v
            }
            END { printf "s3 %s %-4s %-10s %9.3f million instructions\n", model, attention, "all", all / 1e6 }'
    done
done
