"""Runs the command that it is given where a seccomp filter refuses perf events, as containers do.

without_perf.py COMMAND…
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241}
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_EPERM = 0x00050001
_ALLOW = 0x7FFF0000


def refuse_perf_events() -> None:
    """For this process and all that it starts. Raises OSError if the kernel takes no filter."""
    number = _PERF_EVENT_OPEN[platform.machine()]
    steps = (
        struct.pack("HBBI", 0x20, 0, 0, 0),  # load the system call's number
        struct.pack("HBBI", 0x15, 0, 1, number),  # skip the next unless it is this one
        struct.pack("HBBI", 0x06, 0, 0, _EPERM),
        struct.pack("HBBI", 0x06, 0, 0, _ALLOW),
    )
    program = ctypes.create_string_buffer(b"".join(steps))
    head = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, 2, head, 0, 0):
        raise OSError(ctypes.get_errno(), "the seccomp filter is refused")


if __name__ == "__main__":
    refuse_perf_events()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - what it is for
