"""Which process holds a socket: by the inode that /proc/PID/fd shows."""

import posix

from tracer_hooks.supervisor.procfs import Proc
from tracer_hooks.supervisor.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.process import Process

_FILES_AT_MOST = 4096  # of one process
_THREADS_AT_MOST = 32
_OUTSIDERS_AT_MOST = 64  # processes of others looked at in one go, the youngest first


class Holders:
    """Finds the owners of socket inodes in a tree, and outside it."""

    def __init__(self, proc: Proc, tree: Tree) -> None:
        self._proc = proc
        self._tree = tree
        # pid: process, its run time when its files were listed, whether it ran since, inodes
        self._listed = {}  # type: dict[int, tuple[Process, int, bool, set[int]]]

    def held(self) -> "dict[int, int]":
        """The inode of every socket in the tree, with the pid that holds it.

        Where several hold one it is the youngest. Processes that the tree does not know yet are
        looked at first: they may not live long.
        """
        held = {}  # type: dict[int, int]
        young = self._newcomers()
        live = self._tree.live
        for process in list(live.values()):
            for inode in self._inodes(process):
                held[inode] = process.pid
        held.update(young)
        if len(self._listed) > 2 * len(live) + 100:
            self._listed = {pid: row for pid, row in self._listed.items() if pid in live}
        return held

    def _newcomers(self) -> "dict[int, int]":
        known, proc = self._tree.live, self._proc
        held = {}  # type: dict[int, int]
        ahead = [(p.pid, list(p.threads)) for p in reversed(list(known.values()))]
        met = set(self._tree.excluded)
        for pid, threads in ahead:
            for tid in threads:
                for child in proc.children(pid, tid) or ():
                    if child not in known and child not in met:
                        met.add(child)
                        for inode in socket_inodes(proc.root, child):
                            held[inode] = child
                        ahead.append((child, [child]))
        return held

    def outsiders(self, wanted: "set[int]") -> "set[int]":
        """Those of the inodes that a process outside the tree holds."""
        try:
            pids = [int(name) for name in posix.listdir(self._proc.root) if name.isdigit()]
        except OSError:
            return set()
        found = set()  # type: set[int]
        live = self._tree.live
        pids = [pid for pid in pids if pid not in live]
        pids.sort(reverse=True)
        for pid in pids[:_OUTSIDERS_AT_MOST]:
            found |= wanted.intersection(socket_inodes(self._proc.root, pid))
            if len(found) == len(wanted):
                break
        return found

    def _inodes(self, process: "Process") -> "set[int]":
        """The process's sockets; one that has not run since the last time but one has the same.

        A running thread's time shows up to a tick late, hence not since the last time.
        """
        known = self._listed.get(process.pid)
        ran_ns = self._ran_ns(process)
        settled = False
        if known is not None and known[0] is process and known[1] == ran_ns >= 0:
            if known[2]:
                return known[3]
            settled = True
        inodes = socket_inodes(self._proc.root, process.pid)
        self._listed[process.pid] = (process, ran_ns, settled, inodes)
        return inodes

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
