"""Running a command under observation: the order of things, and what happens when they fail."""

import posix
import sys
import time

from tracer_hooks.supervisor import launch, libc
from tracer_hooks.supervisor.options import Options
from tracer_hooks.supervisor.signals import SignalRelay, every_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from tracer_hooks.supervisor.perf_open import PerfEvents
    from tracer_hooks.supervisor.taskstats_open import ExitMessages
else:
    import _signal  # what signal.py wraps in enums, without their import

_CANARY_AFTER_S = 0.1
_CANARY_AGAIN_S = 0.5  # at the earliest, should somebody kill one
_LONGEST_WAIT_S = 60.0  # without a look whether the command is still there
# More exits a second than this among adopted orphans, and they are reaped in batches.
_EXITS_TO_CHASE = 50
_BATCH_S = 0.005
LOST = -1  # somebody else reaped the command: its status can't be learnt


def run(options: Options, inherited: "launch.Inherited | None" = None) -> int:
    """Run the command; returns the exit status that a shell would show for it.

    The command inherits what this process did, or what is passed as `inherited`.

    Before the command is started only what must listen from its first instruction on is opened,
    and from there on no failure of ours reaches it.
    """
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
    signals = every_signal()
    old_mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, signals)
    inherited = inherited or launch.own(old_mask)
    ignored = _hear_of_children()
    events, exits, refusal = _open_sources(options)
    wall_start, started = time.time(), time.monotonic()
    complain = _Complaints(options.verbose)
    try:
        pid, failed_read = launch.start(options.command, inherited, ignored, options.shell_note)
    except OSError as error:  # no process or no descriptor is left
        complain.about(error)
        return launch.instead(options.command, inherited, ignored)
    relay = SignalRelay(pid)
    record = None
    ended = 0.0
    try:
        keep = {failed_read, complain.fd}
        for source in (events, exits):
            if source is not None:
                keep.update(source.descriptors())
        release_descriptors(keep)
        from tracer_hooks.supervisor.quick_import import RECORD, load

        load(RECORD)
        from tracer_hooks.supervisor.record import Record

        ended = launch.ended(pid)  # it may have ended while we imported: keep the moment
        record = Record(options, pid, wall_start, started, events=events, exits=exits)
        if refusal:
            record.degraded("capture", refusal)
    except Exception as error:
        complain.about(error)
    status = _supervise(pid, signals, relay, record, complain)
    over = time.monotonic()
    if record is not None:
        try:
            from tracer_hooks.supervisor.outcome import outcome

            ended = ended or record.ended or over
            reason = launch.failure_reason(failed_read)
            record.seal(outcome(status, relay.received, ended), ended, relay.received, reason)
        except Exception as error:
            complain.about(error)
    relay.stop_canary()
    if record is not None and record.problem:
        complain.say(record.problem)
    return _told(status, pid, options.shell_note)


def _told(status: int, pid: int, shell_note: str) -> int:
    """A wait status as a shell shows it; with a note, also what its `$?` does not tell."""
    if status == LOST:  # as a shell says of a command that it lost
        return launch.NOT_FOUND
    if shell_note and posix.WIFSIGNALED(status):
        told = (posix.WTERMSIG(status), pid, posix.WCOREDUMP(status))
        launch.write_note(shell_note, b"signal %d %d %d\n" % told)
    return shell_status(status)


def _hear_of_children() -> "tuple[int, ...]":
    """Have the kernel leave children to be waited for; the signals that were ignored till now."""
    number = _signal.SIGCHLD
    before = _signal.signal(number, _signal.SIG_DFL)
    return (int(number),) if before == _signal.SIG_IGN else ()


def _open_sources(options: Options) -> "tuple[PerfEvents | None, ExitMessages | None, str]":
    """Open what tells of every process, as far as it is wanted and permitted; with the reason why
    one that was wanted is not there. Never raises."""
    events, exits, refusal = None, None, ""
    try:
        if options.capture in ("auto", "perf"):
            try:
                from tracer_hooks.supervisor.perf_open import PerfEvents

                events = PerfEvents(0)  # on ourselves: the command inherits them
            except Exception as error:
                refusal = _said(error)
        if events is None and options.capture != "poll":  # beside perf they can wait
            from tracer_hooks.supervisor.taskstats_permitted import open_exits

            exits, refusal = open_exits(options.capture, refusal)
    except Exception as error:
        refusal = _said(error)
    return events, exits, refusal


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _supervise(
    pid: int, signals: "set[int]", relay: SignalRelay, record: "object", complain: "_Complaints"
) -> int:
    """Wait for the command, passing signals on and looking at its tree; its wait status."""
    sigchld = int(_signal.SIGCHLD)
    canary_at = time.monotonic() + _CANARY_AFTER_S
    pace = _Pace()
    while True:
        now = time.monotonic()
        due = record.due() if record is not None else now + 3600.0  # type: ignore[attr-defined]
        if not relay.canary:
            due = min(due, canary_at)
        info = _signal.sigtimedwait(signals, max(0.0, min(due - now, _LONGEST_WAIT_S)))
        now = time.monotonic()
        if info is not None:
            if info.si_signo != sigchld:
                relay.handle(info)
            pace.one_more(now)
            ended = _reap(pid, relay, record)
            if ended is not None:
                return ended
        elif _is_gone(pid):
            return LOST
        if not relay.canary and now >= canary_at:
            relay.start_canary()
            canary_at = now + (_CANARY_AGAIN_S if relay.canary else 60.0)
        if record is not None and now >= record.due():  # type: ignore[attr-defined]
            try:
                record.tick(now, relay.helpers)  # type: ignore[attr-defined]
            except Exception as error:
                record.failed(error)  # type: ignore[attr-defined]
                complain.about(error)


