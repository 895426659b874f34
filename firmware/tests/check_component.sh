#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_component.sh FOLDER : the ESP-IDF component that `make component` packed into FOLDER stands alone: its manifest names files that
# exist, and its example builds for every target of the manifest, against declarations of ESP-IDF, far from this repository.
set -eu
fail() { echo "FAILED: ESP-IDF component: $1"; exit 1; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cp -r "$1" "$folder/ftervit"; cp -r esp32s3/check "$folder/idf"
manifest=$folder/ftervit/idf_component.yml
for key in version description url repository license targets dependencies; do grep -q "^$key:" "$manifest" || fail "the manifest has no $key"; done
for path in $(sed -n 's/^  - path: //p' "$manifest") LICENSE README.md CMakeLists.txt Kconfig include/ftervit.h; do
    [ -e "$folder/ftervit/$path" ] || fail "$path is named, but not there"
done
[ "$(sed -n 's/^license: //p' "$manifest")" = "$(sed -n 's/.*SPDX-License-Identifier: \([^ ]*\).*/\1/p' include/ftervit.h)" ] || fail "another licence than the header's"
for f in src/*.c esp32s3/kernels_pie.c esp32s3/pie_gemm.S; do [ -f "$folder/ftervit/$f" ] || fail "$f is missing"; done
command -v cmake > /dev/null || { echo "skipped: ESP-IDF component, its example: cmake is not installed"; exit 0; }
targets=$(sed -n '/^targets:/,/^[a-z]*:$/s/^  - \(esp32.*\)/\1/p' "$manifest")
for target in $targets; do
    options=
    case $target in esp32s3) options="-D CONFIG_FTV_KERNELS_PIE=1 -D CONFIG_SOC_CPU_HAS_FPU=1";; esp32|esp32p4) options="-D CONFIG_SOC_CPU_HAS_FPU=1";; esp32s2|esp32c3) ;; *) fail "nothing is known of $target";; esac
    build=$folder/$target
    IDF_PATH=$folder/idf cmake -S "$folder/ftervit/examples/classify" -B "$build" -D CMAKE_EXPORT_COMPILE_COMMANDS=1 $options > "$folder/log" 2>&1 || fail "$target: $(cat "$folder/log")"
    pie=no; ! grep -q kernels_pie.c "$folder/log" || pie=yes
    [ $pie = "$([ $target = esp32s3 ] && echo yes || echo no)" ] || fail "$target: vector kernels: $pie"
    fmaf=no; ! grep -q FTV_OWN_FMAF "$build/compile_commands.json" || fmaf=yes
    [ $fmaf = "$(case $target in esp32s2|esp32c3) echo yes;; *) echo no;; esac)" ] || fail "$target: fmaf of its own: $fmaf"
    case $target in esp32s3|esp32c3) cmake --build "$build" > "$folder/log" 2>&1 || fail "$target: $(cat "$folder/log")";; esac # both ways to compile it
done
echo "ok: ESP-IDF component: its manifest, and its example for" $targets
