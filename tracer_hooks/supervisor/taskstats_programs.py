"""The path of a program that nobody saw at work, from the inode in its exit record.

The record's name is cut at 15 characters and is no path. The device and inode of the program are
exact, so a file of that name on the search path is the program if, and only if, it is that inode.
"""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.taskstats_ended import Ended

_MOST = 2000
_NAME = 15  # the kernel keeps so much of a name


class Programs:
    """Remembers what was looked up: each program costs a stat or two, once."""

    def __init__(self) -> None:
        path = posix.environ.get(b"PATH", b"/usr/local/bin:/usr/bin:/bin")
        self._folders = [folder.decode("utf-8", "surrogateescape") for folder in path.split(b":")]
        self._known = {}  # type: dict[tuple[str, tuple[int, int]], str | None]
        self._names = {}  # type: dict[str, list[str]]

    def path(self, ended: "Ended") -> "str | None":
        """The program's path; None if it is none of that name on the search path."""
        if ended.exe is None or not ended.exe[1] or not ended.comm:
            return None
        key = (ended.comm, ended.exe)
        if key not in self._known:
            if len(self._known) >= _MOST:
                return None
            self._known[key] = self._find(ended.comm, ended.exe)
        return self._known[key]

    def learn(self, comm: str, exe: "tuple[int, int] | None", path: str) -> None:
        """A process that was seen ran this program."""
        if exe is not None and len(self._known) < _MOST and _identity(path) == exe:
            self._known[comm, exe] = path

    def _find(self, comm: str, exe: "tuple[int, int]") -> "str | None":
        for folder in self._folders:
            if not folder.startswith("/"):
                continue
            for name in [comm] if len(comm) < _NAME else self._beginning(folder, comm):
                path = folder + "/" + name
                if _identity(path) == exe:
                    return path
        return None

    def _beginning(self, folder: str, comm: str) -> "list[str]":
        if folder not in self._names:
            try:
                self._names[folder] = [n for n in posix.listdir(folder) if len(n) >= _NAME]
            except OSError:
                self._names[folder] = []
        return [name for name in self._names[folder] if name.startswith(comm)]


def _identity(path: str) -> "tuple[int, int] | None":
    try:
        status = posix.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
