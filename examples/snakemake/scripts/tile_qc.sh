#!/usr/bin/env bash
# Read quality per flow-cell tile: tile_qc.sh READS.fastq.gz OUT.tsv
# A loop of grep, awk, cut, sort and gzip over small files, as such scripts grow in every lab.
# Each helper lives a few milliseconds; starting them is most of the work.
set -euo pipefail

reads=$1
table=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gzip -cd "$reads" | paste - - - - |
    awk -F '[:\t]' -v work="$work" '{ print > (work "/" $5 ".tsv") }'

printf 'tile\treads\tgc\tmean_quality\twith_n\tduplicates\tgzip_ratio\n' > "$table"
for tile in "$work"/*.tsv; do
    name=$(basename "$tile" .tsv)
    count=$(grep -c '^@' "$tile")
    gc=$(cut -f2 "$tile" | awk '{ n += gsub(/[GC]/, ""); l += length($0) } END { printf "%.3f", n / (n + l) }')
    quality=$(cut -f4 "$tile" | awk '
        BEGIN { for (i = 33; i < 75; i++) ord[sprintf("%c", i)] = i - 33 }
        NR <= 100 { for (i = 1; i <= length($0); i++) { q += ord[substr($0, i, 1)]; n++ } }
        END { printf "%.1f", q / n }')
    with_n=$(cut -f2 "$tile" | grep -c N || true)
    duplicates=$(cut -f2 "$tile" | sort | uniq -d | wc -l)
    packed=$(gzip -1 -c "$tile" | wc -c)
    plain=$(wc -c < "$tile")
    ratio=$(awk -v plain="$plain" -v packed="$packed" 'BEGIN { printf "%.2f", plain / packed }')
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' \
        "$name" "$count" "$gc" "$quality" "$with_n" "$duplicates" "$ratio" >> "$table"
done
