"""Where the wall time of a task went: on CPU, runnable, on disk, on the network, idle.

CPU and runnable time come from the kernel's counters. What remains of the wall time is split by
what the tree was seen to wait for: a thread that waits for the disk outranks one that waits for
the network, which outranks a sleeper, for the sleeper (a shell in wait()) waits for the other.
"""

import posix

from tracer_hooks.supervisor.procfs import Proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

RUN, DISK, NETWORK, IDLE = "run", "disk", "network", "idle"

# Uninterruptible, but not for a device: the parent of a vfork waits for its child to exec, and
# a lock is held by somebody else.
_NOT_DISK = (
    b"kernel_clone", b"_do_fork", b"do_fork", b"wait_for_vfork_done", b"rwsem_down", b"__mutex",
    b"mutex_", b"__down", b"do_exit", b"cgroup_", b"refrigerator", b"__refrigerator",
    b"__synchronize", b"synchronize_rcu", b"futex",
)  # fmt: skip
# Blocked in an internet socket, by the function that sleeps.
_NETWORK = (
    b"sk_wait_data", b"sk_stream_wait", b"inet_wait_for_connect", b"inet_stream_connect",
    b"__inet_stream_connect", b"__skb_wait_for_more", b"skb_wait_for_more", b"tcp_", b"udp_",
    b"sctp_", b"rpc_wait", b"svc_",
)  # fmt: skip
# Blocked for whichever file or socket is ready first: look whether it holds a connection.
_ANY_FILE = (
    b"wait_woken", b"poll_schedule", b"do_poll", b"do_sys_poll", b"do_select", b"core_sys_select",
    b"ep_poll", b"do_epoll_wait",
)  # fmt: skip
_SOCKETS_REMEMBERED_FOR_LOOKS = 20
_TABLES = ("tcp", "tcp6", "udp", "udp6")
# What was seen to wait for a CPU stands for this many times as much CPU time at the most.
_MOST_UNSEEN = 4.0
# A helper that no look met waits for a CPU this many times as long as it runs, at the most. One
# look that finds somebody ready stands for seconds of a task that is looked at seldom, and a task
# that sleeps can't have waited for a CPU that long: what waited for it gets to use it in the end.
_LONGEST_WAIT = 10.0


class WaitReader:
    """Says what a thread waits for."""

    def __init__(self, proc: Proc) -> None:
        self._proc = proc
        self._connected = {}  # type: dict[int, tuple[int, bool]]
        # asked before the long way, of a source that knows some of the connections
        self.known_connection: Callable[[int], bool] | None = None
        self.waits_for_us = 0  # the process that told us its end, and stands still meanwhile
        self.network_known = True  # False once the kernel would not say where a thread sleeps

    def look(self, pid: int, tid: int, state: "bytes | None") -> str:
        """RUN, DISK, NETWORK or IDLE; "" if the thread is gone."""
        if state is None:
            raw = self._proc.read("%d/task/%d/stat" % (pid, tid), 256)
            if not raw:
                return ""
            close = raw.rfind(b")")
            state = raw[close + 2 : close + 3]
        if state == b"R":
            return RUN
        if state in (b"Z", b"X"):
            return ""
        function = self._proc.waiting_in(pid, tid)
        if state == b"D":
            return IDLE if function and function.startswith(_NOT_DISK) else DISK
        if function is None:
            if not self._proc.read("%d/task/%d/stat" % (pid, tid), 256):
                return ""  # it has ended since its state was read
            self.network_known = False
            return IDLE
        if function.startswith(_NETWORK):
            return NETWORK
        return self._for_any_file(pid) if function.startswith(_ANY_FILE) else IDLE

    def _for_any_file(self, pid: int) -> str:
        if pid == self.waits_for_us:
            return ""
        return NETWORK if self._has_connection(pid) else IDLE

    def _has_connection(self, pid: int) -> bool:
        """Whether the process holds a connected internet socket; remembered for a while."""
        looks, connected = self._connected.get(pid, (0, False))
        if looks <= 0:
            known = self.known_connection is not None and self.known_connection(pid)
            connected = known or connected_socket(self._proc, pid)
            looks = _SOCKETS_REMEMBERED_FOR_LOOKS
            if len(self._connected) > 1000:
                self._connected.clear()
        self._connected[pid] = (looks - 1, connected)
        return connected


def connected_socket(proc: Proc, pid: int) -> bool:
    """Whether one of the process's descriptors is a TCP or UDP socket with a peer.

    The kernel walks its whole table of a kind for whoever reads it, which takes milliseconds: only
    tables of kinds that the process holds are read.
    """
    inodes, tables = set(), set()  # type: set[bytes], set[str]
    try:
        folder = "%s/%d/fd" % (proc.root, pid)
        for name in posix.listdir(folder)[:1024]:
            try:
                target = posix.readlink(folder + "/" + name)
            except OSError:
                continue
            if target.startswith("socket:["):
                may_be_in = _tables_of(folder + "/" + name)
                if may_be_in:
                    inodes.add(target[8:-1].encode())
                    tables.update(may_be_in)
    except OSError:
        return False
    for table in sorted(tables):
        try:  # line by line: one read gives a page of it, and it is as long as the host is busy
            with open("%s/%d/net/%s" % (proc.root, pid, table), "rb") as lines:
                for line in lines:
                    field = line.split()
                    # a peer of zeros is a listener or an unconnected socket
                    if len(field) > 9 and field[9] in inodes and field[2].strip(b"0:"):
                        return True
        except OSError:
            pass
    return False


