#!/usr/bin/env bash
# Copy files to an archive folder and leave their checksums: archive.sh SUMS FILE...
# Somebody once lost data in a power cut and has synced every block of 4 KiB since. The processor
# has little to do meanwhile: this waits for the disk. (`cp` and one `sync` would do.)
set -euo pipefail

sums=$1
shift
archive=$(dirname "$sums")

for file in "$@"; do
    dd if="$file" of="$archive/$(basename "$file")" bs=4k oflag=sync status=none
done
(cd "$archive" && sha256sum -- *.bam *.vcf) > "$sums"
