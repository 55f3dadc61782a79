"""`subprocess.Popen` with a supervisor that comes from a fork server."""

from __future__ import annotations

import inspect
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.fork_server import ForkServer

# What `Popen` passes down where its caller asked for nothing that a fork server does not do.
_PLAIN = {
    "preexec_fn": None, "close_fds": True, "pass_fds": (), "shell": False, "gid": None,
    "gids": None, "uid": None, "umask": -1, "start_new_session": False, "process_group": -1,
}  # fmt: skip


class ForkedProcess(subprocess.Popen[Any]):
    """A supervised command (see `adapter.supervised`), used like any `Popen`.

    It is forked by `fork_server`, if there is one and it can, and else started as any process is.
    """

    def __init__(
        self, argv: Sequence[str], fork_server: ForkServer | None = None, **kwargs: Any
    ) -> None:
        self._fork_server = fork_server
        super().__init__(argv, **kwargs)

    def _execute_child(self, *args: Any, **kwargs: Any) -> None:
        """Part of `Popen`, and nobody's promise: what is not as known is left to it."""
        stock = super()._execute_child  # type: ignore[misc]
        try:
            pid = self._fork(inspect.signature(stock).bind(*args, **kwargs).arguments)
        except (TypeError, ValueError, KeyError, AttributeError):
            pid = None
        if pid is None:
            stock(*args, **kwargs)
            return
        self.pid = pid
        self._child_created = True

    def _fork(self, asked: dict[str, Any]) -> int | None:
        if self._fork_server is None:
            return None
        if any(asked.get(name, plain) != plain for name, plain in _PLAIN.items()):
            return None
        close_pipe_ends = self._close_pipe_fds  # type: ignore[attr-defined]
        pipes = [
            asked[name]
            for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        ]
        stdin, stdout, stderr = (
            fd if fd != -1 else number for number, fd in enumerate((pipes[0], pipes[3], pipes[5]))
        )
        pid = self._fork_server.start(
            asked["args"], asked["env"], (stdin, stdout, stderr), asked["cwd"]
        )
        if pid is not None:
            close_pipe_ends(*pipes)
        return pid
