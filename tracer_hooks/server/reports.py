"""Reports as pages: made by a process of its own, one at a time, and kept until they change."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
from collections import OrderedDict
from pathlib import Path

from tracer_hooks.isolated import isolated

_TIMEOUT_S = 300.0
_KEPT = 16
_REPORT = "from tracer_hooks.cli import main\nsys.exit(main())"
# A report is made anew no sooner than after as many times what making it took.
_PAUSE = 4.0


class Reports:
    """HTML reports of a store's runs. An analysis needs pandas and DuckDB, whose memory goes with
    the process that makes the page."""

    def __init__(self, store: Path, arguments: tuple[str, ...] = ()) -> None:
        """`arguments`: further options of `tracer-hooks report`, such as prices."""
        self._store, self._arguments = store, arguments
        self._folder = tempfile.TemporaryDirectory(prefix="tracer-hooks-serve-")
        self._made: OrderedDict[str, tuple[str, Path, float]] = OrderedDict()
        self._lock = asyncio.Lock()

    def close(self) -> None:
        """Delete all pages."""
        self._folder.cleanup()

    async def page(self, run_id: str, version: str) -> Path:
        """The page of a run that is known to exist, as of `version` or, while it changes quickly,
        a little older. Raises RuntimeError with what went wrong, in a line."""
        async with self._lock:
            made = self._made.get(run_id)
            if made is not None and (made[0] == version or time.monotonic() < made[2]):
                self._made.move_to_end(run_id)
                return made[1]
            begin = time.monotonic()
            path = await self._make(run_id)
            took = time.monotonic() - begin
            self._made[run_id] = (version, path, begin + _PAUSE * took)
            self._made.move_to_end(run_id)
            while len(self._made) > _KEPT:
                _, (_, old, _) = self._made.popitem(last=False)
                old.unlink(missing_ok=True)
            return path

    async def _make(self, run_id: str) -> Path:
        if "\0" in run_id:  # which no command line can hold
            raise RuntimeError("a run whose id holds the character 0 cannot be asked for")
        name = hashlib.sha256(run_id.encode(errors="replace")).hexdigest()[:32]
        path = Path(self._folder.name) / f"{name}.html"
        process = await asyncio.create_subprocess_exec(
            *isolated(_REPORT, "report", "--format", "html"),
            *("--store", str(self._store), "--output", str(path), *self._arguments),
            *("--", run_id),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=_lower_priority,
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            process.kill()
            await process.wait()
            raise RuntimeError("the report took too long") from None
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            raise RuntimeError(lines[-1] if lines else f"exit status {process.returncode}")
        return path


def _lower_priority() -> None:
    os.nice(3)