def _tables_of(path: str) -> "tuple[str, ...]":
    """The tables in /proc/net that may list the socket behind a descriptor's link."""
    try:
        protocol = posix.getxattr(path, "system.sockprotoname").rstrip(b"\0")
    except (OSError, AttributeError):
        return _TABLES
    if protocol.startswith((b"UNIX", b"NETLINK", b"PACKET")):
        return ()
    table = protocol.replace(b"v6", b"6").decode("ascii", "replace").lower()
    return (table,) if table in _TABLES else _TABLES


class WallSplit:
    """The five parts of the wall time; they sum to it whatever the counters say."""

    __slots__ = (
        "_ever", "_seen_cpu_s", "_seen_runnable_s", "_unplaced_s", "_weights", "cpu_s", "disk_s",
        "idle_s", "network_s", "runnable_s",
    )  # fmt: skip

    def __init__(self) -> None:
        self.cpu_s = self.runnable_s = self.disk_s = self.network_s = self.idle_s = 0.0
        self._weights = dict.fromkeys((RUN, DISK, NETWORK, IDLE), 0.0)
        self._ever = dict(self._weights)
        self._seen_cpu_s = self._seen_runnable_s = 0.0
        self._unplaced_s = 0.0  # asleep, and no look has said yet on what

    def saw(self, kinds: "set[str]", gap_s: float) -> None:
        """One look at the tree, standing for the `gap_s` seconds since the one before."""
        for kind in (RUN, DISK, NETWORK, IDLE):
            if kind in kinds:
                self._weights[kind] += gap_s
                return

    def add(
        self, wall_s: float, cpu_s: float, runnable_s: float, unseen_share: float = 0.0
    ) -> None:
        """Split an interval in which the tree ran `cpu_s` and waited for a CPU `runnable_s`.

        Both are sums over threads and may exceed the wall time; then they share it in
        proportion, so four busy processes on two CPUs show half their time as runnable.
        `unseen_share` of the CPU time was used after the last look at a process, or by one too
        short to be looked at. How long that waited for a CPU no counter says: as long as what was
        seen so far did for each second that it ran, as far as enough was seen. And time in which
        somebody was seen ready to run, and did not, is runnable to that share, as far as the CPU
        time that went unseen can have been waited for.
        """
        wall_s, cpu_s, runnable_s = max(0.0, wall_s), max(0.0, cpu_s), max(0.0, runnable_s)
        self._seen_cpu_s += cpu_s * (1.0 - unseen_share)
        self._seen_runnable_s += runnable_s
        if self._seen_cpu_s > 0.0:
            alike_s = min(cpu_s * unseen_share, _MOST_UNSEEN * self._seen_cpu_s)
            runnable_s += alike_s * self._seen_runnable_s / self._seen_cpu_s
        wanted = cpu_s + runnable_s
        active = min(wall_s, wanted)
        if wanted > 0.0:
            self.cpu_s += active * cpu_s / wanted
            self.runnable_s += active * runnable_s / wanted
        rest = wall_s - active
        weights = self._weights
        seen = sum(weights.values())
        if seen > 0.0 and unseen_share > 0.0:
            ready = wall_s * (weights[RUN] / seen) - active
            longest = min(rest, cpu_s * unseen_share * _LONGEST_WAIT)
            hidden = min(longest, max(0.0, ready) * unseen_share)
            self.runnable_s += hidden
            rest -= hidden
        for kind, weight in weights.items():
            self._ever[kind] += weight
        if not weights[DISK] + weights[NETWORK] + weights[IDLE]:
            weights = self._ever  # each look found it running: go by what the others found
        total = weights[DISK] + weights[NETWORK] + weights[IDLE]
        if total > 0.0:
            rest, self._unplaced_s = rest + self._unplaced_s, 0.0
            self.disk_s += rest * (weights[DISK] / total)
            self.network_s += rest * (weights[NETWORK] / total)
            self.idle_s += rest * (weights[IDLE] / total)
        else:
            self._unplaced_s += rest
        self._weights = dict.fromkeys((RUN, DISK, NETWORK, IDLE), 0.0)

    def columns(self, wall_s: float, network_known: bool) -> "dict[str, object]":
        """The columns of the store; what nothing is known of goes to idle, so that they sum."""
        network = self.network_s if network_known else None
        parts = self.cpu_s + self.runnable_s + self.disk_s + (network or 0.0)
        return {
            "wall_cpu_s": self.cpu_s,
            "wall_runnable_s": self.runnable_s,
            "wall_disk_s": self.disk_s,
            "wall_network_s": network,
            "wall_idle_s": max(0.0, wall_s - parts),
        }
