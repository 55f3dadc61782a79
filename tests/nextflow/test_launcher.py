"""What the launcher reads from a configuration and what it gives to the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tracer_hooks_nextflow import launcher
from tracer_hooks_nextflow.config import Settings, quoted, render

from tests.nextflow.conftest import LaunchFolder
from tracer_hooks.errors import TracerError, UsageError

FLAT = """\
params.foo = 'a = b'
process.cpus = 2
process.spack = 'samtools@1.17'
process.'withName:FOO.*'.spack = { "bwa@${params.foo}" }
process.'withName:FOO.*'.beforeScript = {
    def x = 1
    "export X=${x}"
}
process.'withLabel:big'.spack = 'plain \\'quoted\\'\\nline'
workflow.onComplete = { println 'done' }
"""


def test_spack_directives_are_found_by_selector() -> None:
    assert launcher.parse_flat(FLAT) == {
        "": "'samtools@1.17'",
        "withName:FOO.*": '({ "bwa@${params.foo}" }).call()',
        "withLabel:big": "'plain \\'quoted\\'\\nline'",
    }


def test_a_configuration_answers_what_the_users_own_would() -> None:
    text = render(Settings(), {"": "'x'", "withName:A": "({ y }).call()"})
    assert "return 'x'" in text
    assert "withName: 'A' { spack = {" in text
    assert "return ({ y }).call()" in text
    # A closure of the user's makes the task a computed one, as it was; a text does not.
    assert ".attach(task, false)" in text.partition("return 'x'")[0]
    assert ".attach(task, true)" in text.partition("return 'x'")[2]


@pytest.mark.parametrize("text", ["it's", 'a "b"', "back\\slash", "$dollar", "new\nline", "ünï"])
def test_texts_are_quoted_for_groovy(text: str) -> None:
    written = quoted(text)
    assert written[0] == written[-1] == "'"
    inner = written[1:-1].replace("\\'", "'").replace('"', '\\"')
    assert __import__("json").loads(f'"{inner}"') == text


def test_our_file_is_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ours = tmp_path / "ours.config"
    ours.write_text("process.spack = 1\n")
    words = launcher.with_configuration(["-log", "x", "run", "main.nf", "-c", "own.config"], ours)
    assert words == ["-log", "x", "run", "-c", str(ours), "main.nf", "-c", "own.config"]
    words = launcher.with_configuration(["-C", "only.config", "run", "main.nf"], ours)
    assert (words[0], words[2:]) == ("-C", ["run", "main.nf"])
    both = Path(words[1]).read_text()
    assert both == f"includeConfig '{tmp_path}/only.config'\nprocess.spack = 1\n"


def test_without_an_engine_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(launcher.ENGINE_VARIABLE, "/nowhere/nextflow")
    with pytest.raises(TracerError, match="TRACER_HOOKS_NEXTFLOW names '/nowhere/nextflow'"):
        launcher.find_engine()
    with pytest.raises(UsageError, match="nextflow run"):
        launcher.split(["log"])


def test_the_engine_is_asked_only_if_a_file_says_spack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    engine = tmp_path / "nextflow"
    engine.write_text(f"#!/bin/sh\necho \"$@\" > '{asked}'\necho \"process.spack = 'x'\"\n")
    engine.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NXF_HOME", str(tmp_path / "home"))
    (tmp_path / "main.nf").write_text("")
    words = ["run", "main.nf", "-profile", "test"]
    assert launcher.spack_directives(str(engine), words) == {}
    assert not asked.exists()
    (tmp_path / "nextflow.config").write_text("process.spack = 'x'")
    assert launcher.spack_directives(str(engine), words) == {"": "'x'"}
    assert asked.read_text().split() == ["config", "-flat", "-profile", "test", str(tmp_path)]


def test_a_pipeline_that_uses_spack(launch_folder: Callable[..., LaunchFolder]) -> None:
    folder = launch_folder("spack")
    said = folder.tracer_hooks("nextflow", "--", "run", "main.nf", "-ansi-log", "false").stdout
    recorded = {row["step"]: row for row in folder.tasks()}
    assert set(recorded) == {"BY_NAME", "BY_DEFAULT"}
    assert "BY_NAME: name@1.2" in said
    assert "BY_DEFAULT: everybody" in said
    # The process that says spack itself runs as it is, and the log says that it is not recorded.
    assert "OWN: own" in said
    assert "1 task not recorded: no hook ran" in said
    # What the site does at the end of a run is still done.
    assert "the site is done" in said
