"""Map read pairs with minimap2 (mappy) and write an unsorted BAM."""

import sys
from pathlib import Path

import mappy
import pysam


def to_segment(header, read, hit, mate_hit, first):
    """One alignment record; `hit` and `mate_hit` are None where a read did not map."""
    name, sequence, quality = read
    segment = pysam.AlignedSegment(header)
    segment.query_name = name.split()[0]
    segment.is_paired = True
    segment.is_read1, segment.is_read2 = first, not first
    reverse = hit is not None and hit.strand < 0
    segment.query_sequence = mappy.revcomp(sequence) if reverse else sequence
    segment.query_qualities_str = quality[::-1] if reverse else quality
    segment.is_unmapped, segment.mate_is_unmapped = hit is None, mate_hit is None
    if hit is not None:
        clips = [hit.q_st, len(sequence) - hit.q_en]
        before, after = reversed(clips) if reverse else clips
        segment.is_reverse = reverse
        segment.reference_id = 0
        segment.reference_start = hit.r_st
        segment.mapping_quality = hit.mapq
        segment.cigarstring = (
            (f"{before}S" if before else "") + hit.cigar_str + (f"{after}S" if after else "")
        )
    if mate_hit is not None:
        segment.mate_is_reverse = mate_hit.strand < 0
        segment.next_reference_id = 0
        segment.next_reference_start = mate_hit.r_st
    if hit is not None and mate_hit is not None:
        start, end = min(hit.r_st, mate_hit.r_st), max(hit.r_en, mate_hit.r_en)
        inward = hit.strand != mate_hit.strand and end - start < 1000
        segment.is_proper_pair = inward
        segment.template_length = (end - start) * (1 if hit.r_st == start else -1)
    return segment


def best_hits(aligner, read1, read2):
    """The primary hit of each mate, or None."""
    best = {1: None, 2: None}
    for hit in aligner.map(read1[1], read2[1]):
        if hit.is_primary and best[hit.read_num] is None:
            best[hit.read_num] = hit
    return best[1], best[2]


def main(inputs, output, log, threads):
    aligner = mappy.Aligner(inputs.fasta, preset="sr", n_threads=threads)
    if not aligner:
        sys.exit(f"cannot index {inputs.fasta}")
    names = aligner.seq_names
    header = pysam.AlignmentHeader.from_references(names, [len(aligner.seq(n)) for n in names])
    pairs = mapped = 0
    with pysam.AlignmentFile(output, "wb", header=header) as bam:
        reads = (mappy.fastx_read(inputs.r1), mappy.fastx_read(inputs.r2))
        for read1, read2 in zip(*reads, strict=True):
            hit1, hit2 = best_hits(aligner, read1, read2)
            bam.write(to_segment(header, read1, hit1, hit2, first=True))
            bam.write(to_segment(header, read2, hit2, hit1, first=False))
            pairs += 1
            mapped += hit1 is not None and hit2 is not None
    Path(log).write_text(f"{mapped} of {pairs} pairs mapped\n")


if __name__ == "__main__":
    main(snakemake.input, snakemake.output[0], snakemake.log[0], snakemake.threads)
