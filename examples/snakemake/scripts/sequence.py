"""Simulate paired reads of an isolate: errors follow qualities, short fragments end in adapter."""

import gzip
import zlib
from pathlib import Path

import numpy as np

COMPLEMENT = np.zeros(256, dtype=np.uint8)
COMPLEMENT[list(b"ACGT")] = list(b"TGCA")
BASES = np.frombuffer(b"ACGT", dtype=np.uint8)


def isolate_genome(fasta, truth, sample):
    """The reference as bytes, with the sample's SNPs put in."""
    sequence = "".join(Path(fasta).read_text().split("\n")[1:])
    genome = np.frombuffer(sequence.encode(), dtype=np.uint8).copy()
    for line in Path(truth).read_text().splitlines()[1:]:
        owner, position, ref, alt = line.split("\t")
        if owner == sample:
            if chr(genome[int(position) - 1]) != ref:
                raise ValueError(f"{truth}: the reference has no {ref} at {position}")
            genome[int(position) - 1] = ord(alt)
    return genome


def draw_reads(strand, adapter, qualities, rng):
    """Reads (n × length) from fragments (n × length, 0 where the fragment has ended)."""
    count, length = strand.shape
    reads = strand.copy()
    padded = np.frombuffer((adapter * (length // len(adapter) + 1)).encode(), dtype=np.uint8)
    ends = (strand != 0).sum(axis=1)
    for row in np.flatnonzero(ends < length):
        reads[row, ends[row] :] = padded[: length - ends[row]]
    wrong = rng.random((count, length)) < 10.0 ** (qualities / -10.0)
    reads[wrong] = rng.choice(BASES, size=int(wrong.sum()))
    return reads


def draw_qualities(count, length, rng):
    """Phred scores that fall towards the read's end, as a sequencer's do."""
    curve = 38 - 10 * (np.arange(length) / length) ** 2
    noise = rng.normal(0, 2.5, size=(count, length))
    return np.clip(curve + noise, 2, 40).astype(np.uint8)


def write_fastq(path, names, mate, reads, qualities):
    """One gzipped FASTQ file."""
    text = []
    for name, read, quality in zip(names, reads, qualities + 33, strict=True):
        text.append(b"@%s %d:N:0:1\n%s\n+\n%s\n" % (name, mate, read.tobytes(), quality.tobytes()))
    with gzip.open(path, "wb", compresslevel=3) as file:
        file.write(b"".join(text))


def main(config, sample, inputs, output):
    settings, pairs = config["reads"], config["samples"][sample]["pairs"]
    length = settings["length"]
    rng = np.random.default_rng([config["seed"], zlib.crc32(sample.encode())])
    genome = isolate_genome(inputs.fasta, inputs.truth, sample)

    sizes = rng.normal(settings["fragment_mean"], settings["fragment_sd"], size=pairs)
    sizes = np.clip(sizes, 20, 600).astype(int)
    starts = rng.integers(0, len(genome) - 600, size=pairs)
    offsets = np.arange(length)
    inside = offsets < sizes[:, None]
    left = np.where(inside, genome[starts[:, None] + offsets], 0)
    last = (starts + sizes - 1)[:, None]
    right = np.where(inside, COMPLEMENT[genome[last - np.minimum(offsets, sizes[:, None] - 1)]], 0)
    swap = rng.random(pairs) < 0.5  # half of the fragments are read from the other strand
    left[swap], right[swap] = right[swap], left[swap].copy()

    tiles = rng.integers(0, settings["tiles"], size=pairs) + 1101
    names = [
        b"SIM01:7:FC20:1:%d:%d:%d" % (tile, 1000 + row % 997, 1000 + row)
        for row, tile in enumerate(tiles)
    ]
    strands = ((left, "adapter_r1", output.r1), (right, "adapter_r2", output.r2))
    for mate, (strand, adapter, path) in enumerate(strands, start=1):
        qualities = draw_qualities(pairs, length, rng)
        reads = draw_reads(strand, settings[adapter], qualities, rng)
        write_fastq(path, names, mate, reads, qualities)


if __name__ == "__main__":
    main(snakemake.config, snakemake.wildcards.sample, snakemake.input, snakemake.output)
