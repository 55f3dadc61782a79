#!/usr/bin/env bash
# Copy files to an archive folder and leave their checksums: archive.sh SUMS FILE...
# Somebody once lost data in a power cut and has synced every 4 KiB block since. The processor
# has nothing to do meanwhile: this waits for the disk. (`cp` and one `sync` would do.)
set -euo pipefail

sums=$1
shift
archive=$(dirname "$sums")

for file in "$@"; do
    copy=$archive/$(basename "$file")
    # O_DIRECT keeps the copy out of the page cache; some file systems refuse it.
    dd if="$file" of="$copy" bs=4k oflag=direct,dsync status=none ||
        dd if="$file" of="$copy" bs=4k oflag=dsync status=none
    cmp "$file" "$copy" >&2
done
(cd "$archive" && sha256sum -- *.bam *.vcf) > "$sums"
