"""Where commands write: a console for people, a file that appears whole, progress on stderr."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from tracer_hooks.report.text import encodable

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

# A table that is piped must not be folded to a terminal's width that isn't there.
PIPED_WIDTH = 160
_PATIENCE_S = 1.0


def warn(text: str) -> None:
    """One line on stderr that says what is missing; the command goes on."""
    if sys.stderr is not None:
        sys.stderr.write(f"tracer-hooks: warning: {' '.join(text.splitlines())}\n")


def console(file: TextIO | None = None) -> Console:
    """A rich console on `file` (default stdout): colour and its width only on a terminal."""
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # `main` knows what to do

    stream = file or sys.stdout
    if stream.isatty():
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a sign that it lacks must not end a command
        return Quiet(file=stream, highlight=False, markup=False, emoji=False)
    width = None if "COLUMNS" in os.environ else PIPED_WIDTH
    plain = cast("TextIO", _Trimmed(stream))
    return Quiet(file=plain, width=width, highlight=False, markup=False, emoji=False)


class _Page(Protocol):
    """Something that turns the results of an analysis into a page of text."""

    def render(self, report: Any, *, color: bool, width: int) -> str: ...


def print_page(report: Any, page: _Page) -> None:
    """The page on stdout: in colour, and as wide as the terminal, if stdout is one."""
    out = console()
    text = page.render(
        report, color=out.color_system is not None and not out.no_color, width=out.width
    )
    sys.stdout.write(encodable(text.rstrip("\n"), out.encoding) + "\n")


class _Trimmed:
    """A stream that drops the blanks with which tables fill their last column, and takes plain
    signs for those that its encoding cannot hold."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        text = "\n".join(line.rstrip(" ") for line in text.split("\n"))
        return self._stream.write(encodable(text, self._stream.encoding))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write_whole(path: str, text: str) -> None:
    """Write `text` so that `path` holds either what it held or all of it. Raises OSError."""
    target = Path(path)
    if target.exists():
        if not target.is_file():  # a pipe, a device: nothing to be atomic about
            target.write_text(text, encoding="utf-8", errors="backslashreplace")
            return
        target = target.resolve()
    partial = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
        partial.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):  # there may be no such folder
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = path  # who reads the message knows nothing of the other
        raise


class Progress:
    """A progress bar on stderr, for a terminal only and only once a wait has become noticeable.

    Call it with (done, total), as `Store.ingest` does.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._since = time.monotonic()
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        if not self._terminal:
            return
        if self._bar is None:
            if time.monotonic() - self._since < _PATIENCE_S:
                return
            from rich.progress import Progress

            self._bar = Progress(console=console(sys.stderr), transient=True)
            self._bar.add_task(self._what)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
