#!/usr/bin/env python3
"""Reads of 150 bases from a random genome with SNPs and errors: FASTQ with tiles in its names."""

import argparse
import random
import sys

GENOME = 60_000
LENGTH = 150
TILES = 40
ERRORS = 0.6  # reads with a wrong base


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genome", type=int, required=True, help="the seed of the genome")
    parser.add_argument("--snps", type=int, required=True)
    parser.add_argument("--reads", type=int, required=True)
    options = parser.parse_args()

    genome = random.Random(options.genome).choices("ACGT", k=GENOME)
    choice = random.Random(options.genome * 1000 + options.snps)
    for place in choice.sample(range(GENOME), options.snps):
        genome[place] = choice.choice([base for base in "ACGT" if base != genome[place]])
    text = "".join(genome)
    for number in range(options.reads):
        start = choice.randrange(GENOME - LENGTH)
        tile = 1101 + number * TILES // options.reads
        quality = "I" * (LENGTH - tile % 7) + "#" * (tile % 7)
        read = list(text[start : start + LENGTH])
        if choice.random() < ERRORS:
            read[choice.randrange(LENGTH)] = choice.choice("ACGT")
        sys.stdout.write(f"@sim:{tile}:{number}\n{''.join(read)}\n+\n{quality}\n")


if __name__ == "__main__":
    main()
