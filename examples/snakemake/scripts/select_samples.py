"""Write the samples that kept enough read pairs after trimming, one a line."""

import json
from pathlib import Path


def pairs_kept(report):
    """Read pairs after trimming, from cutadapt's JSON report."""
    return json.loads(Path(report).read_text())["read_counts"]["output"]


def main(reports, output, log, min_pairs):
    selected, lines = [], []
    for report in reports:
        sample = Path(report).name.split(".")[0]
        kept = pairs_kept(report)
        enough = kept >= min_pairs
        lines.append(f"{sample}\t{kept} pairs\t{'kept' if enough else 'left out'}\n")
        if enough:
            selected.append(sample)
    Path(log).write_text("".join(lines))
    Path(output).write_text("\n".join(selected) + "\n")


if __name__ == "__main__":
    main(snakemake.input, snakemake.output[0], snakemake.log[0], snakemake.params.min_pairs)
