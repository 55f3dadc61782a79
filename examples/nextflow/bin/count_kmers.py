#!/usr/bin/env python3
"""Every k-mer of the reads seen at least twice, sorted; one of its two strands stands for both."""

import gzip
import sys
from collections import Counter

K = 31
OTHER = str.maketrans("ACGT", "TGCA")


def main() -> None:
    counts = Counter()
    with gzip.open(sys.argv[1], "rt") as reads:
        for number, line in enumerate(reads):
            if number % 4 != 1:
                continue
            read = line.strip()
            back = read.translate(OTHER)[::-1]
            for start in range(len(read) - K + 1):
                here = read[start : start + K]
                there = back[len(read) - K - start : len(read) - start]
                counts[min(here, there)] += 1
    for kmer in sorted(kmer for kmer, count in counts.items() if count > 1):
        print(kmer)


if __name__ == "__main__":
    main()
