#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# same_bits.sh BUILD "VARIANT ..." MODEL ... : every build of selftest, kernel set and number of threads prints the same bits.
set -eu
build=$1; variants=$2; shift 2
[ $# -gt 0 ] || { echo "FAILED: no model files"; exit 1; }
compared=0
# what selftest prints, without the golden tensors; 1 says that those differ, anything above is a crash or a sanitizer's report
export TSAN_OPTIONS=halt_on_error=1:exitcode=66 ASAN_OPTIONS=exitcode=67
run() {
    code=0
    case $1 in */selftest-neon*) set -- qemu-aarch64 -cpu max "$@" ;; esac
    "$@" > "$build/selftest.out" || code=$?
    [ $code -le 2 ] || { echo "FAILED (exit $code): $*" >&2; return 1; }
    grep -v golden "$build/selftest.out" || true
}
for model in "$@"; do
    for attention in f32 int8; do
        expected=$(run "$build/selftest-${variants%% *}" "$model" --kernels ref --attention $attention) || exit 1
        echo "$expected" | grep -q '^head' || { echo "FAILED: $model does not run: $expected"; exit 1; }
        for v in $variants; do
            run "$build/selftest-$v" --list > /dev/null
            for kernels in threads $(cat "$build/selftest.out"); do
                [ "$kernels" = threads ] && options="--threads 3" || options="--kernels $kernels"
                got=$(run "$build/selftest-$v" "$model" $options --attention $attention) || exit 1
                [ "$got" = "$expected" ] || { echo "FAILED: $v $options $attention $model"; echo "expected:"; echo "$expected"; echo "got:"; echo "$got"; exit 1; }
                compared=$((compared + 1))
            done
        done
    done
    "$build/selftest-${variants%% *}" "$model" > /dev/null || { echo "FAILED: golden tensors of $model"; "$build/selftest-${variants%% *}" "$model"; exit 1; }
done
echo "ok: the same bits after every stage in $compared runs: builds ($variants), kernels, threads, attention; golden tensors of $# models"
