"""The rows of `processes` on the spool, and their end when there are too many.

Every process image counts. The first ones have a row each; once there are many, short-lived
ones are summed by what they ran, so that a task of 100,000 processes keeps exact figures per
tool in a bounded space.
"""

from tracer_hooks.supervisor.options import Options
from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.redact import redact_argv
from tracer_hooks.supervisor.spool import Spool

_ROWS = 1000  # after these many, what is short and small is folded
_ROWS_AT_MOST = 20_000  # and after these, everything
_WORTH_A_ROW_S = 0.1  # CPU seconds
_GROUPS = 500
_GROUPS_AT_MOST = 2000  # from there on one more, for every program that has none
_KINDS = 2000
OTHER_PROGRAMS = "other programs"
# The figures of an image that runs on are no older than this share of its age, nor than this.
_UNTOLD_SHARE = 0.05
_LONGEST_UNTOLD_S = 300.0
_NAMING_WORDS = 3  # of argv: enough for `samtools sort`, `java -jar x.jar`
_WORD = 80


class _Group:
    """Processes that ran the same, summed."""

    __slots__ = (
        "argv", "changed", "comm", "count", "cpu_s", "disk_read_bytes", "disk_write_bytes", "exe",
        "memory_peak_bytes", "number", "short_count", "src", "wall_s",
    )  # fmt: skip

    def __init__(self, number: int, image: Image, argv: "list[str]") -> None:
        self.number = number
        self.comm, self.exe, self.argv, self.src = image.comm, image.exe, argv, image.src
        self.count = self.short_count = 0
        self.cpu_s = self.wall_s = 0.0
        self.memory_peak_bytes = None  # type: int | None
        self.disk_read_bytes = self.disk_write_bytes = None  # type: int | None
        self.changed = True

    def add(self, image: Image, lived_s: float, short: bool) -> None:
        self.changed = True
        self.count += 1
        self.short_count += short
        self.cpu_s += image.cpu_s
        self.wall_s += lived_s
        for name in ("disk_read_bytes", "disk_write_bytes"):
            value = getattr(image, name)
            if value is not None:
                setattr(self, name, (getattr(self, name) or 0) + value)
        if image.memory_peak_bytes is not None:
            self.memory_peak_bytes = max(self.memory_peak_bytes or 0, image.memory_peak_bytes)

    def line(self) -> "dict[str, object]":
        line = {"t": "fold", "n": self.number}  # type: dict[str, object]
        for name in self.__slots__:
            if name not in ("number", "changed"):
                line[name] = getattr(self, name)
        return line


class Rows:
    """Writes images to a spool; `since` turns monotonic into UNIX time."""

    def __init__(self, spool: Spool, since: float, options: Options) -> None:
        self.count = 0  # images that ended
        self.short_count = 0  # of those, that lived shorter than the interval
        self._kinds = {}  # type: dict[tuple[str, bool], int]  # of those, by name and if forked
        self._kinds_left_out = False
        self._changed = {}  # type: dict[int, Image]  # by id: their figures are to be written
        self._spool = spool
        self._since = since
        self._short_s = options.interval_s
        self._argv_recorded = options.argv_recorded
        self._redact = options.redact
        self._written = 0
        self._groups = {}  # type: dict[tuple[object, ...], _Group]

    def changed(self, image: Image) -> None:
        """An image that runs on has new figures, to be written when it is their turn."""
        self._identify(image)
        self._changed[image.id] = image

    def write_changed(self, now: float) -> None:
        """Write the figures so far of images that changed: of young ones at once, of older ones at
        longer intervals, so that a record does not grow with each worker and reading."""
        for image in list(self._changed.values()):
            gap_s = min(_LONGEST_UNTOLD_S, _UNTOLD_SHARE * (now - image.born))
            if image.told is None or now - image.told >= gap_s:
                image.told = now
                self._write(image)

    def _write(self, image: Image) -> None:
        self._changed.pop(image.id, None)
        self._spool.add(image.figures_line(self._since))

    def ended(self, images: "list[Image]") -> None:
        """Write or fold images that have ended (or were let go)."""
        for image in images:
            self.count += 1
            self._count_kind((image.comm, image.forked))
            lived_s = 0.0 if image.ended is None else max(0.0, image.ended - image.born)
            short = image.ended is not None and lived_s < self._short_s
            self.short_count += short
            if not image.written and self._is_folded(image, short):
                self._group(image).add(image, lived_s, short)
                continue
            self._identify(image)
            self._write(image)

    def ended_of(self, kinds: "set[tuple[str, bool]]") -> "int | None":
        """How many images of these names, forked or not, have ended; None if not all were kept."""
        if self._kinds_left_out and not kinds.issubset(self._kinds):
            return None
        return sum([self._kinds.get(kind, 0) for kind in kinds])

    def _count_kind(self, kind: "tuple[str, bool]") -> None:
        if kind in self._kinds or len(self._kinds) < _KINDS:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1
        else:
            self._kinds_left_out = True

    def write_groups(self) -> None:
        """Write what changed in the folded groups."""
        for group in self._groups.values():
            if group.changed:
                group.changed = False
                self._spool.add(group.line())

    def _is_folded(self, image: Image, short: bool) -> bool:
        if self._written >= _ROWS_AT_MOST:
            return True
        return self._written >= _ROWS and short and image.cpu_s < _WORTH_A_ROW_S

    def _group(self, image: Image) -> _Group:
        words = self._words(image.argv[:_NAMING_WORDS])
        if len(self._groups) >= _GROUPS:
            words = words[:1]  # the words are as many as the processes: go by the program
        argv = [word[:_WORD] for word in words]
        key = (image.comm, image.exe, *argv)
        group = self._groups.get(key)
        if group is None and len(self._groups) >= _GROUPS_AT_MOST:
            return self._others(image)
        if group is None:
            group = self._groups[key] = _Group(len(self._groups), image, argv)
        return group

    def _others(self, image: Image) -> _Group:
        """Programs are as many as the processes, too: one group for all the rest."""
        group = self._groups.get(())
        if group is None:
            group = self._groups[()] = _Group(len(self._groups), image, [])
            group.comm, group.exe = OTHER_PROGRAMS, None
        return group

    def _identify(self, image: Image) -> None:
        if not image.written:
            image.written = True
            self._written += 1
            image.argv = self._words(image.argv)
            self._spool.add(image.identity_line(self._since))

    def _words(self, argv: "list[str]") -> "list[str]":
        return redact_argv(argv, self._redact) if self._argv_recorded else []
