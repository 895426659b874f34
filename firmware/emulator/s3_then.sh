#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# s3_then.sh REVISION BUILD MODEL ... : s3_counts.sh on the engine of an earlier revision, in a temporary folder. The
# engine's sources are of then (its reader lets today's files through); the emulator and what counts are today's.
set -eu
revision=$1; build=$2; shift 2
here=$(realpath "$(dirname "$0")/..")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git -C "$here" archive "$revision" . | tar x -C "$folder"
cp "$here/Makefile" "$folder"
cp "$here"/emulator/* "$folder/emulator"
cp "$here/host/platform.h" "$here/host/platform_posix.c" "$folder/host"
cp "$here/esp32s3/pie_cost.h" "$folder/esp32s3"
sed -i -E 's/\bplatform_(count|unit|file|processors|pool_start|pool_run|pool_stop)\b/ftv_&/g' "$folder/host/selftest.c"
sed -i 's/all = {0, 0}/all = {0}/' "$folder/host/selftest.c"
sed -i 's/FTV_FORMAT_VERSION, FTV_FORMAT_VERSION)/FTV_FORMAT_VERSION, 2)/' "$folder/src/model.c"
for model in "$@"; do set -- "$@" "$(realpath "$model")"; shift; done
make --silent -C "$folder" BUILD="$build" WARNINGS= s3-counts MODELS="$*"
