"""Which process holds a socket: by the inode that /proc/PID/fd shows."""

import posix
import time

from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.process import Process

_FILES_AT_MOST = 4096  # of one process
_LATE_S = 0.02  # the time of a thread that runs shows up a tick late
_THREADS_AT_MOST = 32
_GENERATIONS_AT_MOST = 32
_OUTSIDERS_AT_MOST = 16  # processes of others looked at in one go, the youngest first


class Holders:
    """Finds the owners of socket inodes in a tree, and outside it."""

    def __init__(self, proc: Proc, tree: Tree) -> None:
        self._proc = proc
        self._tree = tree
        # pid: process, its run time when its files were listed, since when it has been that, and
        # whether the files were listed after the time could not have been out of date; inodes
        self._listed = {}  # type: dict[int, tuple[Process, int, float, bool, set[int]]]

    def held(self) -> "dict[int, int]":
        """The inode of every socket in the tree, with the pid that holds it.

        Where several hold one it is the youngest. Processes that the tree does not know yet are
        looked at before their parents: they may not live long.
        """
        held = {}  # type: dict[int, int]
        live = self._tree.live
        now = time.monotonic()
        met = set(self._tree.excluded)
        for process in reversed(list(live.values())):
            known = self._listed.get(process.pid)
            ran_ns = self._ran_ns(process)
            slept = known is not None and known[0] is process and known[1] == ran_ns >= 0
            if known is not None and slept and known[3]:
                inodes = known[4]  # who has not run has opened and forked nothing
            else:
                self._newcomers(process, met, held)
                inodes = socket_inodes(self._proc.root, process.pid)
                since = known[2] if known is not None and slept else now
                settled = now - since >= _LATE_S
                self._listed[process.pid] = (process, ran_ns, since, settled, inodes)
            for inode in inodes:
                held.setdefault(inode, process.pid)
        if len(self._listed) > 2 * len(live) + 100:
            self._listed = {pid: row for pid, row in self._listed.items() if pid in live}
        return held

    def _newcomers(self, process: "Process", met: "set[int]", held: "dict[int, int]") -> None:
        """The sockets of descendants of a process that the tree does not know yet."""
        known, proc = self._tree.live, self._proc
        ahead = [(process.pid, list(process.threads))]
        for pid, threads in ahead:
            for tid in threads:
                for child in proc.children(pid, tid) or ():
                    if child not in known and child not in met:
                        met.add(child)
                        for inode in socket_inodes(proc.root, child):
                            held[inode] = child
                        ahead.append((child, [child]))

    def sought(self, wanted: "set[int]") -> "tuple[dict[int, int], set[int]]":
        """Look for inodes among the youngest processes that the tree does not know yet.

        Returns those that a descendant of the tree holds, with its pid, and those that another
        process holds.
        """
        ours = {}  # type: dict[int, int]
        others = set()  # type: set[int]
        try:
            pids = [int(name) for name in posix.listdir(self._proc.root) if name.isdigit()]
        except OSError:
            return ours, others
        live = self._tree.live
        pids = [pid for pid in pids if pid not in live]
        pids.sort(reverse=True)
        for pid in pids[:_OUTSIDERS_AT_MOST]:
            found = wanted.intersection(socket_inodes(self._proc.root, pid))
            if not found:
                continue
            of_tree = self._descends(pid)
            if of_tree:
                ours.update(dict.fromkeys(found, pid))
            elif of_tree is not None:
                others |= found
            if len(ours) + len(others) >= len(wanted):
                break
        return ours, others

    def _descends(self, pid: int) -> "bool | None":
        """Whether a process is in the tree; None if it is gone before that can be seen."""
        me = posix.getpid()
        for _ in range(_GENERATIONS_AT_MOST):
            if pid in self._tree.live or pid == me:
                return True
            if pid <= 1:
                return False
            stat = self._proc.stat(pid)
            if stat is None:
                return None
            pid = stat.ppid
        return None

    def _ran_ns(self, process: "Process") -> int:
        """How long the process's threads have run; -1 if to ask costs more than to look."""
        total = 0
        if len(process.threads) > _THREADS_AT_MOST:
            return -1
        for thread in process.threads.values():
            figures = self._proc.schedule(thread.fd) if thread.fd >= 0 else None
            if figures is None:
                return -1
            total += figures[0]
        return total


def socket_inodes(root: str, pid: "int | str") -> "set[int]":
    """The inodes of the sockets that a process holds; empty if it is gone or may not be read."""
    inodes = set()
    folder = "%s/%s/fd" % (root, pid)
    try:
        for name in posix.listdir(folder)[:_FILES_AT_MOST]:
            try:
                target = posix.readlink(folder + "/" + name)
            except OSError:
                continue  # closed meanwhile
            if target.startswith("socket:["):
                inodes.add(int(target[8:-1]))
    except (OSError, ValueError):
        pass
    return inodes
