"""The end of a run in a process of its own, for an adapter that lives in its engine's process.

The engine's process then neither grows by pyarrow nor has to survive it, and the 0.4 CPU-seconds
that loading takes can be spent beside the last jobs instead of after them.

As a script, `finish_apart.py SYS_PATH_AS_JSON RUN_ID STORE`: loads, waits for a line on stdin, and
writes the lines to print as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

_TIMEOUT_S = 900
# For a run that lasts longer than was thought, the process does not wait: it is started again.
_PATIENCE_S = 20


class FinishApart:
    """`tracer_hooks.finish.finish_run` in another process. One thread may use it."""

    def __init__(self, run_id: str, store: str | os.PathLike[str]) -> None:
        self._run_id, self._store = run_id, str(store)
        self._process: subprocess.Popen[str] | None = None

    def prepare(self) -> None:
        """The run will be over in a few seconds: begin to load. OSError if nothing can start."""
        if self._process is None:
            self._process = self._start()

    def lines(self) -> list[str]:
        """The run is over: what to print. Raises nothing but KeyboardInterrupt."""
        from tracer_hooks.finish import no_summary

        try:
            return self._lines()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return no_summary(self._run_id, self._store, str(error) or type(error).__name__)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End the process, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _lines(self) -> list[str]:
        if self._process is None or self._process.poll() is not None:
            self.abandon()
            self._process = self._start()
        out, err = self._process.communicate("go\n", timeout=_TIMEOUT_S)
        if self._process.returncode != 0 or not out:
            said = err.strip().splitlines()
            raise ValueError(said[-1] if said else f"exit status {self._process.returncode}")
        lines: list[str] = json.loads(out)
        return lines

    def _start(self) -> subprocess.Popen[str]:
        # Isolated (-I), so that nothing in the working directory is taken for a module. A session
        # of its own: Ctrl-C is for the jobs, and for this only through the engine.
        arguments = [json.dumps(sys.path), self._run_id, self._store]
        return subprocess.Popen(
            [sys.executable, "-I", __file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )


def _main(search_path: str, run_id: str, store: str) -> None:
    import select

    # What the engine's process can import, this one can import too.
    sys.path[:] = json.loads(search_path)
    from tracer_hooks.finish import finish_run, load

    try:
        _keep_pandas_out()
        load()
    except Exception:  # noqa: S110 - finish_run meets it again, and says so
        pass
    ready, _, _ = select.select([sys.stdin], [], [], _PATIENCE_S)
    if ready and sys.stdin.readline():
        sys.stdout.write(json.dumps(finish_run(run_id, store)))


def _keep_pandas_out() -> None:
    """Have pyarrow believe that there is no pandas here.

    It imports pandas, for 0.3 CPU-seconds, at the first Python list that it is given: that might
    be one of pandas' own. It looks just this once; what else may want pandas later gets it.
    """
    import pyarrow as pa

    class NoPandas:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name == "pandas":
                raise ModuleNotFoundError(name)

    finder: Any = NoPandas
    sys.meta_path.insert(0, finder)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(finder)


if __name__ == "__main__":
    _main(*sys.argv[1:])
