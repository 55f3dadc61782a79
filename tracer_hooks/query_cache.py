"""Compiled queries, kept in the user's cache from one command to the next.

To turn the analysis's expressions into SQL takes longer than to answer them, and gives the same
each time. So it is kept in one file, named after everything that it depends on: our code and the
versions of the libraries that compile it. A cache is a convenience: where it
can't be read or written everything is compiled, as without it.
"""

from __future__ import annotations

import atexit
import base64
import hashlib
import json
import os
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer_hooks.analysis import compiled
from tracer_hooks.analysis.compiled import Compiled

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_VARIABLE = "TRACER_HOOKS_CACHE"
_LIBRARIES = ("ibis-framework", "sqlglot", "duckdb", "pyarrow")
_NOT_ASKED = "supervisor"  # it compiles nothing
_UNUSED_FOR_S = 30 * 86400.0  # another version's


def use() -> None:
    """Recall what earlier commands compiled, and keep at the end what this one does."""
    if compiled.keeper is None:
        compiled.keeper = QueryCache(cache_folder())


class QueryCache:
    """The queries in one folder, read when first asked for. No method raises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._known: dict[str, Compiled] | None = None
        self._new: dict[str, Compiled] = {}

    def recall(self, name: str) -> Compiled | None:
        """The query of that name; None if it is not known."""
        if self._known is None:
            self._known = self._read()
        return self._known.get(name)

    def keep(self, name: str, query: Compiled) -> None:
        """Remember a query; it is written when this process ends."""
        if not self._new:
            atexit.register(self.write)
        self._new[name] = query

    def write(self) -> None:
        """Put what is new into the file."""
        try:
            path = self._path or self._folder / f"queries-{fingerprint()}.json"
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            text = json.dumps(_to_json({**self._read(), **self._new}))
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_text(text)
            part.replace(path)
            _forget_unused(self._folder)
        except Exception:  # noqa: S110 - the next command compiles again
            pass

    def _read(self) -> dict[str, Compiled]:
        try:
            self._path = path = self._folder / f"queries-{fingerprint()}.json"
            # Whoever may write there may have any query run.
            if any(each.stat().st_uid != os.geteuid() for each in (self._folder, path)):
                return {}
            known = _from_json(json.loads(path.read_text()))
        except Exception:  # there is none yet, or it is damaged
            return {}
        return known


def fingerprint(package: Path = Path(__file__).parent) -> str:
    """Changes with whatever a compiled query depends on, in the code of `package` and beyond."""
    digest = hashlib.sha256("".join(f"{name} {version(name)};" for name in _LIBRARIES).encode())
    for path in sorted(package.rglob("*.py")):
        if path.parent.name != _NOT_ASKED:
            digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:24]


def cache_folder() -> Path:
    """TRACER_HOOKS_CACHE, or `tracer-hooks` in the user's cache (XDG_CACHE_HOME, else ~/.cache)."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 (never raises)
    return Path(base) / "tracer-hooks"


def _forget_unused(folder: Path) -> None:
    for path in folder.glob("queries-*"):
        if path.stat().st_mtime < time.time() - _UNUSED_FOR_S:
            path.unlink()


def _to_json(queries: Mapping[str, Compiled]) -> dict[str, Any]:
    """Each query once, also where others are derived from it."""
    places: dict[str, int] = {}
    listed: list[dict[str, Any]] = []

    def place(query: Compiled) -> int:
        derived = {name: place(source) for name, source in query.derived.items()}
        if query.sql not in places:
            places[query.sql] = len(listed)
            schema = base64.b64encode(query.schema.serialize()).decode()
            listed.append(
                {"sql": query.sql, "tables": query.tables, "schema": schema, "derived": derived}
            )
        return places[query.sql]

    return {"names": {name: place(query) for name, query in queries.items()}, "queries": listed}


def _from_json(kept: dict[str, Any]) -> dict[str, Compiled]:
    import pyarrow as pa

    queries: list[Compiled] = []
    for one in kept["queries"]:  # what is derived from another comes after it
        derived = {name: queries[place] for name, place in one["derived"].items()}
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(one["schema"])))
        queries.append(Compiled(one["sql"], tuple(one["tables"]), schema, derived))
    return {name: queries[place] for name, place in kept["names"].items()}
