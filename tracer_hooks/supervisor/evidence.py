"""What was seen of a task that bears on why it failed. Times are monotonic seconds."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.process import Image

EARLY_S = 0.25  # clocks differ, and timers count from before we began


class Received:
    """A signal that came to the task from outside; `pid` 0: from where we can't see.

    `ignored`: the command ignored signals of this number when it came.
    """

    __slots__ = ("at", "comm", "ignored", "number", "pid", "uid")

    def __init__(
        self, number: int, pid: int, uid: int, comm: str, at: float, ignored: bool = False
    ) -> None:
        self.ignored = ignored
        self.number = number
        self.pid = pid
        self.uid = uid
        self.comm = comm
        self.at = at

    def detail(self) -> "dict[str, object]":
        """The detail of the event."""
        if not self.pid:
            return {"signal": self.number}
        return {
            "signal": self.number, "sender_pid": self.pid, "sender_uid": self.uid,
            "sender": self.comm,
        }  # fmt: skip


class OomKill:
    """One kill that a counter showed between `since` and `at`; `own`: the task's own counter."""

    __slots__ = ("at", "counter", "in_container", "own", "since", "victim")

    def __init__(self, counter: str, own: bool, since: float, at: float) -> None:
        self.counter = counter
        self.own = own
        self.since = since
        self.at = at
        self.in_container = False
        self.victim = None  # type: Image | None


class Timer:
    """A `timeout` in the tree: the seconds it was given, and how long it lived."""

    __slots__ = ("image", "seconds")

    def __init__(self, image: "Image") -> None:
        self.image = image
        self.seconds = seconds_of(image.argv)

    def ran_out(self, now: float) -> bool:
        """Whether it lived as long as it was to wait."""
        if not self.seconds:  # 0 switches it off; None: not understood
            return False
        ended = now if self.image.ended is None else self.image.ended
        return ended - self.image.born >= self.seconds - max(EARLY_S, 0.1 * self.seconds)


class Evidence:
    """What sources have found so far."""

    def __init__(self) -> None:
        self.oom_counters = []  # type: list[str]
        self.oom_kills = []  # type: list[OomKill]
        self.main_killed = False  # the main process died by SIGKILL, or exited as a shell tells it
        self.timers = []  # type: list[Timer]
        self.time_requested_s = None  # type: float | None
        self.slurm_end = None  # type: float | None


def seconds_of(words: "list[str]") -> "float | None":
    """The duration in the command line of `timeout`; None if it is not to be found."""
    position = 1
    while position < len(words):
        word = words[position]
        position += 1
        if word in ("-k", "-s", "--kill-after", "--signal"):
            position += 1
        elif not word.startswith("-") or word == "--":
            if word == "--":
                word = words[position] if position < len(words) else ""
            unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(word[-1:], 0)
            try:
                return float(word[:-1]) * unit if unit else float(word)
            except ValueError:
                return None
    return None
