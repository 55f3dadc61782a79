"""Cgroups: where they are, whose they are, what they say; on trees of files, and one for real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tracer_hooks.supervisor import cgroup_figures as figures
from tracer_hooks.supervisor.cgroup import CgroupSource, GroupMemory
from tracer_hooks.supervisor.cgroup_owner import owner
from tracer_hooks.supervisor.cgroup_paths import Group, groups
from tracer_hooks.supervisor.evidence import Evidence
from tracer_hooks.supervisor.memory import Memory
from tracer_hooks.supervisor.process import Image
from tracer_hooks.supervisor.procfs import Proc

TOP, CHILD, SHELL, STRANGER = 100, 101, 90, 500


def put(folder: Path, **files: object) -> Path:
    """Files of a group; `_` in a name stands for the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")
    return folder


class Host:
    """A folder that looks like a host: /proc and /sys/fs/cgroup."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.proc = Proc(str(root / "proc"))
        self.mounts: list[str] = []
        for pid, parent in ((1, 0), (SHELL, 1), (TOP, SHELL), (CHILD, TOP), (STRANGER, 1)):
            fields = ["S", str(parent), *["0"] * 50]
            put(root / "proc" / str(pid), stat=f"{pid} (x) {' '.join(fields)}")

    def mount(self, kind: str, options: str, below: str, part: str = "/") -> Path:
        self.mounts.append(f"30 23 0:26 {part} /sys/fs/cgroup{below} rw - {kind} {kind} {options}")
        put(self.root / "proc" / "self", mountinfo="\n".join(self.mounts))
        return self.root / "sys/fs/cgroup" / below.lstrip("/")

    def member_of(self, *lines: str) -> None:
        for who in ("self", str(TOP), str(CHILD)):
            put(self.root / "proc" / who, cgroup="\n".join(lines))

    def groups(self) -> dict[str, Group]:
        return groups(self.proc, "self", str(self.root))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def v2(host: Host, path: str, **files: object) -> Path:
    """A v2 hierarchy with one group that has all controllers, and its parents."""
    top = host.mount("cgroup2", "rw,nsdelegate", "")
    put(top, cgroup__procs="1")
    here = top
    for part in path.strip("/").split("/"):
        here = put(here / part, cgroup__procs="", cgroup__type="domain")
        put(here, memory__max="max", memory__events="oom_kill 0", pids__max="max")
        put(here, cpu__max="max 100000", cpu__stat="usage_usec 0", io__stat="")
    host.member_of(f"0::{path}")
    return put(here, **{"cgroup__procs": f"{TOP}\n{CHILD}", **files})


def v1(host: Host, path: str, **files: object) -> Path:
    """The memory and cpu hierarchies of v1, the same group in both; the memory one is returned."""
    lines = []
    for number, name in enumerate(("cpu,cpuacct", "memory")):
        top = put(host.mount("cgroup", f"rw,{name}", f"/{name}"), release_agent="")
        put(top, cgroup__procs="1")
        here = put(top / path.strip("/"), cgroup__procs=f"{TOP}\n{CHILD}")
        lines.append(f"{number}:{name}:{path}")
    host.member_of(*lines, "0::/user.slice")
    return put(here, **files)


def test_v2_finds_the_nearest_group_with_the_controller(host: Host) -> None:
    here = v2(host, "/system.slice/slurmstepd.scope/job_5/step_0")
    task = put(here / "user" / "task_0", cgroup__procs=f"{TOP}", cgroup__type="domain")
    host.member_of(f"0::/{task.relative_to(host.root / 'sys/fs/cgroup')}")
    found = host.groups()
    assert found["unified"].path.endswith("step_0/user/task_0")
    assert found["memory"].path.endswith("step_0")  # Slurm limits the step, not the task


def test_v1(host: Host) -> None:
    v1(host, "/slurm/uid_0/job_5/step_0/task_0")
    found = host.groups()
    assert {name for name in found if name != "unified"} == {"cpu", "cpuacct", "memory"}
    assert found["memory"].path == "/slurm/uid_0/job_5/step_0/task_0"
    assert found["memory"].version == 1


def test_hybrid_takes_each_controller_where_it_is(host: Host) -> None:
    v1(host, "/job")
    put(host.mount("cgroup2", "rw", "/unified") / "user.slice", cgroup__procs="")
    found = host.groups()
    assert (found["memory"].version, found["unified"].version) == (1, 2)
    assert found["unified"].folder.endswith("/unified/user.slice")


def test_part_of_a_hierarchy_mounted_in_a_container(host: Host) -> None:
    put(host.mount("cgroup", "rw,memory", "/memory", "/docker/abc"), cgroup__procs=f"{TOP}")
    host.member_of("4:memory:/docker/abc")
    assert host.groups()["memory"].path == ""
    host.member_of("4:memory:/docker/other")
    assert host.groups() == {}
    host.member_of("4:memory:/../outside")
    assert host.groups() == {}


def test_nothing_to_be_known(host: Host) -> None:
    assert host.groups() == {}
    put(host.root / "proc/self", cgroup="garbage\n\n5:memory", mountinfo="also - cgroup\n")
    assert host.groups() == {}


# whose it is


def own(host: Host, ours: set[int] | None = None) -> bool:
    return owner(host.groups()["memory"], host.proc, TOP, ours or set()).own


def test_only_the_tasks_processes(host: Host) -> None:
    v2(host, "/task.scope")
    assert own(host)


def test_a_strangers_process_makes_it_shared(host: Host) -> None:
    here = v2(host, "/slurm/job_5")
    put(here / "below", cgroup__procs=f"{STRANGER}")
    assert not own(host)


def test_an_observer_beside_the_task_does_not_count(host: Host) -> None:
    v2(host, "/task.scope", cgroup__procs=f"{TOP}\n{STRANGER}")
    assert not own(host)
    assert own(host, {STRANGER})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/slurm/uid_0/job_5/step_batch", True),
        ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope", True),
        ("/docker/0123", True),
        ("/user.slice/user-0.slice/session-3.scope", False),
        ("/user.slice/user-0.slice/user@0.service/app.slice/terminal.scope", False),
    ],
)
def test_those_who_started_the_task(host: Host, path: str, expected: bool) -> None:
    v2(host, path, cgroup__procs=f"{SHELL}\n{TOP}\n{CHILD}")
    assert own(host) is expected


def test_the_hosts_own_group_is_nobodys(host: Host) -> None:
    put(host.mount("cgroup", "rw,memory", "/memory"), cgroup__procs=f"{TOP}", release_agent="")
    host.member_of("4:memory:/")
    assert not own(host)


def test_processes_of_another_pid_namespace_are_strangers(host: Host) -> None:
    v2(host, "/task.scope", cgroup__procs=f"{TOP}\n0")
    assert not own(host)


# what it says


def test_the_smallest_limit_on_the_way_up_v2(host: Host) -> None:
    here = v2(host, "/a/b/c", memory__max="3000", cpu__max="400000 100000", pids__max="100")
    put(here.parent, memory__max="2000", cpu__max="150000 100000", pids__max="max")
    put(here.parent.parent, memory__max="4000")
    found = host.groups()
    limit = figures.memory_limit(found["memory"])
    assert limit is not None
    assert (limit[0], limit[1].path) == (2000, "/a/b")
    cores = figures.cpu_limit(found["cpu"])
    assert cores is not None
    assert (cores[0], cores[1].path) == (1.5, "/a/b")
    assert figures.pids_limit(found["pids"]) == 100


def test_limits_v1(host: Host) -> None:
    memory = v1(host, "/job", memory__limit_in_bytes="9223372036854771712")
    put(memory, memory__stat="hierarchical_memory_limit 9223372036854771712")
    found = host.groups()
    assert figures.memory_limit(found["memory"]) is None
    assert figures.cpu_limit(found["cpu"]) is None
    put(memory, memory__stat="hierarchical_memory_limit 5000")  # of a group that can't be seen
    limit = figures.memory_limit(found["memory"])
    assert limit is not None
    assert limit[0] == 5000
    put(Path(found["cpu"].folder), cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert figures.cpu_limit(found["cpu"]) is None
    put(Path(found["cpu"].folder), cpu__cfs_quota_us="50000")
    cores = figures.cpu_limit(found["cpu"])
    assert cores is not None
    assert cores[0] == 0.5


def test_cpu_and_disk_of_a_group(host: Host) -> None:
    v2(
        host, "/a", cpu__stat="usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000",
        io__stat="8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2",
    )  # fmt: skip
    found = host.groups()
    assert figures.cpu_used(found["cpuacct"]) == (2.0, 1.0)
    assert figures.disk_bytes(found["blkio"]) == (11, 22)


def test_cpu_and_disk_of_a_group_v1(tmp_path: Path) -> None:
    put(tmp_path, cpuacct__usage="4000000000", cpuacct__stat="user 300\nsystem 100")
    group = Group(1, str(tmp_path), "")
    assert figures.cpu_used(group) == (3.0, 1.0)
    assert figures.disk_bytes(group) is None
    name = "blkio.throttle.io_service_bytes_recursive"
    (tmp_path / name).write_text("8:0 Read 0\n8:0 Write 0\nTotal 0\n")
    assert figures.disk_bytes(group) is None  # buffered writes are not seen: 0 is not known
    (tmp_path / name).write_text("8:0 Read 5\n8:0 Write 7\nTotal 12\n")
    assert figures.disk_bytes(group) == (5, 7)


def test_the_peak_is_the_tasks_only_if_next_to_nothing_else_is_in_it(tmp_path: Path) -> None:
    put(tmp_path, memory__current="10", memory__peak="10", memory__stat="file 0\nshmem 0")
    group = Group(2, str(tmp_path), "")
    memory = GroupMemory(group)
    put(tmp_path, memory__current="900", memory__peak="1000", memory__stat="file 500\nshmem 490")
    memory.look()
    assert memory.task_peak_bytes == 1000  # tmpfs is memory, page cache is not
    put(tmp_path, memory__stat="file 300\nshmem 0", memory__current="990")
    memory.look()
    assert memory.task_peak_bytes is None
    assert memory.best_bytes == 890  # 900 in use when 10 were cache


@pytest.mark.parametrize(("before", "earlier"), [(400, 400), (10, 1000)])
def test_a_peak_that_began_before_the_task_is_not_its_own(
    tmp_path: Path, before: int, earlier: int
) -> None:
    put(tmp_path, memory__current=before, memory__peak=earlier, memory__stat="file 0")
    memory = GroupMemory(Group(2, str(tmp_path), ""))
    put(tmp_path, memory__current="900", memory__peak="1000")
    memory.look()
    assert memory.task_peak_bytes is None


# the source


class Tree:
    def __init__(self) -> None:
        self.ended: list[Image] = []
        self.live: dict[int, Any] = {}


class Observer:
    """As much of the observer as the source needs."""

    def __init__(self) -> None:
        self.since = 0.0
        self.lines: list[dict[str, Any]] = []
        self.spool: Any = self
        self.tree: Any = Tree()
        self.memory = Memory(Proc())

    def add(self, line: dict[str, Any]) -> None:
        self.lines.append(line)

    def detail(self, kind: str) -> dict[str, Any]:
        (line,) = [line for line in self.lines if line["kind"] == kind]
        return dict(line["detail"])


def source(host: Host, evidence: Evidence | None = None) -> tuple[CgroupSource, Any]:
    observer: Any = Observer()
    evidence = evidence or Evidence()
    return (
        CgroupSource(
            host.proc, observer, evidence, TOP, TOP, set(), 0.0, system_root=str(host.root)
        ),
        observer,
    )


def died(number: int, comm: str, at: float, peak: int, signal: int | None = None) -> Image:
    image = Image(number, 1000 + number, TOP, 0.0)
    image.comm, image.ended, image.memory_peak_bytes, image.signal = comm, at, peak, signal
    return image


@pytest.mark.parametrize("version", [1, 2])
def test_a_kill_and_its_victim(host: Host, version: int) -> None:
    name = "memory__events" if version == 2 else "memory__oom_control"
    here = (v2 if version == 2 else v1)(host, "/task", **{name: "oom 0\noom_kill 3"})
    evidence = Evidence()
    cgroup, observer = source(host, evidence)
    cgroup.look(0.1)
    assert not evidence.oom_kills  # what was counted before is not the task's
    put(here, **{name: "oom 1\noom_kill 4"})
    cgroup.look(1.0)
    assert not evidence.oom_kills  # the victim still dies
    observer.tree.ended += [died(1, "small", 1.1, 5), died(2, "large", 1.1, 500)]
    observer.tree.ended += [died(3, "earlier", 0.01, 9000)]
    cgroup.look(1.2)
    assert not evidence.oom_kills  # a larger one may still show
    cgroup.look(1.4)
    assert observer.detail("oom")["comm"] == "large"
    assert [kill.victim.id for kill in evidence.oom_kills if kill.victim] == [2]


def test_a_kill_in_a_shared_group_needs_a_victim_of_ours(host: Host) -> None:
    here = v2(host, "/user.slice", cgroup__procs=f"{TOP}\n{STRANGER}")
    evidence = Evidence()
    cgroup, observer = source(host, evidence)
    put(here, memory__events="oom_kill 1")
    observer.tree.ended += [died(1, "ours", 0.2, 500)]
    cgroup.look(0.2)
    cgroup.look(0.6)
    cgroup.finish(0.3)
    assert not evidence.oom_kills
    assert not [line for line in observer.lines if line["kind"] == "oom"]


def test_a_kill_in_a_shared_group_with_a_victim_of_ours(host: Host) -> None:
    here = v2(host, "/user.slice", cgroup__procs=f"{TOP}\n{STRANGER}")
    evidence = Evidence()
    cgroup, observer = source(host, evidence)
    put(here, memory__events="oom_kill 1")
    observer.tree.ended += [died(1, "large", 0.2, 500), died(2, "shot", 0.2, 5, signal=9)]
    cgroup.look(0.2)
    assert observer.detail("oom")["comm"] == "shot"


def test_the_hosts_counter_where_no_group_has_one(host: Host) -> None:
    put(host.root / "proc", vmstat="nr_free_pages 7\noom_kill 5")
    evidence = Evidence()
    cgroup, observer = source(host, evidence)
    assert evidence.oom_counters == ["vmstat"]
    put(host.root / "proc", vmstat="nr_free_pages 7\noom_kill 6")
    observer.tree.ended += [died(1, "shot", 0.2, 5, signal=9)]
    cgroup.finish(0.3)
    assert len(evidence.oom_kills) == 1


def test_throttling_is_told_at_the_end(host: Host) -> None:
    stat = "nr_periods {}\nnr_throttled {}\nthrottled_usec {}"
    here = v2(host, "/task", cpu__max="50000 100000", cpu__stat=stat.format(10, 5, 1_000_000))
    cgroup, observer = source(host)
    put(here, cpu__stat=stat.format(30, 20, 3_500_000))
    cgroup.finish(5.0)
    told = observer.detail("throttled")
    assert (told["seconds"], told["throttled_periods"], told["periods"]) == (2.5, 15, 20)
    assert (told["cgroup"], told["own"]) == ("/task", True)
    assert observer.detail("limit")["cpus"] == 0.5


def test_pressure_of_the_tasks_own_group(host: Host) -> None:
    line = "some avg10=0.00 total={}\nfull avg10=0.00 total={}"
    here = v2(host, "/task", memory__pressure=line.format(1_000_000, 0))
    cgroup, observer = source(host)
    put(here, memory__pressure=line.format(3_000_000, 500_000))
    cgroup.finish(5.0)
    told = observer.detail("pressure")
    assert (told["memory_some_s"], told["memory_full_s"]) == (2.0, 0.5)


def test_the_exact_peak_replaces_the_trees(host: Host) -> None:
    put_memory = {"memory__current": "1000", "memory__peak": "1000", "memory__stat": "file 0"}
    here = v2(host, "/task", **put_memory)
    cgroup, observer = source(host)
    put(here, memory__peak="90000", memory__current="2000")
    cgroup.finish(5.0)
    assert cgroup.columns(5.0) == {"memory_peak_bytes": 90000, "memory_source": "cgroup"}
    observer.memory.peak_bytes = 200_000  # not sane: the tree was seen to hold more
    assert cgroup.columns(5.0) == {}


def test_who_joins_a_group_makes_its_peak_worthless(host: Host) -> None:
    here = v2(host, "/task", memory__current="10", memory__peak="10", memory__stat="file 0")
    cgroup, _ = source(host)
    put(here, memory__peak="90000", cgroup__procs=f"{TOP}\n{STRANGER}")
    cgroup.finish(5.0)
    assert cgroup.columns(5.0) == {}


def test_a_group_that_vanishes_is_no_failure(host: Host) -> None:
    here = v2(host, "/task", memory__current="10", memory__peak="10", memory__stat="file 0")
    cgroup, _ = source(host)
    subprocess.run(["rm", "-r", str(here)], check=True)
    cgroup.look(1.0)
    cgroup.finish(5.0)
    assert cgroup.columns(5.0) == {}


def test_this_hosts_groups_can_be_read() -> None:
    found = groups(Proc())
    if not found:
        pytest.skip("this host has no cgroups, or shows none")
    for group in found.values():
        assert os.getpid() in (group.pids(10**6) or [os.getpid()])
