"""Supervisors by fork: an interpreter that has imported everything and waits to be one.

Starting Python and importing what a task needs is most of what a short task costs. An engine that
starts many tasks from one process may keep one of these beside it. For each task it sends a byte
and one end of a socket (`tracer_hooks.fork_server` is the other side). The process made for the
task is the engine's own child (CLONE_PARENT), as one that it forked itself; it takes the four
descriptors, the environment and the command line that the socket brings, tells its pid, and begins
when it is told to: a request that was given up runs nothing.
"""

import gc
import posix
import sys
from marshal import loads

from tracer_hooks.supervisor import launch, libc
from tracer_hooks.supervisor.options import parse
from tracer_hooks.supervisor.run import run
from tracer_hooks.supervisor.signals import every_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    import socket as _socket
    from collections.abc import Callable
else:
    import _signal  # what signal.py wraps in enums, without their import
    import _socket

_CLONE_PARENT = 0x8000
_SYSCALL = {"x86_64": 56, "aarch64": 220, "riscv64": 220, "ppc64le": 120}  # __NR_clone
_DESCRIPTORS = 4  # standard input, output and error, and the working directory
_FD_BYTES = 4
LENGTH_BYTES = 8
GO = b"+"
# What is not needed by who runs a command, and what this process is itself.
_LEFT_OUT = ("__init__", "__main__", "attach", "entry", "fork_server")
_IMPORTED_LATE = ("array", "fcntl", "json", "re")  # by functions of those, when they are called


def serve(control_fd: int) -> int:
    """Make a supervisor for each request, until the other end of the control socket is closed."""
    clone = _clone()
    _import_everything()
    # A signal to the process group is the tasks' business. Blocked here it stays pending in a
    # task's process from its first moment on, and that one takes it from there.
    old_mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, every_signal())
    mask = {int(number) for number in old_mask}
    control = _socket.socket(fileno=control_fd)
    posix.chdir("/")  # each task brings its own
    gc.collect()
    gc.freeze()
    control.send(GO)
    while True:
        word, descriptors = _receive(control, 1, 1)
        if not word:
            return 0
        if not descriptors:
            continue
        pid = clone()
        if pid == 0:
            try:
                control.close()
                posix._exit(_supervise(descriptors[0], mask))
            finally:  # an error of ours before it began: the engine hears the socket close
                posix._exit(launch.NOT_EXECUTABLE)
        posix.close(descriptors[0])  # and with a failure, that was all of it: the engine is told


def _clone() -> "Callable[[], int]":
    """A function like fork whose child is a child of this process's parent.

    Raises OSError where that can't be had.
    """
    number = _SYSCALL.get(posix.uname().machine)
    call = libc.function("syscall")
    if number is None or call is None:
        raise OSError("no clone on this machine")
    flags = _CLONE_PARENT | int(_signal.SIGCHLD)
    return lambda: call(number, flags, 0, 0, 0, 0)  # type: ignore[operator]


def _import_everything() -> None:
    folder = __file__.rpartition("/")[0]
    for name in sorted(posix.listdir(folder)):
        module, _, ending = name.partition(".")
        if ending == "py" and module not in _LEFT_OUT:
            __import__("tracer_hooks.supervisor." + module)
    for name in _IMPORTED_LATE:
        __import__(name)


def _receive(socket: "_socket.socket", size: int, most: int) -> "tuple[bytes, list[int]]":
    """Up to `size` bytes, and the descriptors that came with them."""
    data, ancillary, _, _ = socket.recvmsg(
        size, _socket.CMSG_SPACE(most * _FD_BYTES), _socket.MSG_CMSG_CLOEXEC
    )
    return data, [
        int.from_bytes(content[at : at + _FD_BYTES], sys.byteorder)
        for level, kind, content in ancillary
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS
        for at in range(0, len(content) - _FD_BYTES + 1, _FD_BYTES)
    ]


def _supervise(fd: int, mask: "set[int]") -> int:
    """In the task's process: become what the request says, and run the command."""
    request = _socket.socket(fileno=fd)
    length, descriptors = _receive(request, LENGTH_BYTES, _DESCRIPTORS)
    if len(length) < LENGTH_BYTES or len(descriptors) < _DESCRIPTORS:
        return launch.NOT_EXECUTABLE
    rest = int.from_bytes(length, "little")
    chunks = []
    while rest:
        chunk = request.recv(rest)
        if not chunk:
            return launch.NOT_EXECUTABLE
        chunks.append(chunk)
        rest -= len(chunk)
    argv, environment = loads(b"".join(chunks))  # noqa: S302 - from the process that began us
    posix.fchdir(descriptors[3])
    for number, descriptor in enumerate(descriptors[:3]):
        posix.dup2(descriptor, number, True)  # all are above 2: those were open here
    posix.environ.clear()
    posix.environ.update(environment)
    options = parse(argv)
    request.send(posix.getpid().to_bytes(LENGTH_BYTES, "little"))
    if request.recv(1) != GO:
        return launch.NOT_EXECUTABLE
    request.close()
    return run(options, launch.Inherited(mask, environment))
