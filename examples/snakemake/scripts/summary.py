"""Tables for people: one row per isolate, SNP distances between isolates, and a page of both."""

import itertools
import json
from pathlib import Path


def read_rows(path):
    """A TSV file as a list of dicts."""
    head, *lines = Path(path).read_text().splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def read_calls(vcf):
    """The SNPs of a VCF as a set of (position, ref, alt)."""
    fields = [line.split("\t") for line in Path(vcf).read_text().splitlines() if line[0] != "#"]
    return {(row[1], row[3], row[4]) for row in fields}


def share(part, whole):
    return f"{part / whole:.3f}" if whole else "-"


def describe(sample, report, depth, called, truth, annotated):
    counts = json.loads(Path(report).read_text())["read_counts"]
    depths = [float(row["mean_depth"]) for row in read_rows(depth)]
    right = len(called & truth)
    in_genes = sum(row["gene"] != "-" for row in annotated if row["sample"] == sample)
    return {
        "sample": sample,
        "pairs": str(counts["input"]),
        "kept": share(counts["output"], counts["input"]),
        "depth": f"{sum(depths) / len(depths):.1f}",
        "snps": str(len(called)),
        "in_genes": str(in_genes),
        "recall": share(right, len(truth)),
        "precision": share(right, len(called)),
    }


def as_markdown(rows):
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *(list(row.values()) for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def as_tsv(rows):
    return "".join("\t".join(line) + "\n" for line in [rows[0], *(row.values() for row in rows)])


def main(inputs, output):
    truth = {}
    for row in read_rows(inputs.truth):
        snp = (row["position"], row["ref"], row["alt"])
        truth.setdefault(row["sample"], set()).add(snp)
    annotated = read_rows(inputs.annotation)
    calls = {Path(vcf).stem: read_calls(vcf) for vcf in inputs.vcfs}

    rows = [
        describe(sample, report, depth, calls[sample], truth[sample], annotated)
        for sample, report, depth in zip(calls, inputs.reports, inputs.depths, strict=True)
    ]
    distances = [
        {"a": a, "b": b, "snps": str(len(calls[a] ^ calls[b]))}
        for a, b in itertools.combinations(calls, 2)
    ]
    tiles = sum(len(read_rows(path)) for path in inputs.tiles)

    Path(output.table).write_text(as_tsv(rows))
    Path(output.distances).write_text(as_tsv(distances))
    Path(output.page).write_text(
        "# Outbreak typing\n\n"
        + as_markdown(rows)
        + "\nRecall and precision are against the SNPs that were put into the simulated genomes.\n"
        + "\n## SNP distances\n\n"
        + as_markdown(distances)
        + f"\nRead quality was looked at on {tiles} flow-cell tiles.\n"
    )


if __name__ == "__main__":
    main(snakemake.input, snakemake.output)
