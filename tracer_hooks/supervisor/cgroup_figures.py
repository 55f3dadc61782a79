"""What a cgroup tells: limits, throttling, pressure, memory, CPU, I/O. None is not zero."""

from tracer_hooks.supervisor.cgroup_paths import Group

_UNLIMITED = 1 << 60  # v1 writes a number of this size where there is no limit


class Throttling:
    """How long a group was kept from running by its CPU quota: totals since it was made."""

    __slots__ = ("periods", "seconds", "throttled_periods")

    def __init__(self, group: Group) -> None:
        stat = group.keyed("cpu.stat")
        self.periods = stat.get("nr_periods", 0)
        self.throttled_periods = stat.get("nr_throttled", 0)
        if group.version == 2:
            self.seconds = stat.get("throttled_usec", 0) / 1e6
        else:
            self.seconds = stat.get("throttled_time", 0) / 1e9


def memory_limit(group: Group) -> "tuple[int, Group] | None":
    """The smallest memory limit on the way up, and the group that sets it."""
    found = None  # type: tuple[int, Group] | None
    name = "memory.max" if group.version == 2 else "memory.limit_in_bytes"
    for one in group.up():
        limit = one.number(name)
        if limit is not None and limit < _UNLIMITED and (found is None or limit < found[0]):
            found = (limit, one)
    if group.version == 1:  # the kernel's own answer knows of groups that can't be seen from here
        effective = group.keyed("memory.stat").get("hierarchical_memory_limit", _UNLIMITED)
        if effective < _UNLIMITED and (found is None or effective < found[0]):
            found = (effective, group)
    return found


def cpu_limit(group: Group) -> "tuple[float, Group] | None":
    """The smallest CPU quota on the way up in cores, and the group that sets it."""
    found = None  # type: tuple[float, Group] | None
    for one in quota_groups(group):
        cores = _quota(one)
        if cores is not None and (found is None or cores < found[0]):
            found = (cores, one)
    return found


def quota_groups(group: Group) -> "list[Group]":
    """The groups on the way up that have a CPU quota, the nearest first."""
    return [one for one in group.up() if _quota(one) is not None]


def pids_limit(group: Group) -> "int | None":
    """The smallest limit of processes and threads on the way up."""
    limits = [one.number("pids.max") for one in group.up()]
    return min([limit for limit in limits if limit is not None], default=None)


def _quota(group: Group) -> "float | None":
    if group.version == 2:
        words = (group.read("cpu.max") or b"").split()
        if len(words) == 2 and words[0] != b"max":
            return int(words[0]) / int(words[1])
        return None
    quota = group.number("cpu.cfs_quota_us")
    period = group.number("cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None


def memory_now(group: Group) -> "int | None":
    """What is charged to the group now, page cache included."""
    return group.number("memory.current" if group.version == 2 else "memory.usage_in_bytes")


def memory_peak(group: Group) -> "int | None":
    """The most that was ever charged to the group, page cache included (v2: from Linux 5.19)."""
    return group.number("memory.peak" if group.version == 2 else "memory.max_usage_in_bytes")


def page_cache(group: Group) -> "int | None":
    """Of what is charged now, the part that the kernel can drop: file pages, not tmpfs."""
    stat = group.keyed("memory.stat")
    if group.version == 2:
        cache, shared = stat.get("file"), stat.get("shmem", 0)
    else:
        cache, shared = stat.get("total_cache"), stat.get("total_shmem", 0)
    return None if cache is None else max(0, cache - shared)


def cpu_used(group: Group) -> "tuple[float, float] | None":
    """(user, system) seconds used in the group since it was made."""
    if group.version == 2:
        stat = group.keyed("cpu.stat")
        if "usage_usec" not in stat:
            return None
        return stat.get("user_usec", 0) / 1e6, stat.get("system_usec", 0) / 1e6
    whole = group.number("cpuacct.usage")
    if whole is None:
        return None
    ticks = group.keyed("cpuacct.stat")
    user, system = ticks.get("user", 0), ticks.get("system", 0)
    share = user / (user + system) if user + system else 1.0
    return whole / 1e9 * share, whole / 1e9 * (1 - share)


def disk_bytes(group: Group) -> "tuple[int, int] | None":
    """(read, written) bytes at the devices since the group was made.

    v1 sees no writes that go through the page cache: nothing seen is not known to be nothing.
    """
    read = written = 0
    if group.version == 2:
        raw = group.read("io.stat")
        if raw is None:
            return None
        for word in raw.split():
            if word.startswith(b"rbytes="):
                read += int(word[7:])
            elif word.startswith(b"wbytes="):
                written += int(word[7:])
        return read, written
    raw = group.read("blkio.throttle.io_service_bytes_recursive")
    if raw is None:
        return None
    for line in raw.splitlines():
        field = line.split()
        if len(field) == 3 and field[1] == b"Read":
            read += int(field[2])
        elif len(field) == 3 and field[1] == b"Write":
            written += int(field[2])
    return (read, written) if read or written else None


def pressure(group: Group) -> "dict[str, float]":
    """Seconds that some, or all, of the group's tasks were stalled: `memory_full_s` and so on."""
    found = {}  # type: dict[str, float]
    for what in ("cpu", "memory", "io"):
        for line in (group.read(what + ".pressure") or b"").splitlines():
            kind, _, rest = line.partition(b" ")
            total = rest.rpartition(b"total=")[2]
            if total.isdigit():
                found["%s_%s_s" % (what, kind.decode("ascii", "replace"))] = int(total) / 1e6
    return found
