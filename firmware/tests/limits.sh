#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# limits.sh COMPILER : what the exporter refuses to write (LIMITS in ftervit/export.py) is what the engine refuses to read (FTV_MAX_*
# in include/ftervit.h), and both state the same version of the format; the library's version is the package's.
set -eu
exporter=../ftervit/export.py
fail() { echo "FAILED: limits: $1"; exit 1; }
[ -f $exporter ] || { echo "skipped: limits ($exporter is not here)"; exit 0; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
limits=$(sed -n '/^LIMITS = dict(/,/)$/p' $exporter | tr -d ' \n' | sed 's/^LIMITS=dict(\(.*\))$/\1/' | tr ',' ' ')
[ -n "$limits" ] || fail "LIMITS is not found in $exporter"
{
    echo '#include "ftervit.h"'
    for limit in $limits; do
        name=FTV_MAX_$(echo "${limit%%=*}" | tr a-z A-Z)
        value=$(echo "${limit#*=}" | sed -E 's/2\*\*([0-9]+)/(1 << \1)/')
        echo "_Static_assert($name == $value, \"the exporter says $limit\");"
    done
    sed -nE 's/.*_need\(grid <= ([0-9]+) and grid\*\*2 \+ a\.prefix_tokens <= ([0-9]+),.*/_Static_assert(FTV_MAX_GRID == \1 \&\& FTV_MAX_TOKENS == \2, "the exporter says \1, \2");/p' $exporter
    sed -nE 's/^FORMAT_VERSION = ([0-9]+).*/_Static_assert(FTV_FORMAT_VERSION == \1, "the exporter writes version \1");/p' $exporter
} > "$folder/limits.c"
grep -q FTV_MAX_GRID "$folder/limits.c" || fail "the exporter's limit of patches is not found"
grep -q FTV_FORMAT_VERSION "$folder/limits.c" || fail "the exporter's FORMAT_VERSION is not found"
"$1" -std=c11 -fsyntax-only -Iinclude "$folder/limits.c" 2> "$folder/words" || fail "$(grep error "$folder/words")"
number() { sed -nE "s/^#define FTV_VERSION_$1 \"?([0-9.]+)\"?.*/\1/p" include/ftervit.h; }
version=$(number MAJOR).$(number MINOR).$(number PATCH)
[ "$version" = "$(number TEXT)" ] || fail "FTV_VERSION_TEXT is $(number TEXT), the numbers say $version"
[ "$version" = "$(sed -n 's/^version = //p' ../settings.ini)" ] || fail "the library is $version, settings.ini says $(sed -n 's/^version = //p' ../settings.ini)"
for f in component/*/idf_component.yml; do
    [ ! -f "$f" ] || grep -q "^version: \"$version\"$" "$f" || fail "$f does not say version $version"
done
echo "ok: limits: $(grep -c assert "$folder/limits.c") of the exporter's are the engine's; version $version"
