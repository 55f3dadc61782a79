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
        self.kinds = {}  # type: dict[tuple[str, bool], int]  # of those, by name and whether forked
        self._spool = spool
        self._since = since
        self._short_s = options.interval_s
        self._argv_recorded = options.argv_recorded
        self._redact = options.redact
        self._written = 0
        self._groups = {}  # type: dict[tuple[object, ...], _Group]

    def still_alive(self, image: Image) -> None:
        """Write the figures so far of an image that runs on."""
        self._identify(image)
        self._spool.add(image.figures_line(self._since))

    def ended(self, images: "list[Image]") -> None:
        """Write or fold images that have ended (or were let go)."""
        for image in images:
            self.count += 1
            kind = image.comm, image.forked
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
            lived_s = 0.0 if image.ended is None else max(0.0, image.ended - image.born)
            short = image.ended is not None and lived_s < self._short_s
            self.short_count += short
            if not image.written and self._is_folded(image, short):
                self._group(image).add(image, lived_s, short)
                continue
            self._identify(image)
            self._spool.add(image.figures_line(self._since))

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
        if group is None:
            group = self._groups[key] = _Group(len(self._groups), image, argv)
        return group

    def _identify(self, image: Image) -> None:
        if not image.written:
            image.written = True
            self._written += 1
            image.argv = self._words(image.argv)
            self._spool.add(image.identity_line(self._since))

    def _words(self, argv: "list[str]") -> "list[str]":
        return redact_argv(argv, self._redact) if self._argv_recorded else []
