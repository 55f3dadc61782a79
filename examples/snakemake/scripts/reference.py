"""Make a reference sequence, its genes, and the SNPs that each isolate carries (the truth)."""

import random
from pathlib import Path

BASES = "ACGT"


def make_reference(length, rng):
    """A random sequence with a GC content of about 52 %, as in many enterobacteria."""
    return "".join(rng.choices(BASES, weights=(24, 26, 26, 24), k=length))


def make_genes(length, count, rng):
    """Non-overlapping (start, end, name), one in each of `count` equal windows."""
    window = length // count
    genes = []
    for number in range(count):
        start = number * window + rng.randrange(window // 6)
        end = (number + 1) * window - rng.randrange(window // 6)
        genes.append((start, end, f"gene{number + 1:04d}"))
    return genes


def draw_snps(reference, count, taken, rng):
    """`count` new SNPs as (position, reference base, other base), away from ends and each other."""
    snps = []
    while len(snps) < count:
        position = rng.randrange(500, len(reference) - 500)
        if any(abs(position - other) < 20 for other in taken):
            continue
        taken.add(position)
        base = reference[position]
        snps.append((position, base, rng.choice([other for other in BASES if other != base])))
    return snps


def draw_truth(reference, samples, cluster_snps, rng):
    """{sample: sorted SNPs}: those of its cluster and its own."""
    taken = set()
    clusters = {}
    truth = {}
    for sample, facts in samples.items():
        cluster = facts["cluster"]
        if cluster != "none" and cluster not in clusters:
            clusters[cluster] = draw_snps(reference, cluster_snps, taken, rng)
        own = draw_snps(reference, facts["private_snps"], taken, rng)
        truth[sample] = sorted(clusters.get(cluster, []) + own)
    return truth


def main(config, output):
    rng = random.Random(config["seed"])
    name, length = config["reference"]["name"], config["reference"]["length"]
    reference = make_reference(length, rng)
    lines = [reference[start : start + 80] for start in range(0, length, 80)]
    Path(output.fasta).write_text(f">{name}\n" + "\n".join(lines) + "\n")

    genes = make_genes(length, config["reference"]["genes"], rng)
    Path(output.genes).write_text("".join(f"{name}\t{s}\t{e}\t{gene}\n" for s, e, gene in genes))

    truth = draw_truth(reference, config["samples"], config["cluster_snps"], rng)
    rows = ["sample\tposition\tref\talt\n"]
    for sample, snps in truth.items():
        rows += [f"{sample}\t{position + 1}\t{ref}\t{alt}\n" for position, ref, alt in snps]
    Path(output.truth).write_text("".join(rows))


if __name__ == "__main__":
    main(snakemake.config, snakemake.output)
