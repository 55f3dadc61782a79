"""Tools are named as people name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.errors import TracerError
from tracer_hooks.tools import MAX_LENGTH, default_rules, load_rules, parse_rules, tool_name

PYTHON, BASH, JAVA = "/usr/bin/python3.11", "/usr/bin/bash", "/usr/lib/jvm/java-17/bin/java"
R = "/usr/lib/R/bin/exec/R"
LOADER = "/lib64/ld-linux-x86-64.so.2"
GATK = "gatk-package-4.5.0.0-local.jar"

COMMANDS = [
    # interpreters
    (PYTHON, "python train.py --fast", "python train.py"),
    (PYTHON, "python3 -u -W ignore dir/train.py x.py", "python train.py"),
    (PYTHON, "python3 -m pkg.module arg", "python -m pkg.module"),
    (PYTHON, "python3 -mpkg", "python -m pkg"),
    (PYTHON, "python -Ec print()", "python -c"),
    (PYTHON, "python", "python"),
    (PYTHON, "python -", "python"),
    (PYTHON, "/venv/bin/python /venv/bin/cutadapt -j 4", "cutadapt"),
    (PYTHON, "/venv/bin/python /venv/bin/snakemake --cores 4", "snakemake"),
    (PYTHON, "python /x/bin/gatk --java-options -Xmx4g HaplotypeCaller", "gatk HaplotypeCaller"),
    (PYTHON, "python /home/x/analysis", "python analysis"),
    (PYTHON, "python /data/.snakemake/scripts/tmpab12cd_x.plot.py", "python plot.py"),
    ("/usr/bin/python3.11 (deleted)", "python3 x.py", "python x.py"),
    (R, f"{R} --no-echo --no-restore --file=a/x.R --args 1", "Rscript x.R"),
    (R, "R --vanilla", "R"),
    ("/usr/bin/dash", "/bin/sh /usr/lib/R/bin/R --no-echo --file=x.R", "Rscript x.R"),
    ("/usr/bin/Rscript", "Rscript --vanilla x.R 1", "Rscript x.R"),
    ("/usr/bin/Rscript", "Rscript -e 1+1", "Rscript -e"),
    ("/usr/bin/perl", "perl -lane print", "perl -e"),
    ("/usr/bin/perl", "perl -i.bak -pe s/a/b/ f", "perl -e"),
    ("/usr/bin/perl", "perl -I lib x.pl y", "perl x.pl"),
    (BASH, "bash -euo pipefail script.sh", "bash script.sh"),
    (BASH, "bash -euo pipefail -c ls", "bash"),
    (BASH, "/bin/bash -c ls", "bash"),
    (BASH, "-bash", "bash"),
    (BASH, "bash .command.sh", "bash .command.sh"),
    ("/usr/bin/dash", "sh -- x.sh", "sh x.sh"),
    ("/usr/bin/node", "node --max-old-space-size=4096 app.js", "node app.js"),
    ("/usr/bin/julia", "julia -t 4 model.jl", "julia model.jl"),
    # Java
    (JAVA, "java -Xmx4g -jar /o/picard.jar SortSam I=x", "java -jar picard.jar SortSam"),
    (JAVA, f"java -jar {GATK} HaplotypeCaller -I x", f"java -jar {GATK} HaplotypeCaller"),
    (JAVA, "java -jar trimmomatic-0.39.jar PE a b", "java -jar trimmomatic-0.39.jar PE"),
    (JAVA, "java -jar other.jar file", "java -jar other.jar"),
    (JAVA, "java -cp a.jar:b.jar org.lab.Main x", "java org.lab.Main"),
    (JAVA, "java --add-opens a/b=c -m lab/org.Main", "java org.Main"),
    (JAVA, "java -classpath x uk.ac.babraham.FastQC.FastQCApplication f.fq", "fastqc"),
    (JAVA, "java", "java"),
    # subcommands
    ("/usr/bin/samtools", "samtools sort -@ 4 x.bam", "samtools sort"),
    ("/usr/bin/samtools", "samtools --version", "samtools"),
    ("/opt/bwa-0.7.17", "bwa-0.7.17 mem ref.fa r.fq", "bwa mem"),
    ("/usr/bin/bcftools", "bcftools +fill-tags x", "bcftools"),
    ("/usr/bin/git", "git -C dir clone url", "git clone"),
    ("/usr/bin/aws", "aws --profile lab s3 cp a b", "aws s3 cp"),
    ("/usr/bin/docker", "docker --context x run --rm image cmd", "docker run"),
    ("/usr/bin/pip3", "pip3 install x", "pip3 install"),
    ("/usr/bin/duckdb", "duckdb my.db", "duckdb"),
    ("/usr/bin/salmon", "salmon quant -i idx", "salmon quant"),
    # no subcommands
    ("/usr/bin/minimap2", "minimap2 ref.fa r.fq", "minimap2"),
    ("/usr/bin/bowtie2-align-s", "/usr/bin/bowtie2-align-s --wrapper basic-0", "bowtie2"),
    ("/usr/bin/mawk", "awk {print} f", "awk"),
    ("/usr/bin/env", "env python x.py", "env"),
    ("/usr/bin/make", "make all", "make"),
    ("/opt/mytool-1.2.3", "mytool-1.2.3 go", "mytool-1.2.3"),
    # one binary, many programs
    ("/bin/busybox", "busybox sort x", "busybox sort"),
    ("/bin/busybox", "sort x", "busybox sort"),
    ("/bin/busybox", "/bin/sh run.sh", "busybox sh run.sh"),
    ("/bin/busybox", "busybox", "busybox"),
    (LOADER, f"{LOADER} --library-path /x /opt/bin/samtools view", "samtools view"),
]  # fmt: skip


@pytest.mark.parametrize(("exe", "command", "name"), COMMANDS)
def test_names(exe: str, command: str, name: str) -> None:
    argv = command.split()
    comm = argv[0].removeprefix("-").rpartition("/")[2][:15]
    assert tool_name(exe, argv, comm) == name
    assert tool_name(exe, argv, None) == name


@pytest.mark.parametrize(
    ("exe", "argv", "comm", "name"),
    [
        (None, None, "kworker", "kworker"),
        (None, None, None, "unknown"),
        ("", [], "", "unknown"),
        (BASH, ["made up"], "bash", "bash"),
        (BASH, ["made-up"], "bash", "bash"),
        ("/usr/lib/postgresql/bin/postgres", ["postgres: writer"], "postgres", "postgres"),
        ("/usr/bin/samtools", None, "samtools", "samtools"),
        (PYTHON, ["/bin/python", "/home/x/run"], "run", "python run"),
        (5, {"a": 1}, ["x"], "unknown"),
        ("/x/two\nlines", ["two\nlines"], "two", "two lines"),
        ("/x/\udcff", ["\udcff"], None, "?"),
    ],
)
def test_names_without_a_proper_command_line(exe: Any, argv: Any, comm: Any, name: str) -> None:
    assert tool_name(exe, argv, comm) == name


words = st.text(max_size=30) | st.sampled_from(
    [
        *sorted(default_rules().programs),
        *(
            "-c",
            "-m",
            "-e",
            "-jar",
            "--",
            "-",
            "+",
            "-euo",
            "--file=",
            "--file=x",
            "/",
            ".",
            "x.py",
        ),
        *("/bin/x", "sort", " (deleted)"),
    ]
)
anything = st.none() | st.integers() | words | st.lists(st.none() | words, max_size=6)


@given(exe=anything, argv=anything, comm=anything)
def test_whatever_comes_has_a_name_of_one_line(exe: Any, argv: Any, comm: Any) -> None:
    name = tool_name(exe, argv, comm)
    assert 0 < len(name) <= MAX_LENGTH
    assert name.isprintable()
    assert name == name.strip()
    assert name.encode()


def test_a_long_name_is_cut() -> None:
    assert len(tool_name(PYTHON, ["python", "x" * 5000], "python")) == MAX_LENGTH
    deep = ["busybox"] * 200
    assert tool_name("/bin/busybox", deep, "busybox").startswith("busybox busybox")


def test_rules_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        '[[tool]]\nnames = ["samtools"]\nkind = "plain"\n'
        '[[tool]]\nnames = ["mine"]\nvalue_options = ["-x"]\ndepth = 2\n'
        '[class]\n"org.lab.Main" = "lab"\n'
        '[[jar]]\nnames = ["lab"]\n'
    )
    rules = default_rules().extended([load_rules(path)])
    assert tool_name("/b/samtools", ["samtools", "sort"], None, rules) == "samtools"
    assert (
        tool_name("/b/mine", ["mine", "-x", "1", "do", "this", "now"], None, rules)
        == "mine do this"
    )
    assert tool_name("/b/bwa", ["bwa", "mem"], None, rules) == "bwa mem"
    assert tool_name(JAVA, ["java", "org.lab.Main"], None, rules) == "lab"
    assert (
        tool_name(JAVA, ["java", "-jar", "Lab-1.2.jar", "go"], None, rules)
        == "java -jar Lab-1.2.jar go"
    )
    assert tool_name("/b/samtools", ["samtools", "sort"], None) == "samtools sort"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"tools": []}, "unknown table tools"),
        ({"tool": {"names": ["x"]}}, r"written as \[\[tool\]\]"),
        ({"tool": [{"kind": "plain"}]}, "needs names"),
        ({"tool": [{"names": ["x"], "kind": "strange"}]}, "rule for x: kind is one of"),
        ({"tool": [{"names": ["x"], "deph": 2}]}, "rule for x: unknown key deph"),
        ({"tool": [{"names": ["x"], "depth": "2"}]}, "rule for x: wrong value for depth"),
        ({"tool": [{"names": ["x"], "value_options": "-x"}]}, "wrong value for value_options"),
        ({"script_prefix": ["("]}, "mine"),
    ],
)
def test_a_wrong_rule_is_told_in_one_line(data: dict[str, Any], message: str) -> None:
    with pytest.raises(TracerError, match=message) as caught:
        parse_rules(data, "mine")
    assert "\n" not in str(caught.value)


def test_a_file_of_rules_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    with pytest.raises(TracerError, match=r"rules\.toml"):
        load_rules(path)
    path.write_text("not = toml = at all")
    with pytest.raises(TracerError, match=r"rules\.toml"):
        load_rules(path)
