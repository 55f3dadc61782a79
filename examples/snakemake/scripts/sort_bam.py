"""Sort a BAM by position and index it (samtools, through pysam)."""

from pathlib import Path

import pysam


def main(unsorted, output, log):
    pysam.sort("-o", output.bam, unsorted)
    pysam.index(output.bam, output.bai)
    Path(log).write_text(pysam.flagstat(output.bam))


if __name__ == "__main__":
    main(snakemake.input[0], snakemake.output, snakemake.log[0])
