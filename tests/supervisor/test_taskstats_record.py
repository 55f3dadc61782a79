"""Exit records themselves: the socket that they come from, and their layout in every kernel."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.supervisor.taskstats_open import ExitMessages
from tracer_hooks.supervisor.taskstats_record import ExitRecord, find

# the socket


def ended(messages: ExitMessages, *names: str) -> dict[str, list[ExitRecord]]:
    found: dict[str, list[ExitRecord]] = {name: [] for name in names}
    for data in messages.take(100_000):
        place = find(data)
        record = ExitRecord(data, place, len(data) - place).load()
        if record.comm in found:
            found[record.comm].append(record)
    return found


def test_the_filter_drops_children_of_the_blocked_alone(
    tmp_path: Path, messages: ExitMessages
) -> None:
    for name in ("th-direct", "th-indirect"):
        shutil.copy("/bin/true", tmp_path / name)
    command = f"{tmp_path}/th-indirect; :"
    subprocess.run([str(tmp_path / "th-direct")], check=True)
    assert len(ended(messages, "th-direct")["th-direct"]) == 1
    blocked = [1, os.getpid(), *range(40_000_000, 40_000_058)]
    for parents, direct in ((blocked, 0), ([], 1), (blocked[:1], 1), (blocked[1:2], 0)):
        assert messages.block(parents)
        subprocess.run([str(tmp_path / "th-direct")], check=True)
        subprocess.run(["sh", "-c", command], check=True)
        found = ended(messages, "th-direct", "th-indirect")
        assert (len(found["th-direct"]), len(found["th-indirect"])) == (direct, 1)


def test_a_buffer_that_overflows_is_counted(messages: ExitMessages) -> None:
    messages._socket.setsockopt(1, 8, 4096)
    for _ in range(50):
        subprocess.run(["/bin/true"], check=True)
    taken = len(messages.take(1000))
    assert messages.lost >= 50 - taken > 0


def test_what_never_slept_was_on_a_cpu_when_it_did_not_wait_for_one(
    tmp_path: Path, messages: ExitMessages
) -> None:
    shutil.copy(os.path.realpath("/bin/sh"), tmp_path / "th-busy")
    pid = os.posix_spawn(tmp_path / "th-busy", ["th-busy", "-c", ":"], os.environ)
    _, _, usage = os.wait4(pid, 0)
    (record,) = ended(messages, "th-busy")["th-busy"]
    cpu_s = usage.ru_utime + usage.ru_stime
    if record.slept:
        pytest.skip("it had to wait for the disk")
    assert record.cpu_s == pytest.approx(cpu_s, rel=0.5)


# the record, as each version of the kernel writes it

_DELAYS = ("cpu", "blkio", "swapin")
_MIDDLE = [
    "etime", "utime", "stime", "minflt", "majflt", "coremem", "virtmem", "hiwater_rss",
    "hiwater_vm", "read_char", "write_char", "read_syscalls", "write_syscalls", "read_bytes",
    "write_bytes", "cancelled", "nvcsw", "nivcsw", "utimescaled", "stimescaled", "scaled",
]  # fmt: skip


def layout(version: int, value: dict[str, int]) -> bytes:
    """A record as <linux/taskstats.h> of that version lays it out."""
    extremes = (7, 3) if version == 15 else ()

    def delay(name: str) -> bytes:
        words = (1, value[name], *extremes)
        return struct.pack(f"{len(words)}Q", *words)

    out = struct.pack("H2xIBB6x", version, value["exitcode"], value["flag"], 0)
    out += b"".join(delay(name) for name in _DELAYS)
    out += struct.pack("2Q", 11, value["virtual"]) + b"a name".ljust(32, b"\0")
    out += struct.pack("8x5I4x", 0, 0, value["pid"], value["ppid"], 0)
    out += struct.pack(f"{len(_MIDDLE)}Q", *[value[name] for name in _MIDDLE])
    out += delay("freepages")
    if version >= 9:
        out += delay("thrashing")
    if version >= 10:
        out += struct.pack("Q", 1)
    if version >= 11:
        out += delay("compact")
    if version >= 12:
        out += struct.pack("I4x3Q", value["tgid"], value["tgetime"], value["dev"], value["inode"])
    if version >= 13:
        out += delay("wpcopy")
    if version >= 14:
        out += delay("irq")
    if version >= 16:
        out += struct.pack("16Q", *range(16))
    return out


_NAMES = [
    "exitcode", "flag", *_DELAYS, "virtual", "pid", "ppid", *_MIDDLE, "freepages", "thrashing",
    "compact", "tgid", "tgetime", "dev", "inode", "wpcopy", "irq",
]  # fmt: skip
_SMALL = {"exitcode", "pid", "ppid", "tgid"}


@given(
    version=st.integers(8, 16),
    seed=st.lists(st.integers(1, 2**31 - 1), min_size=len(_NAMES), max_size=len(_NAMES)),
    padded=st.booleans(),
)
def test_every_version_of_the_record(version: int, seed: list[int], padded: bool) -> None:
    value = dict(zip(_NAMES, seed, strict=True))
    value["flag"] %= 256
    body = layout(version, value)
    stats = struct.pack("HH", 4 + len(body), 3) + body
    pid = struct.pack("HHI", 8, 1, value["pid"])
    padding = struct.pack("HH", 4, 6) if padded else b""
    inner = pid + padding + stats
    aggregate = struct.pack("HH", 4 + len(inner), 4) + inner
    data = struct.pack("IHHII", 20 + len(aggregate), 31, 0, 0, 0) + b"\1\1\0\0" + aggregate
    place = find(data)
    assert data[place:] == body
    record = ExitRecord(data, place, len(data) - place).load()
    assert (record.version, record.status, record.flags) == (
        version, value["exitcode"], value["flag"],
    )  # fmt: skip
    assert (record.pid, record.ppid, record.comm) == (value["pid"], value["ppid"], "a name")
    assert record.high_water_bytes == value["hiwater_rss"] * 1024
    assert (record.io_read_chars, record.io_write_chars) == (
        value["read_char"], value["write_char"],
    )  # fmt: skip
    assert (record.disk_read_bytes, record.disk_write_bytes) == (
        value["read_bytes"], value["write_bytes"],
    )  # fmt: skip
    assert record.ran_s == value["virtual"] / 1e9
    assert record.lived_s == value["etime"] / 1e6
    assert record.slept == value["nvcsw"]
    delays = {
        "cpu": record.cpu_delay_s, "blkio": record.disk_delay_s, "swapin": record.swap_delay_s,
        "freepages": record.reclaim_delay_s,
        "thrashing": record.thrashing_delay_s if version >= 9 else None,
        "compact": record.compact_delay_s if version >= 11 else None,
        "wpcopy": record.wpcopy_delay_s if version >= 13 else None,
    }  # fmt: skip
    for name, seconds in delays.items():
        assert seconds is None or seconds == value[name] / 1e9, name
    assert record.tgid == (value["tgid"] if version >= 12 else None)
    assert record.exe == ((value["dev"], value["inode"]) if version >= 12 else None)
