#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_idf.sh WARNINGS XTENSA-SPECS : esp32s3/main compiles with every compiler here, against declarations of the ESP-IDF interfaces
# that it uses (esp32s3/check), with all parts and with none; the engine, built as ESP-IDF builds it, calls no memcpy for four bytes;
# the components that main needs are required, the options that it reads are in Kconfig, sdkconfig.defaults says what the C files
# rely on, and the partitions fit.
set -eu
fail() { echo "FAILED: ESP-IDF project: $1"; exit 1; }
board=esp32s3; compilers=0
objects=$(mktemp -d); trap 'rm -rf "$objects"' EXIT
# Functions that copy or clear a whole row, buffer or structure. ESP-IDF builds with -fno-builtin-memcpy and -fno-builtin-memset,
# so anywhere else a call is a copy of known size that should have been an instruction.
whole='ftv_(open|start|plan|plan_within|arena_bytes|run_u8|preprocess|gguf_open|golden_[a-z]+|(attention_[a-z0-9]+|layer_norm|rms_quantize)_(ref|scalar))'
whole="$whole|patch_task|unpack|group_sums|(matmul|linear|attention_int8)_pie"
calls() { # COMPILER OPTION... : functions of the engine's objects that call memcpy or memset, one a line
    objdump=objdump
    case $1 in *-gcc) objdump=${1%gcc}objdump;; esac
    for f in src/*.c $board/kernels_pie.c; do
        case $f in src/kernels_avx*|src/kernels_neon*) continue;; esac # not for the chip
        "$@" -std=gnu17 -O3 -ffp-contract=off -ffunction-sections -fno-builtin-memcpy -fno-builtin-memset -I$board -Iinclude -Isrc -c $f -o "$objects/o" || return 1
        $objdump -r "$objects/o" > "$objects/relocations" || return 1
        sed -En 's/^RELOCATION RECORDS FOR \[\.(text|literal)\.(unlikely\.)?([a-z0-9_]+).*/\3/;t name;/[[:space:]]mem(cpy|set|move)([-+@].*)?$/{g;p};b;:name;h' "$objects/relocations"
    done
}
for cc in gcc clang xtensa-lx106-elf-gcc; do
    specs=
    case $cc in xtensa*) [ -n "$2" ] && specs=--specs=$2;; esac
    if ! command -v $cc > /dev/null || { [ $cc = xtensa-lx106-elf-gcc ] && [ -z "$specs" ]; }; then echo "skipped: $cc is not installed"; continue; fi
    for parts in -DCHECK_ON -DCHECK_OFF; do
        for f in $board/main/*.c $board/*.c app/*.c; do
            [ -f $f ] || continue
            $cc -std=gnu17 -fsyntax-only $1 -Wstrict-prototypes $specs $parts -I$board/check -I$board/main -I$board -Iinclude -Isrc -Iapp $f || fail "$cc $parts $f"
        done
    done
    calls $cc $specs > "$objects/calls" || fail "$cc: the engine's objects"
    [ -s "$objects/calls" ] || fail "$cc: no call of memcpy or memset was found at all: the check is blind"
    inner=$(grep -vxE "$whole" "$objects/calls" | sort -u | tr '\n' ' ')
    [ -z "$inner" ] || fail "$cc: with ESP-IDF's -fno-builtin-memcpy there are calls of memcpy or memset in ${inner}"
    most=1024 # bytes of a frame; half of it where pointers are as short as the chip's
    case $cc in xtensa*) most=512;; esac
    for f in src/*.c app/*.c $board/*.c $board/main/*.c; do
        case $f in src/kernels_avx*|src/kernels_neon*) continue;; esac
        $cc $specs -std=gnu17 -O3 -ffp-contract=off -fstack-usage -DCHECK_ON -I$board/check -I$board/main -I$board -Iinclude -Isrc -Iapp -c $f -o "$objects/o.o" 2> /dev/null || fail "$cc -fstack-usage $f"
        large=$(awk -F'\t' -v most=$most '$2 > most || $3 == "dynamic" { print $1 ": " $2 " bytes" }' "$objects/o.su")
        [ -z "$large" ] || fail "$cc: frames of more than $most bytes on the stack: $large"
    done
    compilers=$((compilers + 1))
done
for header in $(sed -n 's/^#include "\(.*\)"$/\1/p' $board/main/*.[ch] | sort -u); do
    [ -f "$board/check/$header" ] || continue
    components=$(awk -v h="$header" '$1 == h { gsub(",", " ", $2); print $2 }' $board/check/components.txt)
    [ -n "$components" ] || fail "check/components.txt does not say which component $header belongs to"
    for component in $components; do
        [ "$component" != - ] || continue
        grep -q "PRIV_REQUIRES.*[ ]$component[ )]" $board/main/CMakeLists.txt || fail "main/CMakeLists.txt does not require $component, which $header needs"
    done
done
[ $compilers -gt 0 ] || fail "no compiler"
for option in $(grep -ho 'CONFIG_FTV_[A-Z0-9_]*' $board/main/*.[ch] $board/check/sdkconfig.h component/ftervit/CMakeLists.txt | sort -u); do
    cat $board/main/Kconfig.projbuild component/ftervit/Kconfig | grep -q "config ${option#CONFIG_}\$" || fail "$option is not in Kconfig"
done
for f in $(sed -n 's/.*SRCS \(.*\.c\)$/\1/p' $board/main/CMakeLists.txt); do [ -f $board/main/$f ] || fail "main/CMakeLists.txt names $f"; done
[ "$(sed -n 's/.*SRCS \(.*\.c\)$/\1/p' $board/main/CMakeLists.txt | wc -w)" = "$(ls $board/main/*.c | wc -l)" ] || fail "main/CMakeLists.txt leaves a file out"
if command -v cmake > /dev/null; then # the project's own CMake files, with stand-ins for ESP-IDF's functions
    folder=$objects/cmake; mkdir "$folder"
    configure() { IDF_PATH=$PWD/$board/check cmake -S $board -B "$folder/build" "$@" > "$folder/log" 2>&1; }
    configure -D CONFIG_FTV_KERNELS_PIE= -D MODEL="$PWD/tests/models/deit.gguf" || fail "cmake: $(cat "$folder/log")"
    grep -q 'flash model .*deit.gguf' "$folder/log" || fail "-D MODEL does not flash the model"
    configure -U MODEL || fail "cmake, the default model: $(cat "$folder/log")"
    grep -q 'flash model .*student.gguf' "$folder/log" || fail "no model is flashed by default"
    cmake --build "$folder/build" > "$folder/log" 2>&1 || fail "cmake: $(cat "$folder/log")"
    [ -f "$board/kernels_pie.c" ] && { configure -D CONFIG_FTV_KERNELS_PIE=1 || fail "cmake, vector kernels: $(cat "$folder/log")"; }
    ! configure -D MODEL=none.gguf || fail "a model file that does not exist was accepted"
    dd if=/dev/zero of="$folder/large.gguf" bs=1 count=0 seek=$((0x670001)) 2> /dev/null
    ! configure -D MODEL="$folder/large.gguf" || fail "a model that does not fit was accepted"
    tr -s ' \n' ' ' < "$folder/log" | grep -q 'the model partition has' || fail "no words on a model that does not fit"
else
    echo "skipped: the ESP-IDF project's CMake files: cmake is not installed"
fi
end=$((0x9000)); size=0; model=0 # behind the partition table
while IFS=', ' read -r name type subtype offset size _; do
    case $name in ''|\#*) continue;; esac
    [ $((offset)) -ge $end ] || fail "partition $name at $offset begins before the last ends"
    [ $((offset % 0x1000)) = 0 ] && [ $((size % 0x1000)) = 0 ] || fail "partition $name is not aligned to sectors"
    case $type/$name in app/*|*/model) [ $((offset % 0x10000)) = 0 ] && [ $((size % 0x10000)) = 0 ] || fail "partition $name is not aligned to 64 KiB pages";; esac
    [ $name != model ] || model=$((size))
    end=$((offset + size))
done < $board/partitions.csv
[ $end -le $((8 << 20)) ] || fail "the partitions end at $end, the flash at $((8 << 20))"
[ $model -ge 6090000 ] || fail "the model partition has $model bytes; the largest published model takes 6.09 MB"
echo "ok: ESP-IDF project: $compilers compilers without warnings, no memcpy of a few bytes, small frames, components, options, partitions ($((model >> 10)) KiB for the model)"
