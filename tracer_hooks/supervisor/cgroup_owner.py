"""Whose a cgroup is: this task's alone, or shared with the session, the service or the host."""

from tracer_hooks.supervisor.cgroup_paths import Group
from tracer_hooks.supervisor.procfs import Proc

# What makes a cgroup for one piece of work, by a part of the group's path. A login session's
# scope and a user's own service manager are not among them.
_LAUNCHERS = (
    ("slurm", "Slurm"),
    ("kubepods", "Kubernetes"),
    ("docker", "Docker"),
    ("libpod", "Podman"),
    ("cri-containerd", "containerd"),
    ("crio-", "CRI-O"),
    ("condor", "HTCondor"),
    ("pbs_jobs", "PBS"),
    ("pbspro", "PBS"),
    ("/lsf/", "LSF"),
)


class Owner:
    """The answer: whether the group is the task's own, and in words why or why not."""

    __slots__ = ("own", "why")

    def __init__(self, own: bool, why: str) -> None:
        self.own = own
        self.why = why


def owner(group: Group, proc: Proc, top: int, ours: "set[int]") -> Owner:
    """Whose `group` is, for a task whose processes descend from `top`.

    `ours` are pids that observe and do not count. A group is the task's own if nothing else is
    in it, or if a known launcher made it and nothing else is in it but those who started us.
    """
    if group.is_root:
        return Owner(False, "it is the host's")
    pids = group.pids()
    if pids is None:
        return Owner(False, "its processes can't be told")
    above = set(_ancestors(proc, top))
    family = {top} | ours
    for pid in pids:
        if pid not in above and not _descends(proc, pid, family):
            return Owner(False, "process %d in it is not the task's" % pid)
    if above.isdisjoint(pids):
        return Owner(True, "only the task's processes are in it")
    for part, launcher in _LAUNCHERS:
        if part in group.folder:
            return Owner(True, "%s made it, and nobody else is in it" % launcher)
    return Owner(False, "those who started the task are in it")


def _descends(proc: Proc, pid: int, family: "set[int]") -> bool:
    """Whether a process is of the family, which grows by what is learnt, or has ended."""
    chain = [pid]
    for parent in [pid, *_ancestors(proc, pid)]:
        if parent in family:
            family.update(chain)
            return True
        chain.append(parent)
    return pid > 0 and proc.stat(pid) is None


def _ancestors(proc: Proc, pid: int) -> "list[int]":
    """Parent, grandparent, … up to what can be seen."""
    found = []  # type: list[int]
    while len(found) < 1000:
        stat = proc.stat(pid)
        if stat is None or stat.ppid <= 0 or stat.ppid in found:
            return found
        pid = stat.ppid
        found.append(pid)
    return found
