"""Real Nextflow runs, bare and observed, in folders of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.nextflow import fetch_engine
from tracer_hooks.store import Store

PIPELINES = Path(__file__).parent / "pipelines"
TIMEOUT_S = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here that starts Nextflow is an engine test."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "engines" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.nextflow)


@dataclass(frozen=True)
class Seen:
    """What is left of one attempt in its work folder."""

    exit_code: str | None
    out: str
    err: str
    log: str
    files: tuple[tuple[str, str], ...]


class LaunchFolder:
    """A folder that Nextflow is started in, with a copy of a pipeline and its own store."""

    def __init__(self, folder: Path, pipeline: str, engine: Path) -> None:
        self.folder = folder
        self.engine = engine
        self.store = Store(folder / ".tracer")
        self.said = ""
        shutil.copytree(PIPELINES / pipeline, folder, dirs_exist_ok=True)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRACER_HOOKS")}
        # The engine's own start must not depend on what else was run here.
        return {**clean, "TRACER_HOOKS_NEXTFLOW": str(self.engine), **(extra or {})}

    def nextflow(
        self, *words: str, env: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """The bare engine."""
        return self._run([str(self.engine), *words], env, check)

    def tracer_hooks(
        self, *words: str, env: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Our command line; after `nextflow -- …` that is the engine too."""
        return self._run([sys.executable, "-m", "tracer_hooks", *words], env, check)

    def configuration(self, *options: str) -> Path:
        """The file for `-c`."""
        path = self.folder / "tracer.config"
        self.tracer_hooks("nextflow", *options, "configure", "--output", str(path))
        return path

    def _run(
        self, command: list[str], env: Mapping[str, str] | None, check: bool
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        self.said = done.stdout
        assert not check or done.returncode == 0, done.stdout[-5000:]
        return done

    def log(self) -> str:
        return (self.folder / ".nextflow.log").read_text()

    def attempts(self) -> dict[str, list[Seen]]:
        """What the work folders hold, by task name; the attempts of a name in a fixed order.

        Not those of job arrays: into one folder all their jobs write, the last one last.
        """
        found: dict[str, list[Seen]] = {}
        for wrapper in self.folder.glob("work/??/*/.command.run"):
            if "nxf_array_task_dir" in wrapper.with_name(".command.sh").read_text():
                continue
            named = re.search(r"^### name: '(.*?)'\n### ", wrapper.read_text(), re.M | re.S)
            assert named, f"{wrapper} names no task"
            found.setdefault(named[1], []).append(_seen(wrapper.parent))
        return {name: sorted(many, key=repr) for name, many in sorted(found.items())}

    def tasks(self, run: str = "latest") -> list[dict[str, Any]]:
        """The recorded attempts, as rows."""
        table = self.store.table("tasks", self.store.resolve(run))
        rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="strict")
        return rows

    def told_by_spools(self, run: str) -> list[str]:
        """The names of attempts whose spools say that the task has begun or ended."""
        return [path.name for path in self.folder.glob(f".tracer/spool/{run}/[!@]*.jsonl")]

    def told(self, run: str = "latest") -> list[dict[str, Any]]:
        """What the engine told of its tasks."""
        table = self.store.table("events", self.store.resolve(run))
        rows = table.select(["kind", "detail"]).to_pylist()
        return [json.loads(row["detail"]) for row in rows if row["kind"] == "engine_task"]


def _seen(folder: Path) -> Seen:
    def text(name: str) -> str:
        path = folder / name
        if not path.exists():
            return ""
        # Each work folder has a name of its own, and each process a number.
        said = path.read_text(errors="replace")
        said = said.replace(str(folder).replace(" ", "\\ "), "WORK").replace(str(folder), "WORK")
        return re.sub(r"(: line \d+: ) *\d+( Killed)", r"\1PID\2", said)

    files = tuple(
        (path.name, path.read_text(errors="replace"))
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    )
    code = folder / ".exitcode"
    return Seen(
        exit_code=code.read_text() if code.exists() else None,
        out=text(".command.out"),
        err=text(".command.err"),
        # Both streams, by two programs that each write pieces as they come.
        log="".join(sorted(text(".command.log"))),
        files=files,
    )


@pytest.fixture(scope="session")
def engines() -> Callable[[str], Path]:
    """The `nextflow` command of a version, fetched once."""
    reason = fetch_engine.missing()
    if reason:
        pytest.skip(reason)

    def engine(version: str) -> Path:
        try:
            return fetch_engine.fetch(version)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            pytest.skip(str(error))

    return engine


@pytest.fixture(scope="session")
def launch_folder(
    engines: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., LaunchFolder]:
    """Makes launch folders: `launch_folder("every_kind")`.

    The path has a space, unless told otherwise: Nextflow's own job arrays fail where it has one.
    """

    def make(
        pipeline: str, version: str = fetch_engine.NEWEST, name: str = "launch folder"
    ) -> LaunchFolder:
        folder = tmp_path_factory.mktemp("nextflow") / name
        folder.mkdir()
        return LaunchFolder(folder, pipeline, engines(version))

    return make
