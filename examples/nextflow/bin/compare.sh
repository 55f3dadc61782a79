#!/usr/bin/env bash
# The share of k-mers that each two samples have in common (Jaccard), from sorted lists.
set -euo pipefail
for name in "$@"; do
    gzip -dc "$name" > "${name%.kmers.gz}.txt"
done
printf 'a\tb\tjaccard\n'
for a in "$@"; do
    for b in "$@"; do
        [[ $a < $b ]] || continue
        one=${a%.kmers.gz} other=${b%.kmers.gz}
        both=$(comm -12 "$one.txt" "$other.txt" | wc -l)
        all=$(sort -mu "$one.txt" "$other.txt" | wc -l)
        awk -v a="$one" -v b="$other" -v x="$both" -v y="$all" 'BEGIN { printf "%s\t%s\t%.4f\n", a, b, x / y }'
    done
done
