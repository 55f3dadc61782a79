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
_WATCH_S = 0.05
_FOR_EVER = float("inf")
_TOLD_S = 10.0  # by then the kernel has told of a child's end, and sources have read it


def every_signal() -> "set[int]":
    """All signals that can be blocked and waited for."""
    return {int(number) for number in _signal.valid_signals()} - set(map(int, _UNBLOCKABLE))


class SignalRelay:
    """Passes signals on to one child and mirrors its stops."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._canary = 0
        # our own children by pid, and until when (monotonic) that means no process of the task
        self.helpers = {}  # type: dict[int, float]
        self.received: list[Received] = []

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
            self.helpers[pid] = _FOR_EVER
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
        """The canary's pid, 0 if there is none."""
        return self._canary

    def stop_canary(self) -> None:
        """Kill and reap the canary."""
        if self._canary:
            self._end(self._canary)
            self._canary = 0

    def reaped(self, pid: int) -> None:
        """Child `pid` is no more, and its number may be anybody's from now on."""
        if pid in self.helpers:
            self.helpers[pid] = time.monotonic() + _TOLD_S
        if pid == self._canary:
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
        at, sender = time.monotonic(), _sender(info)  # asked before it ends
        if not self._reached_group(info):
            self._send(number)
        try:
            from tracer_hooks.supervisor.evidence import Received

            ignored = _is_ignored(self._pid, number)
            self.received.append(Received(number, *sender, at, ignored))
        except Exception:  # noqa: S110 - the command has its signal, the record goes without
            pass

    def mirror_stop(self, number: int) -> None:
        """The command was stopped by signal `number`: stop likewise, so that the shell sees it.

        Who wakes the command alone does not wake us, so somebody has to watch for that meanwhile.
        """
        if process_state(self._pid) != "T":
            return  # it goes on already
        watcher = self._start_watcher()
        if not watcher:
            return
        try:
            self._stop(number)
        finally:
            self._end(watcher)
        # here only after SIGCONT, which may have been sent to us alone
        self._resume()

    def _start_watcher(self) -> int:
        """Fork who wakes this process once it is stopped and the command is not; 0: can't."""
        try:
            parent = posix.getpid()
            pid = posix.fork()
        except OSError:
            return 0
        if pid:
            self.helpers[pid] = _FOR_EVER
            return pid
        try:
            libc.prctl(libc.PR_SET_PDEATHSIG, _signal.SIGKILL)
            while posix.getppid() == parent:
                if process_state(parent) == "T" and process_state(self._pid) != "T":
                    posix.kill(parent, _signal.SIGCONT)
                time.sleep(_WATCH_S)
        finally:
            posix._exit(0)

    def _end(self, helper: int) -> None:
        """Kill and reap a child of ours."""
        try:
            posix.kill(helper, _signal.SIGKILL)
            posix.waitpid(helper, 0)
        except OSError:
            pass  # killed with the group
        self.reaped(helper)

    def _stop(self, number: int) -> None:
        if number in _STOPPING:
            _signal.sigtimedwait((number,), 0)  # the terminal's own, which would stop us twice
            _signal.signal(number, _signal.SIG_DFL)
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (number,))
            posix.kill(posix.getpid(), number)
            _signal.pthread_sigmask(_signal.SIG_BLOCK, (number,))
        else:
            posix.kill(posix.getpid(), _signal.SIGSTOP)

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


def _sender(info: "_signal.struct_siginfo") -> "tuple[int, int, str]":
    """The pid, the user and the name of who sent a signal."""
    pid = 0 if info.si_code == _CODE_FROM_KERNEL else info.si_pid
    comm = ""
    if pid:
        try:
            with open("/proc/%d/comm" % pid, "rb") as file:
                comm = file.read().decode("utf-8", "replace").rstrip("\n")
        except OSError:
            pass  # it has ended
    return pid, info.si_uid, comm


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
    return _mask_of(pid, b"ShdPnd:")


def _is_ignored(pid: int, number: int) -> bool:
    """Whether a process ignores signal `number`. One that has died of it does not."""
    return bool((_mask_of(pid, b"SigIgn:") or 0) >> (number - 1) & 1)


def _mask_of(pid: int, name: bytes) -> "int | None":
    try:
        with open("/proc/%d/status" % pid, "rb") as file:
            for line in file:
                if line.startswith(name):
                    return int(line[len(name) :], 16)
    except (OSError, ValueError):
        pass
    return None
