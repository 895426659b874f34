#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# same_logits.sh BUILD "VARIANT ..." MODEL PICTURES : the same bits in the logits of every picture from every build, kernel set,
# number of threads and, where it is installed, from the Xtensa emulator. PICTURES: 8-bit pictures one after another.
set -eu
build=$1; variants=$2; model=$3; pictures=$4
here=$(dirname "$0")
run() {
    case $1 in */selftest-neon*) set -- qemu-aarch64 -cpu max "$@" ;; esac
    "$@"
}
for attention in f32 int8; do
    expected=$("$build/selftest-${variants%% *}" "$model" --pictures "$pictures" --kernels ref --attention $attention)
    compared=""
    compare() {
        [ "$2" = "$expected" ] || { echo "FAILED: $1, attention $attention"; echo "$2" | tail -n 3; exit 1; }
        compared="$compared$1; "
    }
    for v in $variants; do
        for kernels in $(run "$build/selftest-$v" --list); do
            for threads in 1 $([ "$kernels" = ref ] || echo 3); do
                compare "$v $kernels $threads threads" "$(run "$build/selftest-$v" "$model" --pictures "$pictures" --kernels "$kernels" --threads $threads --attention $attention)"
            done
        done
    done
    if [ -e "$build/selftest.elf" ]; then
        compare "Xtensa emulator" "$(EMULATOR_SECONDS=3000 "$here/../emulator/run.sh" "$build/selftest.elf" - "$model" --pictures "$pictures" --attention $attention)"
    else
        echo "skipped: Xtensa emulator"
    fi
    echo "ok: attention $attention: the same bits in the logits of $(echo "$expected" | tail -n 1): $compared"
done
