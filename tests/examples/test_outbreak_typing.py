"""The example pipeline: what its scripts compute, and that it finds what was put into the reads."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "snakemake"

# Small, and yet of the same shape: four isolates of two clusters, a blank, the four habits.
SMALL = """
reference: {name: chr_sim, length: 60000, genes: 50}
samples:
  iso1: {cluster: ward_a, private_snps: 4, pairs: 7000}
  iso2: {cluster: ward_a, private_snps: 3, pairs: 7000}
  iso3: {cluster: ward_b, private_snps: 5, pairs: 7000}
  iso4: {cluster: ward_b, private_snps: 2, pairs: 7000}
  blank: {cluster: none, private_snps: 0, pairs: 100}
cluster_snps: 10
min_pairs: 1000
annotation: {turnaround_s: 1.5, poll_s: 0.1}
"""


def script(name: str) -> ModuleType:
    """One of the example's scripts, loaded as a module (Snakemake runs it as a script)."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLE / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(path: Path) -> list[dict[str, str]]:
    head, *lines = path.read_text().splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


@pytest.fixture(scope="module")
def small() -> dict[str, object]:
    config = yaml.safe_load((EXAMPLE / "config.yaml").read_text())
    return {**config, **yaml.safe_load(SMALL)}


def snakemake(workdir: Path, *options: str, **environment: str) -> str:
    """Run the small pipeline; what Snakemake printed."""
    workdir.mkdir()
    (workdir / "small.yaml").write_text(SMALL)
    argv = [sys.executable, "-m", "snakemake", "--snakefile", str(EXAMPLE / "Snakefile")]
    argv += ["--directory", str(workdir), "--configfile", str(workdir / "small.yaml"), *options]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # for cutadapt
    done = subprocess.run(
        argv,
        env={**os.environ, "PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def assert_right_results(workdir: Path) -> None:
    """Every SNP that was put in is found and no other; clusters are what they are; no blank."""
    summary = {row["sample"]: row for row in rows(workdir / "results/summary.tsv")}
    assert list(summary) == ["iso1", "iso2", "iso3", "iso4"]
    for sample, snps in {"iso1": 14, "iso2": 13, "iso3": 15, "iso4": 12}.items():
        facts = summary[sample]
        assert (facts["recall"], facts["precision"]) == ("1.000", "1.000")
        assert int(facts["snps"]) == snps
    distances = {(row["a"], row["b"]): int(row["snps"]) for row in distance_rows(workdir)}
    assert distances["iso1", "iso2"] == 4 + 3
    assert distances["iso3", "iso4"] == 5 + 2
    assert distances["iso1", "iso3"] == 14 + 15
    archived = (workdir / "results/archive/SHA256SUMS").read_text()
    assert archived.count(".bam\n") == archived.count(".vcf\n") == 4


def distance_rows(workdir: Path) -> list[dict[str, str]]:
    return rows(workdir / "results/distances.tsv")


def test_scripts_find_the_snps_they_put_in(tmp_path: Path, small: dict[str, object]) -> None:
    """The chain of scripts without an engine: reference, reads, mapping, sorting, calling."""
    pytest.importorskip("mappy")
    pytest.importorskip("pysam")
    path = {name: str(tmp_path / name) for name in ("ref.fa", "genes.bed", "truth.tsv")}
    made = SimpleNamespace(fasta=path["ref.fa"], genes=path["genes.bed"], truth=path["truth.tsv"])
    script("reference").main(small, made)
    reads = SimpleNamespace(r1=str(tmp_path / "r1.fq.gz"), r2=str(tmp_path / "r2.fq.gz"))
    script("sequence").main(small, "iso3", made, reads)

    unsorted, log = str(tmp_path / "unsorted.bam"), str(tmp_path / "log")
    inputs = SimpleNamespace(fasta=made.fasta, r1=reads.r1, r2=reads.r2)
    script("map_reads").main(inputs, unsorted, log, threads=1)
    bam = SimpleNamespace(bam=str(tmp_path / "iso3.bam"), bai=str(tmp_path / "iso3.bam.bai"))
    script("sort_bam").main(unsorted, bam, log)

    called = SimpleNamespace(vcf=str(tmp_path / "iso3.vcf"), depth=str(tmp_path / "depth.tsv"))
    settings = SimpleNamespace(min_base_quality=20, min_depth=5, min_fraction=0.8)
    inputs = SimpleNamespace(fasta=made.fasta, bam=bam.bam)
    script("call_snps").main(inputs, called, "iso3", log, settings)

    truth = {
        (row["position"], row["ref"], row["alt"])
        for row in rows(Path(made.truth))
        if row["sample"] == "iso3"
    }
    assert len(truth) == 15
    assert script("summary").read_calls(called.vcf) == truth


def test_simulated_alignments_are_proper_pairs(tmp_path: Path, small: dict[str, object]) -> None:
    mappy = pytest.importorskip("mappy")
    pysam = pytest.importorskip("pysam")
    mapper = script("map_reads")
    reference = script("reference").make_reference(3000, random.Random(1))
    (tmp_path / "ref.fa").write_text(f">ref\n{reference}\n")
    aligner = mappy.Aligner(str(tmp_path / "ref.fa"), preset="sr")
    header = pysam.AlignmentHeader.from_references(["ref"], [3000])
    forward = ("pair 1:N:0", reference[1000:1100], "I" * 100)
    backward = ("pair 2:N:0", mappy.revcomp(reference[1150:1250]), "I" * 100)
    hit1, hit2 = mapper.best_hits(aligner, forward, backward)
    first = mapper.to_segment(header, forward, hit1, hit2, first=True)
    second = mapper.to_segment(header, backward, hit2, hit1, first=False)
    assert (first.reference_start, second.reference_start) == (1000, 1150)
    assert (first.template_length, second.template_length) == (250, -250)
    assert first.is_proper_pair
    assert second.is_reverse
    assert second.query_sequence == reference[1150:1250]
    assert first.cigarstring == "100M"
    nowhere = mapper.to_segment(header, ("x", "ACGT" * 25, "I" * 100), None, hit2, first=True)
    assert nowhere.is_unmapped
    assert nowhere.mate_is_reverse


def test_calling_needs_depth_and_agreement() -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("pysam")
    counts = numpy.zeros((4, 4), dtype=int)
    counts[2, 0] = 10  # ten G over an A: a SNP
    counts[2, 1], counts[1, 1] = 5, 5  # undecided
    counts[2, 2] = 4  # too few
    counts[3, 3] = 9  # the reference's own base
    called = script("call_snps").call_snps(counts, "ACAT", min_depth=5, min_fraction=0.8)
    assert called == [(0, "A", "G", 10, 1.0)]


@pytest.mark.engine
@pytest.mark.snakemake
def test_with_the_stock_executor(tmp_path: Path) -> None:
    snakemake(tmp_path / "work", "--cores", "2")
    assert_right_results(tmp_path / "work")


@pytest.mark.engine
@pytest.mark.snakemake
def test_with_the_tracer(tmp_path: Path) -> None:
    """The same results, and a record that shows the four habits."""
    from tracer_hooks import Store

    store, work = tmp_path / "store", tmp_path / "work"
    options = ("--executor", "tracer", "--cores", "4")
    printed = snakemake(work, *options, TRACER_HOOKS_STORE=str(store))
    assert_right_results(work)
    assert "tracer-hooks report" in printed

    tasks = Store(store).tasks()
    assert (tasks["status"] == "succeeded").all()
    assert tasks["task_id"].is_unique
    # reference, select, archive, annotate, summary; 5 × (sequence, tile_qc, trim); 4 × (map, sort,
    # call). `all` runs nothing.
    assert len(tasks) == 5 + 5 * 3 + 4 * 3
    assert set(tasks.loc[tasks["step"] == "map", "sample"]) == {"iso1", "iso2", "iso3", "iso4"}
    by_step = tasks.groupby("step").sum(numeric_only=True)

    mapping = tasks[tasks["step"] == "map"]
    assert (mapping["cpus_requested"] == 4).all()
    assert (mapping["cpu_s"] < 1.5 * mapping["wall_s"]).all()
    # 40 tiles, some 15 programs each; polling may only bound the number from above.
    quality = tasks[(tasks["step"] == "tile_qc") & (tasks["sample"] != "blank")]
    assert (quality["process_count"] > 400).all()
    annotate = by_step.loc["annotate"]
    # Beside other work its polls wait for a core; nothing else can be more than its sleep.
    parts = [f"wall_{part}_s" for part in ("cpu", "runnable", "disk", "network", "idle")]
    assert annotate[parts].idxmax() == "wall_idle_s"
    assert annotate["wall_idle_s"] > 0.8 * (annotate["wall_s"] - annotate["wall_runnable_s"])
    assert annotate["wall_idle_s"] > 0.5 * annotate["wall_s"]
    assert annotate["cpu_s"] < 0.5 * annotate["wall_s"]
    # The disk of a test machine may be a RAM disk, so only that it was written through.
    assert by_step.loc["archive", "disk_write_bytes"] >= 4 * 1_000_000
