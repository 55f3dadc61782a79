"""Starting the command: everything as it would be without a supervisor in between."""

import posix
import sys
import time

from tracer_hooks.supervisor import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Iterable
else:
    import _signal  # what signal.py wraps in enums, without their import

NOT_FOUND = 127
NOT_EXECUTABLE = 126
# Python ignores these at its start, and what they were before can't be learnt any more: the
# command gets the default, which is what a parent that has not ignored them on purpose gave.
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")
_ENOENT, _ENOTDIR, _ENOEXEC = 2, 20, 8


class Inherited:
    """What a command gets from whoever asked for it, where that is not this process's own."""

    def __init__(self, mask: "set[int]", environment: "dict[bytes, bytes]") -> None:
        self.mask = mask  # the signals that are blocked
        self.environment = environment


def own(mask: "Iterable[int]") -> Inherited:
    """What a command gets from this process, whose signal mask was `mask` at first."""
    return Inherited({int(number) for number in mask}, original_environment())


def original_environment() -> "dict[bytes, bytes]":
    """The environment as this process was given it.

    The interpreter may have changed its own copy (LC_CTYPE under the C locale), so the kernel's
    copy of the start is read; if that is not readable, what posix holds.
    """
    try:
        fd = posix.open("/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            chunks = []
            while True:
                chunk = posix.read(fd, 1 << 16)
                if not chunk:
                    break
                chunks.append(chunk)
        finally:
            posix.close(fd)
    except OSError:
        return dict(posix.environ)
    pairs = [entry.partition(b"=") for entry in b"".join(chunks).split(b"\0")]
    return {name: value for name, sign, value in pairs if sign and name}


def start(
    command: "list[str]",
    inherited: Inherited,
    ignored: "tuple[int, ...]",
    shell_note: str = "",
) -> "tuple[int, int]":
    """Fork and exec `command`; returns (pid, read end of a pipe that says why exec failed).

    The caller has blocked signals and passes the mask from before, and those of the signals that
    it no longer ignores but did before. Where a shell waits, its file `shell_note` is emptied, as
    the command begins, and `$_` is as that shell would have it. Raises OSError if no fork
    is possible.
    """
    if shell_note:
        write_note(shell_note, b"")
        if b"_" in inherited.environment:
            inherited.environment[b"_"] = _bytes(command[0])
    arguments = [_bytes(word) for word in command]
    failed_read, failed_write = posix.pipe()
    parent = posix.getpid()
    pid = posix.fork()
    if pid:
        posix.close(failed_write)
        return pid, failed_read
    try:
        libc.prctl(libc.PR_SET_PDEATHSIG, _signal.SIGKILL)
        if posix.getppid() != parent:  # it died before we asked to be told
            posix.kill(posix.getpid(), _signal.SIGKILL)
        errno = _become(arguments, inherited, ignored)
        posix.write(failed_write, b"%d" % errno)
        posix._exit(_refused(arguments[0], errno))
    finally:
        posix._exit(NOT_EXECUTABLE)


def write_note(path: str, text: bytes) -> None:
    """Write to a file that is there, as far as that goes."""
    try:
        fd = posix.open(path, posix.O_WRONLY | posix.O_TRUNC | posix.O_CLOEXEC)
        try:
            posix.write(fd, text)
        finally:
            posix.close(fd)
    except OSError:
        pass  # the folder may have been removed


def instead(command: "list[str]", inherited: Inherited, ignored: "tuple[int, ...]") -> int:
    """Become the command: there is no process left for it beside this one.

    Returns the exit status that a shell would show if it can't be executed.
    """
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 0)
    arguments = [_bytes(word) for word in command]
    return _refused(arguments[0], _become(arguments, inherited, ignored))


def _become(arguments: "list[bytes]", inherited: Inherited, ignored: "tuple[int, ...]") -> int:
    for name in _IGNORED_BY_PYTHON:
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    for number in ignored:
        _signal.signal(number, _signal.SIG_IGN)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, inherited.mask)
    return _exec(arguments, inherited.environment)


def _refused(name: bytes, errno: int) -> int:
    """Say that a command can't be executed, as a shell would have; its exit status."""
    try:
        posix.write(2, b"tracer-hooks: %s: %s\n" % (name, posix.strerror(errno).encode()))
    except OSError:
        pass  # nobody is there to be told
    return NOT_FOUND if errno in (_ENOENT, _ENOTDIR) else NOT_EXECUTABLE


def _bytes(word: str) -> bytes:
    return word.encode(sys.getfilesystemencoding(), "surrogateescape")


def _exec(arguments: "list[bytes]", environment: "dict[bytes, bytes]") -> int:
    """Exec as a shell finds a command; returns the errno of the failure that matters."""
    name = arguments[0]
    if b"/" in name:
        return _try(name, arguments, environment)
    refused = 0
    for folder in environment.get(b"PATH", b"/bin:/usr/bin").split(b":"):
        errno = _try((folder or b".") + b"/" + name, arguments, environment)
        if errno not in (_ENOENT, _ENOTDIR):
            refused = errno
    return refused or _ENOENT


def _try(path: bytes, arguments: "list[bytes]", environment: "dict[bytes, bytes]") -> int:
    try:
        posix.execve(path, arguments, environment)
    except OSError as error:
        if error.errno != _ENOEXEC:
            return error.errno or _ENOENT
    except ValueError:  # an empty word or a NUL in one: no such file can exist
        return _ENOENT
    try:  # a script without a #! line: execvp(3) and every shell hand it to sh
        posix.execve(b"/bin/sh", [b"/bin/sh", path, *arguments[1:]], environment)
    except OSError as error:
        return error.errno or _ENOEXEC
    return _ENOEXEC


def ended(pid: int) -> float:
    """The monotonic time, if child `pid` has exited by now; 0 if not. It is not reaped."""
    try:
        if posix.waitid(posix.P_PID, pid, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT):
            return time.monotonic()
    except ChildProcessError:  # somebody else has
        pass
    return 0.0


def failure_reason(failed_read: int) -> int:
    """The errno that exec failed with, 0 if the command was started; closes the pipe."""
    try:
        text = posix.read(failed_read, 16)
        posix.close(failed_read)
        return int(text) if text else 0
    except (OSError, ValueError):
        return 0
