#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install.sh COMPILER FTERVIT-RUN MODEL : `make install` into a temporary folder, and a program of 20 lines (tests/embed.c) built
# against what lies there: it classifies a picture as ftervit-run does.
set -eu
cc=$1; program=$2; model=$3
fail() { echo "FAILED: install: $1"; exit 1; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
${MAKE:-make} -s install BUILD="$BUILD" CC="$cc" PREFIX=/opt/ftervit DESTDIR="$folder/stage" > "$folder/log" 2>&1 || fail "$(cat "$folder/log")"
installed=$(cd "$folder/stage" && find . -type f | sort | tr '\n' ' ')
[ "$installed" = "./opt/ftervit/include/ftervit.h ./opt/ftervit/lib/libftervit.a ./opt/ftervit/lib/pkgconfig/ftervit.pc " ] || fail "other files: $installed"
grep -q "^prefix=/opt/ftervit$" "$folder/stage/opt/ftervit/lib/pkgconfig/ftervit.pc" || fail "DESTDIR got into ftervit.pc"
${MAKE:-make} -s install BUILD="$BUILD" CC="$cc" PREFIX="$folder/usr" > "$folder/log" 2>&1 || fail "$(cat "$folder/log")"
if command -v pkg-config > /dev/null; then
    export PKG_CONFIG_PATH="$folder/usr/lib/pkgconfig"
    flags=$(pkg-config --cflags --libs ftervit)
    [ "$(pkg-config --modversion ftervit)" = "$(sed -nE 's/^#define FTV_VERSION_TEXT "(.*)"/\1/p' include/ftervit.h)" ] || fail "another version in ftervit.pc"
else
    flags="-I$folder/usr/include -L$folder/usr/lib -lftervit -lm"
fi
cp tests/embed.c "$folder/app.c"
(cd "$folder" && "$cc" -Wall -Wextra app.c $flags -o app) || fail "a program does not build with: cc app.c $flags"
{ printf 'P6\n20 20\n255\n'; i=0; while [ $i -lt 1200 ]; do printf "\\$(printf %03o $((i * 7 % 256)))"; i=$((i + 1)); done; } > "$folder/a.ppm"
got=$("$folder/app" "$model" "$folder/a.ppm") || fail "the program fails: $got"
want=$("$program" "$model" "$folder/a.ppm" --top 1 | sed -nE 's/^ *([0-9.]+ %  [0-9]+).*/\1/p')
[ "$(echo $got)" = "$(echo $want)" ] || fail "another answer than ftervit-run's: $got, not $want"
echo "ok: install: header, library and ftervit.pc; a program of $(wc -l < tests/embed.c) lines classifies as ftervit-run does"
