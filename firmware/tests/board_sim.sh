#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# board_sim.sh BOARD-SIM SELFTEST MODEL : the program on a pseudo-terminal, and its stages against selftest's, bit by bit.
set -eu
sim=$1; selftest=$2; model=$3
folder=$(mktemp -d)
trap 'kill $pid 2> /dev/null || true; rm -rf "$folder"' EXIT
pid=
fail() { echo "FAILED: board-sim: $1"; exit 1; }
"$sim" "$model" --image "$folder/screen.ppm" --idle-seconds 60 > "$folder/path" & pid=$!
for i in 1 2 3 4 5 6 7 8 9 10; do [ -s "$folder/path" ] && break; sleep 0.2; done
terminal=$(cat "$folder/path")
[ -c "$terminal" ] || fail "no pseudo-terminal: $terminal"
ask() { # every line up to ok or error
    printf '%s\n' "$1" > "$terminal"
    while IFS= read -r line; do echo "$line"; case $line in ok|error*) return;; esac; done < "$terminal"
}
ask selftest > "$folder/board"
[ "$(sed -n 's/^stage \([a-z]*\) \([0-9]*\) \(.*\)/\1 \2 \3/p' "$folder/board")" = "$("$selftest" "$model" | sed -n 's/^\([a-z]*\)  *\([0-9]*\) \([0-9a-f]*\)$/\1 \2 \3/p')" ] || fail "other bits than selftest: $(cat "$folder/board")"
grep -q '^stage head' "$folder/board" || fail "no stages: $(cat "$folder/board")"
printf '\0\002damaged\0' > "$terminal"
ask info | grep -q '^model_checksum' || fail "nothing works after a damaged frame"
[ "$(head -c 15 "$folder/screen.ppm" | tr '\n' ' ')" = "P6 240 240 255 " ] && [ "$(wc -c < "$folder/screen.ppm")" = 172815 ] || fail "the screen is no picture"
kill $pid; wait $pid || fail "exit status after SIGTERM"
pid=
[ "$(echo classify | "$sim" --stdio)" = "error model: no model file was given" ] || fail "without a model"
! "$sim" "$folder/none.gguf" 2> "$folder/words" || fail "a missing file was accepted"
echo "ok: board-sim: a pseudo-terminal, the bits of selftest, the screen, refusals"
