#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# command_line.sh PROGRAM MODEL : ftervit-run on a picture made here, and its refusals. MODEL reads one channel and has 5 classes.
set -eu
program=$1; model=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAILED: ftervit-run: $1"; exit 1; }
{ printf 'P5\n20 20\n255\n'; i=0; while [ $i -lt 400 ]; do printf "\\$(printf %03o $((i * 7 % 256)))"; i=$((i + 1)); done; } > "$folder/a.pgm"
out=$("$program" "$model" "$folder/a.pgm" --top 3 --profile) || fail "exit status"
[ "$(echo "$out" | grep -c '%')" = 3 ] || fail "three classes expected: $out"
echo "$out" | grep -q 'arena [0-9]* bytes' || fail "--profile names the arena: $out"
[ "$("$program" "$model" "$folder/a.pgm" --threads 2 --kernels ref)" = "$("$program" "$model" "$folder/a.pgm")" ] || fail "threads or kernels change the answer"
{ printf 'P5\n# by a picture editor\n20 20 # pixels\n255\n'; tail -c 400 "$folder/a.pgm"; } > "$folder/a.txt"
answer() { "$program" "$model" "$1" | tail -n +2; }
[ "$(answer "$folder/a.txt")" = "$(answer "$folder/a.pgm")" ] || fail "remarks in a header change the answer"
for picture in tests/pictures/turned.png tests/pictures/turned.jpg; do answer "$picture" | grep -q % || fail "$picture is not read"; done
for kernels in ref table; do "$program" "$model" "$folder/a.pgm" --profile --kernels $kernels | grep -q ", $kernels kernels" || fail "--profile does not name $kernels"; done
FTERVIT_KERNELS=table "$program" "$model" "$folder/a.pgm" --profile | grep -q ', table kernels' || fail "--profile does not name the kernels of the environment"
for wrong in "$folder/none.pgm" "$model"; do ! "$program" "$model" "$wrong" > /dev/null 2> "$folder/words" || fail "$wrong was accepted"; grep -q "$wrong" "$folder/words" || fail "no words on $wrong"; done
head -c 1000 "$model" > "$folder/short.gguf"
! "$program" "$folder/short.gguf" "$folder/a.pgm" 2> "$folder/words" || fail "a truncated model was accepted"
grep -q truncated "$folder/words" || fail "no words on a truncated model"
! "$program" "$model" "$folder/a.pgm" --kernels none 2> /dev/null || fail "unknown kernels were accepted"
echo "ok: ftervit-run: answers, options and refusals"
