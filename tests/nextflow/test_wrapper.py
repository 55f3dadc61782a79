"""A task's wrapper of the form that the engine renders, run by hand with and without the hook."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import tracer_hooks_nextflow

from tracer_hooks.adapter import SUPERVISOR

HOME = Path(tracer_hooks_nextflow.__file__).parent
# What the engine's own has around this does not matter to how a task is started.
WRAPPER = """\
#!/bin/bash
set -e
set -u
NXF_ENTRY=${1:-nxf_main}

on_exit() {
    printf -- ${nxf_main_ret:=0} > %(folder)s/.exitcode
    exit ${nxf_main_ret:=0}
}

nxf_launch() {
    %(launch)s
}

nxf_main() {
    trap on_exit EXIT
    trap '' USR1
    NXF_SCRATCH=''
    set +u
    %(before)s
    set -u
    set +e
    (set -o pipefail; (nxf_launch | tee .command.out) 3>&1 1>&2 2>&3 | tee .command.err) &
    wait $! || nxf_main_ret=$?
}

$NXF_ENTRY
"""


@dataclass(frozen=True)
class Seen:
    """What a run of a wrapper left behind."""

    status: int
    out: str
    err: str


@dataclass
class Wrapper:
    """A task's folder, whose path has a space and a quote."""

    folder: Path
    launch: str = "/bin/bash -ue {folder}/.command.sh"
    home: Path = HOME
    own: str = "true"  # the pipeline's beforeScript, which the engine puts behind our hook

    def run(self, script: str, *, hooked: bool, supervisor: Path = SUPERVISOR) -> Seen:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / ".command.sh").write_text(script)
        quoted = re.sub(r"([ '])", r"\\\1", str(self.folder))
        card = json.dumps({"run_id": "r", "task_id": "t", "tags": {}})
        words = ["r", "t", "1", card, str(self.folder), str(self.store), sys.executable]
        call = " ".join(
            "'" + word.replace("'", r"'\''") + "'" for word in [*words, str(supervisor)]
        )
        hook = f". {self.home}/task.sh && tracer_hooks_task {call} || true"
        (self.folder / ".command.run").write_text(WRAPPER % {
            "folder": quoted,
            "launch": self.launch.format(folder=quoted),
            "before": f"{hook if hooked else 'true'}\n{self.own}",
        })  # fmt: skip
        # As from the engine: a pipe that nobody closes, so a task must not get it.
        stdin, held = os.pipe()
        done = subprocess.run(
            ["/bin/bash", "-ue", ".command.run"], cwd=self.folder, env={"PATH": "/usr/bin:/bin"},
            stdin=stdin, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        os.close(stdin)
        os.close(held)
        said = [(self.folder / name).read_text() for name in (".command.out", ".command.err")]
        return Seen(done.returncode, said[0], re.sub(r": +\d+ (?=[A-Z])", ": PID ", said[1]))

    @property
    def store(self) -> Path:
        return self.folder.parent / "store"

    def commands(self) -> list[list[str]]:
        """The command of each recorded attempt."""
        return [
            json.loads(path.read_text().splitlines()[0])["argv"]
            for path in sorted(self.store.glob("spool/r/t.*.jsonl"))
        ]


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    return Wrapper(tmp_path / "it's a folder")


@pytest.mark.parametrize(
    "script",
    [
        "echo out; echo err >&2; readlink /proc/$$/fd/0; exit 137",
        'echo "$_" $SHLVL $0 $-; env; ulimit -a; trap; set -o; ls -l /proc/self/fd | wc -l',
        *[f"ulimit -c 0; kill -{number} $$" for number in (1, 2, 6, 9, 11, 13, 15, 31)],
    ],
)
def test_a_task_ends_and_says_as_without_us(wrapper: Wrapper, script: str) -> None:
    bare = wrapper.run(script, hooked=False)
    assert wrapper.run(script, hooked=True) == bare
    assert wrapper.commands() == [["/bin/bash", "-ue", f"{wrapper.folder}/.command.sh"]]
    assert (wrapper.folder / ".command.tracer").read_text() == ""


@pytest.mark.parametrize(
    "launch",
    [
        "/bin/bash -ue $PWD/.command.sh",  # a word that means something
        "/bin/bash -ue {folder}/.command.sh < /dev/null",
        "/nowhere/bash -ue {folder}/.command.sh",  # of which the shell complains
        "false; echo on; false | true",  # without errexit, and with pipefail
    ],
)
def test_what_is_no_plain_command_a_shell_starts(wrapper: Wrapper, launch: str) -> None:
    wrapper.launch = launch
    script = "echo out; readlink /proc/$$/fd/0; kill -9 $$"
    bare = wrapper.run(script, hooked=False)
    assert wrapper.run(script, hooked=True) == bare
    (command,) = wrapper.commands()
    assert command[1] == ".command.run"
    assert command[2].endswith("nxf_launch")


def test_a_task_runs_once_where_the_supervisor_is_broken(wrapper: Wrapper, tmp_path: Path) -> None:
    broken = tmp_path / "supervisor.py"
    broken.write_text("raise SystemExit(3)\n")
    seen = wrapper.run("echo out; exit 5", hooked=True, supervisor=broken)
    assert (seen.status, seen.out) == (5, "out\n")
    noted = (wrapper.folder / ".command.tracer").read_text()
    assert noted.startswith("partly: the supervisor did not start (exit status 3 of ")


STRICT = ["IFS=$'\\n\\t'", "set -o noclobber"]


@pytest.mark.parametrize("own", STRICT)
def test_a_shell_that_the_pipeline_made_strict(wrapper: Wrapper, own: str) -> None:
    wrapper.own = own
    script = "echo out; ulimit -c 0; kill -9 $$"
    bare = wrapper.run(script, hooked=False)
    assert wrapper.run(script, hooked=True) == bare
    assert len(wrapper.commands()) == 1
    assert (wrapper.folder / ".command.tracer").read_text() == ""


@pytest.mark.parametrize("own", STRICT)
def test_a_strict_shell_where_there_is_no_supervisor(
    wrapper: Wrapper, tmp_path: Path, own: str
) -> None:
    wrapper.own = own
    seen = wrapper.run("echo out", hooked=True, supervisor=tmp_path / "nowhere.py")
    assert (seen.status, seen.out) == (0, "out\n")
    assert (wrapper.folder / ".command.tracer").read_text().startswith("partly: there is no ")
    (path,) = wrapper.store.glob("spool/r/bash.*.jsonl")
    assert json.loads(path.read_text().splitlines()[-1])["cpu_s"] >= 0


@pytest.mark.parametrize(
    ("gone", "launch"),
    [
        ("enter.sh", "/bin/bash -ue {folder}/.command.sh < /dev/null"),
        ("enter.sh death.sh", "/bin/bash -ue {folder}/.command.sh"),  # as inside a container
    ],
)
def test_a_wrapper_is_entered_also_without_the_files_for_it(
    wrapper: Wrapper, tmp_path: Path, gone: str, launch: str
) -> None:
    wrapper.home, wrapper.launch = without(gone, tmp_path), launch
    script = "echo out $SHLVL $-; echo err >&2; env; exit 137"
    bare = wrapper.run(script, hooked=False)
    assert wrapper.run(script, hooked=True) == bare
    (command,) = wrapper.commands()
    assert command[:2] == ["/bin/bash", "-c"]
    assert command[-1] == ".command.run"
    assert (wrapper.folder / ".command.tracer").read_text() == ""


@pytest.mark.parametrize("launch", ["/bin/bash -ue {folder}/.command.sh", "false; echo on"])
@pytest.mark.parametrize("broken", [False, True])
def test_half_of_our_files_is_no_harm(
    wrapper: Wrapper, tmp_path: Path, launch: str, broken: bool
) -> None:
    wrapper.home, wrapper.launch = without("task_otherwise.sh", tmp_path), launch
    supervisor = tmp_path / "nowhere.py" if broken else SUPERVISOR
    bare = wrapper.run("echo out; exit 5", hooked=False)
    assert wrapper.run("echo out; exit 5", hooked=True, supervisor=supervisor) == bare
    noted = (wrapper.folder / ".command.tracer").read_text()
    if launch.startswith("false") or broken:
        assert noted.startswith("missing: there is no ")
    else:
        assert noted == ""


def test_a_task_that_never_starts_is_noted_as_such(wrapper: Wrapper) -> None:
    wrapper.launch = "true"
    wrapper.run("true", hooked=True)
    text = (wrapper.folder / ".command.run").read_text()
    # What comes between the hook and the start of the task, as staging does, fails.
    (wrapper.folder / ".command.run").write_text(text.replace("    set +e\n", "    exit 9\n"))
    subprocess.run(["/bin/bash", ".command.run"], cwd=wrapper.folder, check=False)
    noted = (wrapper.folder / ".command.tracer").read_text().splitlines()
    assert noted[0] == "missing: it ended before the supervisor could start it"


def without(names: str, folder: Path) -> Path:
    """A copy of our files without some."""
    home = folder / "home"
    home.mkdir()
    for path in HOME.glob("*.sh"):
        if path.name not in names.split():
            shutil.copy(path, home)
    return home
