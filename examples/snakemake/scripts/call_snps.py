"""Call SNPs of a haploid isolate from a pile-up: enough depth, and nearly all reads agree."""

from pathlib import Path

import numpy as np
import pysam

BASES = "ACGT"


def call_snps(counts, reference, min_depth, min_fraction):
    """Rows (position, ref, alt, depth, fraction) from base counts (4 × length, as A C G T)."""
    depth = counts.sum(axis=0)
    best = counts.argmax(axis=0)
    codes = np.array([BASES.index(base) for base in reference])
    with np.errstate(invalid="ignore"):
        fraction = counts.max(axis=0) / depth
    called = (depth >= min_depth) & (best != codes) & (fraction >= min_fraction)
    return [
        (int(at), reference[at], BASES[best[at]], int(depth[at]), float(fraction[at]))
        for at in np.flatnonzero(called)
    ]


def write_vcf(path, name, length, sample, snps):
    header = pysam.VariantHeader()
    header.contigs.add(name, length=length)
    header.info.add("DP", 1, "Integer", "Depth of good bases")
    header.info.add("AF", 1, "Float", "Share of reads with the other base")
    header.formats.add("GT", 1, "String", "Genotype")
    header.add_sample(sample)
    with pysam.VariantFile(path, "w", header=header) as vcf:
        for position, ref, alt, depth, fraction in snps:
            record = vcf.new_record(contig=name, start=position, alleles=(ref, alt))
            record.info["DP"], record.info["AF"] = depth, fraction
            record.samples[sample]["GT"] = (1,)
            vcf.write(record)


def write_depth(path, depth, window=1000):
    """Mean depth per window."""
    means = {start: depth[start : start + window].mean() for start in range(0, len(depth), window)}
    rows = [f"{start}\t{mean:.2f}\n" for start, mean in means.items()]
    Path(path).write_text("start\tmean_depth\n" + "".join(rows))


def main(inputs, output, sample, log, settings):
    with pysam.FastaFile(inputs.fasta) as fasta, pysam.AlignmentFile(inputs.bam) as bam:
        name = fasta.references[0]
        reference = fasta.fetch(name)
        columns = bam.count_coverage(name, quality_threshold=settings.min_base_quality)
    counts = np.array(columns)
    snps = call_snps(counts, reference, settings.min_depth, settings.min_fraction)
    write_vcf(output.vcf, name, len(reference), sample, snps)
    write_depth(output.depth, counts.sum(axis=0))
    Path(log).write_text(f"{len(snps)} SNPs, mean depth {counts.sum() / len(reference):.1f}\n")


if __name__ == "__main__":
    main(
        snakemake.input,
        snakemake.output,
        snakemake.wildcards.sample,
        snakemake.log[0],
        snakemake.params,
    )
