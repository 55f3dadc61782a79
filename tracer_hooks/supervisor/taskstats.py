"""What every process of the tree used, from the kernel's record at its exit.

Records are drained on a timer, not when one comes: waking at each exit costs a storm of short
processes 13 %. A process with threads has a record for each; the process is accounted for with the
last. What the tree knows of a process is replaced by the record's figures, what it never saw is
added; with perf events beside it, perf says who lived and when, and the record what they used.
"""

import time

from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.processors import Processors, why_blind
from tracer_hooks.supervisor.procfs import TICKS_PER_SECOND
from tracer_hooks.supervisor.sources import Source
from tracer_hooks.supervisor.taskstats_ended import Ended
from tracer_hooks.supervisor.taskstats_filter import Filter
from tracer_hooks.supervisor.taskstats_open import ExitMessages
from tracer_hooks.supervisor.taskstats_owner import Owner
from tracer_hooks.supervisor.taskstats_programs import Programs
from tracer_hooks.supervisor.taskstats_record import (
    LEAST_BYTES,
    VERSION_WITH_GROUPS,
    ExitRecord,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.observer import Observer
    from tracer_hooks.supervisor.procfs import Stat

_DRAIN_S = 0.05
_LONGEST_DRAIN_S = 0.2
# Each drain costs something by itself; with fewer records than these the buffer is far from full.
_RECORDS_A_DRAIN = 1000
_MOST_A_DRAIN = 20_000
_MOST_WAITING = 50_000
_REMEMBERED_S = 2.0  # exiting takes this long at most, once the record was made
_PATIENCE_S = 15.0  # a record waits so long for the image that a perf reading will bring
# What the kernel spends on a process after its record (unmapping and the like), at most.
_EXIT_COSTS_AT_MOST_S = 0.0005
_DELAYS = ("cpu", "disk", "swap", "reclaim", "thrashing", "compact", "wpcopy")


class TaskstatsSource(Source):
    """Keeps the observer's figures exact from the records of one open socket."""

    name = "taskstats"

    def __init__(
        self, messages: ExitMessages, observer: "Observer", main: int, whole: bool
    ) -> None:
        """`main` is the pid of the task's first process; `whole`: we reap the tree's orphans."""
        self._messages = messages
        self._observer = observer
        self._tree = observer.tree
        self._owner = Owner(observer.proc, observer.tree, main, whole)
        self._filter = Filter(messages, self._owner, observer)
        self._programs = Programs()
        self._main = main
        self._whole = whole
        self._tree.exits = self
        self._accounted = {}  # type: dict[int, Ended]  # ended of late, and the tree saw nothing
        self._accounted_before = {}  # type: dict[int, Ended]
        self._turned = observer.started
        self._parts = {}  # type: dict[int, Ended]  # of processes some of whose threads live
        self._waiting = {}  # type: dict[int, Ended]  # their image is yet to come
        self._unplaced = []  # type: list[ExitRecord]
        self._reserved = {}  # type: dict[int, Image]  # parents whose record comes later on
        self._unpaid = []  # type: list[tuple[Image, float]]  # and the least that each used
        self._list = observer.tree.ended
        self._looked = 0
        self._delays = dict.fromkeys(_DELAYS, 0.0)
        setting = observer.proc.read("sys/kernel/task_delayacct", 8)
        self._counts_delays = setting is None or setting.strip() == b"1"  # before 5.14, always
        self._count = 0
        self._lost_records = 0
        self._drained = observer.started
        self._processors = Processors()
        self._blind = False  # for a while, on some processor
        self._next = 0.0
        self._told_threads = False
        self._fresh_pids = {}  # type: dict[int, Image]
        self._beside_perf = any(source.name == "perf" for source in observer.sources)

    @property
    def counts_processes(self) -> bool:  # type: ignore[override]
        version = self._messages.version
        known = not version or version >= VERSION_WITH_GROUPS
        seen = not self._lost() and not self._filter.paused_ever and not self._blind
        return self._whole and known and seen

    def due(self) -> float:
        return self._next

    def look(self, now: float) -> None:
        self._drain(now)
        self._match(now)

    def finish(self, now: float) -> None:
        self._drain(now)
        self._drain(now)  # what is left without a parent has been asked for twice then
        self._match(now)
        for ended in list(self._waiting.values()):
            self._never_seen(ended)
        self._waiting.clear()
        self._share_out()
        self._filter.close()
        if self._count:
            self._tell_delays(now)

    def columns(self, now: float) -> "dict[str, object]":
        self._share_out()
        columns = {}  # type: dict[str, object]
        if self._beside_perf:  # it may have joined after the first line was written
            columns["capture"] = "perf+taskstats"
        if self._lost():
            columns["events_lost"] = self._lost() + self._perf_lost()
        elif self.counts_processes and not self._beside_perf:
            columns["process_count_source"] = "taskstats"
        return columns

    # asked by the tree

    def has_ended(self, pid: int, stat: "Stat") -> bool:
        """Whether a process that the tree finds has ended, or nearly, and its record serves."""
        if pid == self._main:
            return False
        if stat.state in b"ZX":
            return True
        ended = self._accounted.get(pid) or self._accounted_before.get(pid)
        return ended is not None and ended.began_about(self._tree.begin_of(stat))

    # taking records

    def _drain(self, now: float) -> None:
        if self._filter.paused(now):
            self._next = now + _LONGEST_DRAIN_S
            return
        if now - self._turned > _REMEMBERED_S:
            self._accounted_before, self._accounted = self._accounted, {}
            self._turned = now
        self._listen_where_new()
        begun = time.monotonic()
        messages = self._messages.take(_MOST_A_DRAIN)
        late = time.monotonic()  # later than `now`, which is when this pass began
        at = self._messages.stats_place
        records = self._unplaced
        again = len(records)
        self._unplaced = []
        if at:
            enough = at + LEAST_BYTES
            records += [
                ExitRecord(data, at, len(data) - at) for data in messages if len(data) >= enough
            ]
        self._fresh_pids = {image.pid: image for image in self._fresh() if image.src != self.name}
        ours = 0
        self._owner.begin(records, now)
        for place, record in enumerate(records):
            verdict = self._owner.is_ours(record, now)
            if verdict:
                ours += 1
                share = (place + 1) / len(records)
                self._take(record, self._drained, late, share)
            elif verdict is None and place >= again:
                self._unplaced.append(record)
            elif verdict is None:
                self._lost_records += not self._filter.used
        self._reserved.clear()
        self._filter.update(len(records) - ours, now)
        gap_s = max(_DRAIN_S, begun - self._drained)
        wanted_s = gap_s * _RECORDS_A_DRAIN / max(1, len(messages))
        self._next = now + min(_LONGEST_DRAIN_S, max(_DRAIN_S, wanted_s))
        self._drained = begun
        if at and not self._told_threads and self._messages.version < VERSION_WITH_GROUPS:
            self._told_threads = True
            why = "records of this kernel (before Linux 5.19) do not tell threads from processes"
            self._observer.degraded("process_count", why)

    def _listen_where_new(self) -> None:
        added = self._processors.added()
        if added:
            self._blind = True
            self._messages.add(added)
            if not self._beside_perf:  # which says so itself
                self._observer.degraded("processes", why_blind(added))

    def _take(self, record: ExitRecord, early: float, late: float, share: float) -> None:
        record.load()
        self._delays["cpu"] += record.cpu_delay_s
        if self._counts_delays:
            for kind in _DELAYS[1:]:
                value = getattr(record, kind + "_delay_s")
                if value is not None:
                    self._delays[kind] += value
        pid = record.process
        ended = self._parts.pop(pid, None) or Ended(record)
        ended.add(record)
        if not record.ends_process:
            self._parts[pid] = ended
            return
        self._count += 1
        ended.drained = (early, late)
        image = self._reserved.pop(pid, None)
        if self._expects(ended):
            zombie = self._tree.live.get(pid)
            # Its row may be written before it is reaped. Perf's record of the exec, which may be
            # read later, would find another program than the one that was forked.
            if zombie is not None and not self._with_perf():
                self._recognise(zombie.image, ended)
            if len(self._waiting) < _MOST_WAITING:
                self._waiting[pid] = ended
        else:
            self._never_seen(ended, early + share * (late - early), image)

    def _expects(self, ended: Ended) -> bool:
        """Whether the tree, or perf, has or will have an image of this process."""
        if ended.pid in self._tree.live or ended.pid == self._main:
            return True
        image = self._fresh_pids.get(ended.pid)
        return self._with_perf() or (image is not None and ended.is_of(image))

    # joining records to images

    def _fresh(self) -> "list[Image]":
        """Images that ended since they were last matched."""
        if self._list is not self._tree.ended:
            self._list, self._looked = self._tree.ended, 0
        return self._list[self._looked :]

    def _match(self, now: float) -> None:
        fresh = self._fresh()
        self._looked = len(self._list)
        if not self._waiting:
            return
        matched = []
        for image in fresh:
            ended = self._waiting.get(image.pid)
            if ended is None or image.replaced:
                continue
            if image.pid == self._main or ended.is_of(image):
                del self._waiting[image.pid]
                matched.append((image, ended))
                if image.cpu_src == "apportioned":  # the record knows better
                    self._tree.ended_cpu_s -= image.cpu_s
                    image.cpu_s = 0.0
        told_s = self._tree.own_cpu_s() + sum([image.cpu_s for image, _ in self._unpaid])
        room_s = max(0.0, self._observer.cpu_now_s() - told_s)
        for image, ended in matched:
            room_s -= self._correct(image, ended, room_s)
        for pid, ended in list(self._waiting.items()):
            if now - ended.drained[1] > _PATIENCE_S and pid not in self._tree.live:
                del self._waiting[pid]
                self._never_seen(ended)

    def _correct(self, image: Image, ended: Ended, room_s: float) -> float:
        """The tree's figures end with its last look; the record's are final.

        Returns the CPU seconds added beyond what the kernel's counter had: of the tree's total,
        `room_s` are unaccounted for.
        """
        self._recognise(image, ended)
        self._put(image, ended)
        if image.cpu_src == "switches":  # each was seen, and what none shows is shared out
            return 0.0
        seen_s = image.cpu_s + image.cpu_base_s
        least_s = max(seen_s, ended.least_s)
        more_s = least_s - seen_s + min(room_s, max(0.0, ended.cpu_s - least_s))
        self._tree.ended_cpu_s += more_s
        image.cpu_s += more_s
        image.cpu_src = "taskstats"
        ticked = ended.user_s + ended.system_s
        if image.exec_of is None and ticked > 0:
            image.user_s = image.cpu_s * ended.user_s / ticked
            image.system_s = image.cpu_s - image.user_s
        elif image.user_s is not None:
            image.user_s += more_s
        return more_s

    def _recognise(self, image: Image, ended: Ended) -> None:
        """The name that a process had at its end, if it was seen between fork and exec."""
        if image.forked and not ended.forked and not image.written:
            image.forked = False
            image.comm, image.exe, image.argv = ended.comm, self._programs.path(ended), []
            image.argv_src = "comm"
        elif image.exe is not None and image.comm == ended.comm:
            self._programs.learn(ended.comm, ended.exe, image.exe)

    def _never_seen(
        self, ended: Ended, at: "float | None" = None, image: "Image | None" = None
    ) -> None:
        """A process that nobody looked at while it lived."""
        tree = self._tree
        self._accounted[ended.pid] = ended
        at = ended.drained[1] if at is None else at
        image = image or tree.new_image(ended.pid, ended.ppid, 0.0)
        image.born, image.ended, image.ppid = at - ended.lived_s, at, ended.ppid
        image.src, image.argv_src, image.cpu_src = "taskstats", "comm", "taskstats"
        image.comm, image.forked = ended.comm, ended.forked
        image.exe = self._programs.path(ended)
        parent = tree.live.get(ended.ppid)
        if parent is not None:
            image.parent_id = parent.image.id
            if ended.forked and image.exe in (None, parent.image.exe):
                image.exe, image.argv = parent.image.exe, parent.image.argv
                image.argv_src = parent.image.argv_src
        elif self._owner.ends_now(ended.ppid):
            owner = self._reserved.get(ended.ppid)
            if owner is None:
                owner = self._reserved[ended.ppid] = tree.new_image(ended.ppid, 0, 0.0)
            image.parent_id = owner.id
        image.cpu_s = ended.cpu_s
        ticked = ended.user_s + ended.system_s
        image.user_s = image.cpu_s * ended.user_s / ticked if ticked > 0 else None
        image.system_s = None if image.user_s is None else image.cpu_s - image.user_s
        image.threads_peak = ended.threads
        tree.waited_ns += int(ended.delay_s * 1e9)
        self._put(image, ended)
        self._unpaid.append((image, ended.least_s))

    def _put(self, image: Image, ended: Ended) -> None:
        """What no other source knows better."""
        image.io_read_chars, image.io_write_chars = ended.io_read_chars, ended.io_write_chars
        image.disk_read_bytes, image.disk_write_bytes = (
            ended.disk_read_bytes, ended.disk_write_bytes,
        )  # fmt: skip
        if image.exec_of is not None:  # what it did as another program is that one's
            base = image.io_base
            image.io_read_chars = max(0, image.io_read_chars - base[0])
            image.io_write_chars = max(0, image.io_write_chars - base[1])
            image.disk_read_bytes = max(0, image.disk_read_bytes - base[2])
            image.disk_write_bytes = max(0, image.disk_write_bytes - base[3])
        if ended.high_water_bytes > (image.memory_peak_bytes or 0):
            image.memory_peak_bytes = ended.high_water_bytes
            self._observer.memory.held(ended.high_water_bytes)
        if ended.status & 0x7F:
            image.signal = ended.status & 0x7F
        else:
            image.exit_code = ended.status >> 8 & 0xFF

    def _share_out(self) -> None:
        """Make the CPU of who was never seen add up to what the reaped brought.

        After its record the kernel spends some time on each process, which is shared equally up
        to a bound. Where the records say more than there was (time stolen from a virtual machine
        looks like time on its CPU), what they say beyond the counted is cut in proportion.
        """
        unpaid, self._unpaid = self._unpaid, []
        if not unpaid:
            return
        told_s = sum([image.cpu_s for image, _ in unpaid])
        rest_s = self._observer.cpu_now_s() - self._tree.own_cpu_s() - told_s
        if any(image.ended is None for image in self._tree.ended):
            rest_s = 0.0  # some live on after the task, and what they used nobody reaped
        if rest_s >= 0:
            each_s = min(_EXIT_COSTS_AT_MOST_S, rest_s / len(unpaid))
            for image, _ in unpaid:
                image.cpu_s += each_s
        else:
            guessed_s = sum([image.cpu_s - least_s for image, least_s in unpaid])
            # totals come in ticks and may be one behind
            excess_s = min(guessed_s, max(0.0, -rest_s - 1.0 / TICKS_PER_SECOND))
            for image, least_s in unpaid:
                if guessed_s > 0:
                    image.cpu_s -= excess_s * (image.cpu_s - least_s) / guessed_s
        for image, _ in unpaid:
            if image.user_s is not None and image.system_s is not None:
                image.system_s = max(0.0, image.cpu_s - image.user_s)
                image.user_s = image.cpu_s - image.system_s
            self._tree.ended_unseen(image)

    # what is told

    def _with_perf(self) -> bool:
        return self._tree.lifecycle is not None

    def _lost(self) -> int:
        return self._messages.lost + self._lost_records

    def _perf_lost(self) -> int:
        return sum([int(getattr(s, "lost", 0)) for s in self._observer.sources])

    def _tell_delays(self, now: float) -> None:
        """The sums over all processes that ended; None where the kernel does not count."""
        detail = {"cpu_s": self._delays["cpu"], "processes": self._count}  # type: dict[str, object]
        for kind in _DELAYS[1:]:
            detail[kind + "_s"] = self._delays[kind] if self._counts_delays else None
        if not self._counts_delays:
            detail["why"] = "kernel.task_delayacct is 0; `sysctl kernel.task_delayacct=1` counts"
        at = time.monotonic() + self._observer.since
        self._observer.spool.add({"t": "e", "at": at, "kind": "delays", "detail": detail})
