"""`tracer-hooks nextflow -- run …`: the engine, with our configuration added to its own.

The launcher becomes the engine: same process, same streams, same exit status. What needs a look
at the user's configuration is spack alone, whose directive carries the hook: see `config`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks_nextflow.config import Settings, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ENGINE_VARIABLE = "TRACER_HOOKS_NEXTFLOW"
_FLAT = re.compile(r"process\.(?:'((?:withName|withLabel):.*)'\.|)spack = (.*)", re.DOTALL)
_CONFIG_TIMEOUT_S = 120
# Options of `nextflow` and of `nextflow run` that say what the configuration is.
_FILES = ("-c", "-C", "-config")
_PROFILE = ("-profile",)


def launch(words: Sequence[str], settings: Settings) -> None:
    """Become the engine that runs `words`. Raises TracerError if there is none."""
    engine = find_engine()
    if "run" in words:
        words = with_configuration(words, write(render(settings, spack_directives(engine, words))))
    os.execv(engine, [engine, *words])  # noqa: S606 - no shell: the words are the user's


def find_engine() -> str:
    """The nextflow command: the one that TRACER_HOOKS_NEXTFLOW names, or the first on the path."""
    named = os.environ.get(ENGINE_VARIABLE)
    found = shutil.which(named or "nextflow")
    if found is None:
        what = f"{ENGINE_VARIABLE} names {named!r}, which" if named else "nextflow"
        raise TracerError(
            f"{what} cannot be found or run: install Nextflow, put it on the PATH,"
            f" or name it with {ENGINE_VARIABLE}=/path/to/nextflow"
        )
    return str(Path(found).absolute())


def write(text: str) -> Path:
    """The configuration as a file in Nextflow's own folder here, one for each content."""
    name = f"tracer-hooks-{hashlib.sha256(text.encode()).hexdigest()[:12]}.config"
    path = Path(".nextflow").absolute() / name
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TracerError(
            f"cannot write {path}: {error.strerror}; run from a folder that you may write"
        ) from None
    return path


def with_configuration(words: Sequence[str], path: Path) -> list[str]:
    """`words` with our file among the configurations that they name.

    `nextflow -C FILE` reads FILE alone, so there ours includes theirs.
    """
    before, after = split(words)
    if "-C" in before:
        at = before.index("-C") + 1
        theirs = before[at] if at < len(before) else ""
        included = [Path(name).absolute() for name in theirs.split(",") if name]
        text = "".join(f"includeConfig {_groovy(str(name))}\n" for name in included)
        both = write(text + path.read_text(encoding="utf-8"))
        return [*before[:at], str(both), *before[at + 1 :], *after]
    return [*before, after[0], "-c", str(path), *after[1:]]


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before `run`, and `run` with what follows. Raises UsageError without it."""
    if "run" not in words:
        raise UsageError("only `nextflow run` starts tasks: tracer-hooks nextflow -- run main.nf …")
    at = list(words).index("run")
    return list(words[:at]), list(words[at:])


def spack_directives(engine: str, words: Sequence[str]) -> dict[str, str]:
    """The `spack` directives of the user's configuration, as Groovy, by selector ("": for all).

    To ask the engine costs a start of Java, so it is asked only if some file says spack.
    """
    before, after = split(words)
    project = _project(after)
    if project is not None and not any(map(_says_spack, _sources(before, after, project))):
        return {}
    options = [
        word for pair in _pairs(before + after, ("-c", "-config")) for word in ("-c", pair[1])
    ]
    if "-C" in before:
        options = before[before.index("-C") :][:2]
    profile = [word for pair in _pairs(after, _PROFILE) for word in pair]
    target = [str(project)] if project is not None else []
    command = [engine, *options, "config", "-flat", *profile, *target]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_CONFIG_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse_flat(done.stdout) if done.returncode == 0 else {}


def parse_flat(text: str) -> dict[str, str]:
    """The spack directives in what `nextflow config -flat` prints.

    A value is Groovy and may go on over several lines, up to the next `name = `.
    """
    entries = re.split(r"\n(?=[A-Za-z_][\w]*\.[^\n=]* = )", text.strip())
    found = [match for entry in entries if (match := _FLAT.fullmatch(entry.strip()))]
    return {match[1] or "": _value(match[2]) for match in found}


def _value(groovy: str) -> str:
    """A closure is called as the engine would call it, any other value stands for itself."""
    return f"({groovy}).call()" if groovy.startswith("{") else groovy


def _project(after: Sequence[str]) -> Path | None:
    """The pipeline's own folder, if it is one here: the first word that names a file or folder."""
    for word in after[1:]:
        path = Path(word)
        if not word.startswith("-") and path.exists() and word not in _values(after):
            return (path if path.is_dir() else path.parent).absolute()
    return None


def _values(words: Sequence[str]) -> set[str]:
    return {value for _, value in _pairs(words, (*_FILES, *_PROFILE, "-params-file", "-w"))}


def _sources(before: Sequence[str], after: Sequence[str], project: Path) -> Iterable[Path]:
    yield Path(os.environ.get("NXF_HOME", "~/.nextflow")).expanduser() / "config"
    yield from (Path(value) for _, value in _pairs([*before, *after], _FILES))
    for folder in {project, Path.cwd()}:
        yield from folder.glob("*.config")
        yield from folder.glob("conf/**/*.config")


def _says_spack(path: Path) -> bool:
    """Whether a file mentions spack, or includes another that might."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return False
    return "spack" in text or bool(
        re.search(r"includeConfig\s*\(?\s*[\"'](?!conf/|\./conf/)", text)
    )


def _pairs(words: Sequence[str], names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(a, b) for a, b in pairwise(words) if a in names]


def _groovy(text: str) -> str:
    from tracer_hooks_nextflow.config import quoted

    return quoted(text)
