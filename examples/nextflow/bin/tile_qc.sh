#!/usr/bin/env bash
# Reads and low qualities of each tile, the way that many such scripts go about it.
set -euo pipefail
reads=$1
gzip -dc "$reads" > all.fastq
for tile in $(grep '^@sim:' all.fastq | cut -d : -f 2 | sort -u); do
    count=$(grep -c "^@sim:$tile:" all.fastq)
    low=$(grep -A 3 "^@sim:$tile:" all.fastq | awk 'NR % 5 == 4' | tr -cd '#' | wc -c)
    printf '%s\t%s\t%s\n' "$tile" "$count" "$low"
done