def _is_gone(pid: int) -> bool:
    """Whether the command has been reaped, and not by us."""
    try:
        posix.waitid(posix.P_PID, pid, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT)
    except ChildProcessError:
        return True
    return False


class _Pace:
    """Signals that come too fast are taken in batches: they wait, blocked, and none is lost."""

    def __init__(self) -> None:
        self._second = 0.0
        self._count = 0

    def one_more(self, now: float) -> None:
        if now - self._second > 1.0:
            self._second, self._count = now, 0
        self._count += 1
        if self._count > _EXITS_TO_CHASE:
            time.sleep(_BATCH_S)


def _reap(pid: int, relay: SignalRelay, record: "object") -> "int | None":
    """Reap what has exited; the wait status of the command once it has."""
    while True:
        try:
            info = posix.waitid(
                posix.P_ALL, 0, posix.WEXITED | posix.WSTOPPED | posix.WNOHANG | posix.WNOWAIT
            )
        except ChildProcessError:
            return LOST
        if info is None:
            return None
        if info.si_code == posix.CLD_STOPPED or info.si_code == posix.CLD_TRAPPED:
            if _note_stop(info.si_pid) and info.si_pid == pid:
                relay.mirror_stop(info.si_status)
            continue
        if info.si_pid == pid and record is not None:
            try:
                record.last_look(time.monotonic(), relay.helpers)  # type: ignore[attr-defined]
            except Exception as error:
                record.failed(error)  # type: ignore[attr-defined]
        status = _wait(info.si_pid)
        relay.reaped(info.si_pid)
        if info.si_pid == pid:
            _reap_rest(relay)
            return status


def _note_stop(pid: int) -> bool:
    """Take the news that child `pid` is stopped, so that it is not told again."""
    try:
        posix.waitid(posix.P_PID, pid, posix.WSTOPPED | posix.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _wait(pid: int) -> int:
    try:
        return posix.waitpid(pid, 0)[1]
    except ChildProcessError:
        return LOST


def _reap_rest(relay: SignalRelay) -> None:
    """The command has ended: what daemons it left behind and have exited count, the rest goes."""
    try:
        while True:
            ended, _ = posix.waitpid(-1, posix.WNOHANG)
            if not ended:
                return
            relay.reaped(ended)
    except ChildProcessError:
        pass


def shell_status(status: int) -> int:
    """A wait status as a shell's `$?` shows it."""
    if posix.WIFSIGNALED(status):
        return 128 + posix.WTERMSIG(status)
    return posix.WEXITSTATUS(status)


def release_descriptors(keep: "set[int]") -> None:
    """Let go of every descriptor that is the command's business.

    A pipe that the command closes must be closed: a copy held here would keep its reader waiting.
    Standard input, output and error become /dev/null.
    """
    null = posix.open("/dev/null", posix.O_RDWR | posix.O_CLOEXEC)
    for fd in (0, 1, 2):
        if fd not in keep and fd != null:
            posix.dup2(null, fd, False)
    if null > 2:
        posix.close(null)
    try:
        open_now = [int(name) for name in posix.listdir("/proc/self/fd")]
    except OSError:
        open_now = list(range(3, 1024))
    for fd in open_now:
        if fd > 2 and fd not in keep:
            try:
                posix.close(fd)
            except OSError:
                pass  # the one that listed the folder


class _Complaints:
    """One line on the user's standard error, only with --verbose."""

    def __init__(self, verbose: bool) -> None:
        self.fd = -1
        self._said = False
        if verbose:
            try:
                import fcntl

                self.fd = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 3)
            except OSError:
                pass  # it was closed: nobody to talk to

    def about(self, error: BaseException) -> None:
        """Say that observing failed."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = "" if frame is None else " (%s:%d)" % (
            frame.tb_frame.f_code.co_filename.rpartition("/")[2], frame.tb_lineno,
        )  # fmt: skip
        self.say("%s: %s%s" % (type(error).__name__, error, where))

    def say(self, text: str) -> None:
        """Say one line, once."""
        if self.fd < 0 or self._said:
            return
        self._said = True
        line = "tracer-hooks: not fully recorded: %s\n" % text.replace("\n", " ")
        try:
            posix.write(self.fd, line.encode(sys.getfilesystemencoding(), "backslashreplace"))
        except OSError:
            pass
