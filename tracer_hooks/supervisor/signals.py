"""Signals and job control: the command gets each signal once, and stops are mirrored.

All signals are blocked here and taken with sigtimedwait, so none interrupts our work and none is
lost. The command shares our process group, so a signal to the group (Ctrl-C, `kill -- -PGID`,
scancel, systemd) reaches it without us and must not be passed on a second time, while one to our
pid alone must be. The kernel does not say which it was. A canary does: a child in the same group
that does nothing but keep every signal pending. If the canary got it, so did the command.
"""

import posix
import time

from tracer_hooks.supervisor import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from tracer_hooks.supervisor.evidence import Received
else:
    import _signal  # what signal.py wraps in enums, without their import

_CODE_FROM_KERNEL = 0x80  # SI_KERNEL: the terminal driver, which signals the whole group
_STOPPING = (_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU)
_UNBLOCKABLE = (_signal.SIGKILL, _signal.SIGSTOP)
# Senders that go from process to process (Slurm, systemd) need a moment to reach the canary.
_GRACE_S = 0.01


def every_signal() -> "set[int]":
    """All signals that can be blocked and waited for."""
    return {int(number) for number in _signal.valid_signals()} - set(map(int, _UNBLOCKABLE))


class SignalRelay:
    """Passes signals on to one child and mirrors its stops."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._canary = 0
        self.forwarded = []  # type: list[int]
        self.received = []  # type: list[Received]

    def start_canary(self) -> None:
        """Fork the canary; without one (no process left to fork) a guess must do."""
        if self._canary:
            return
        try:
            parent = posix.getpid()
            pid = posix.fork()
        except OSError:
            return
        if pid:
            self._canary = pid
            return
        try:
            libc.prctl(libc.PR_SET_PDEATHSIG, _signal.SIGKILL)
            libc.prctl(libc.PR_SET_NAME, b"tracer-canary")
            while posix.getppid() == parent:
                _signal.pause()
        finally:
            posix._exit(0)

    @property
    def canary(self) -> int:
        """The canary's pid, 0 if there is none: it is no part of the task."""
        return self._canary

    def stop_canary(self) -> None:
        """Kill and reap the canary."""
        if self._canary:
            try:
                posix.kill(self._canary, _signal.SIGKILL)
                posix.waitpid(self._canary, 0)
            except OSError:
                pass  # killed with the group
            self._canary = 0

    def handle(self, info: "_signal.struct_siginfo") -> None:
        """Act on one signal that sigtimedwait returned (SIGCHLD is not for here)."""
        number = info.si_signo
        if number == _signal.SIGCONT:
            self._resume()
            return
        if number in _STOPPING:
            if not self._reached_group(info):
                self._send(number)
            return  # the command decides whether it stops; `mirror_stop` follows it
        if info.si_pid == posix.getpid() and info.si_code != _CODE_FROM_KERNEL:
            return  # our own doing (a write to a closed pipe)
        self.received.append(_received(info))
        if not self._reached_group(info):
            self.forwarded.append(number)
            self._send(number)

    def mirror_stop(self, number: int) -> None:
        """The command was stopped by signal `number`: stop likewise, so that the shell sees it."""
        if number in _STOPPING:
            _signal.sigtimedwait((number,), 0)  # the terminal's own, which would stop us twice
            _signal.signal(number, _signal.SIG_DFL)
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (number,))
            posix.kill(posix.getpid(), number)
            _signal.pthread_sigmask(_signal.SIG_BLOCK, (number,))
        else:
            posix.kill(posix.getpid(), _signal.SIGSTOP)
        # here only after SIGCONT, which may have been sent to us alone
        self._resume()

    def _resume(self) -> None:
        if process_state(self._pid) == "T":
            self._send(_signal.SIGCONT)

    def _send(self, number: int) -> None:
        try:
            posix.kill(self._pid, number)
        except OSError:
            pass  # it has ended, or runs as another user now; so would it without us

    def _reached_group(self, info: "_signal.struct_siginfo") -> bool:
        number = info.si_signo
        if self._canary:
            for pause in (0.0, _GRACE_S):
                if pause:
                    time.sleep(pause)
                pending = _pending(self._canary)
                if pending is None:
                    break
                if pending >> (number - 1) & 1:
                    self.stop_canary()  # its pending signals can't be taken back
                    self.start_canary()
                    return True
            else:
                return False
        if info.si_code == _CODE_FROM_KERNEL and number != _signal.SIGALRM:
            return True
        pending = _pending(self._pid)
        return pending is not None and bool(pending >> (number - 1) & 1)


def _received(info: "_signal.struct_siginfo") -> "Received":
    """The signal with its sender, who is asked for its name before it ends."""
    from tracer_hooks.supervisor.evidence import Received

    pid = 0 if info.si_code == _CODE_FROM_KERNEL else info.si_pid
    comm = ""
    if pid:
        try:
            with open("/proc/%d/comm" % pid, "rb") as file:
                comm = file.read().decode("utf-8", "replace").rstrip("\n")
        except OSError:
            pass  # it has ended
    return Received(info.si_signo, pid, info.si_uid, comm, time.monotonic())


def process_state(pid: int) -> str:
    """The state letter of a process (R, S, D, T, Z, …), empty if it is gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            stat = file.read()
        return chr(stat[stat.rindex(b")") + 2])
    except (OSError, ValueError, IndexError):
        return ""


def _pending(pid: int) -> "int | None":
    """The signals pending for a process as a whole, as the kernel's bit mask."""
    try:
        with open("/proc/%d/status" % pid, "rb") as file:
            for line in file:
                if line.startswith(b"ShdPnd:"):
                    return int(line[7:], 16)
    except (OSError, ValueError):
        pass
    return None
