"""The small parts, each by itself."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_hooks.supervisor import identifiers, jsonl
from tracer_hooks.supervisor.evidence import Received
from tracer_hooks.supervisor.options import Options, parse
from tracer_hooks.supervisor.outcome import outcome
from tracer_hooks.supervisor.process import Image, Process
from tracer_hooks.supervisor.procfs import Proc, Stat
from tracer_hooks.supervisor.redact import MASK, redact_argv
from tracer_hooks.supervisor.waits import DISK, IDLE, NETWORK, RUN, WallSplit

NAMES = (
    st.text()
    | st.text(alphabet="/.\\\"'\n\0~%🧬é", max_size=20)
    | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)


@given(NAMES, st.integers(30, 200))
def test_escaped_names_are_safe_and_come_back(text: str, limit: int) -> None:
    name = identifiers.escape(text, limit)
    assert 0 < len(name) <= limit
    assert not name.startswith(".")
    assert set(name) <= set(map(chr, identifiers._SAFE)) | set("%~")
    if "~" not in name:
        assert identifiers.unescape(name) == text
    assert identifiers.escape(identifiers.unescape(name), limit) == name or "~" in name


@given(NAMES, NAMES)
def test_two_names_stay_two(one: str, other: str) -> None:
    assert (identifiers.escape(one, 40) == identifiers.escape(other, 40)) == (one == other)


@given(NAMES)
def test_a_run_id_is_what_its_folder_says(text: str) -> None:
    canonical = identifiers.canonical_run_id(text)
    folder = identifiers.escape(text, identifiers.MAX_RUN_ID)
    assert identifiers.unescape(folder) == canonical


def test_long_and_hostile_names() -> None:
    for text in ("x" * 5000, "../" * 900, "🧬" * 2000, "a" * 5000 + "b"):
        assert len(identifiers.escape(text)) <= identifiers.MAX_TASK_ID
    assert identifiers.escape("a" * 5000) != identifiers.escape("a" * 5000 + "b")
    assert identifiers.escape("..") == "%2E."
    assert identifiers.escape("@run") == "%40run"  # the names of ours begin with @


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | NAMES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_encoder_writes_what_json_reads(value: object) -> None:
    text = jsonl.encode(value)
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_unknown(value: float) -> None:
    assert jsonl.encode(value) == "null"


SECONDS = st.floats(0, 1e5, allow_nan=False)


@given(
    st.lists(
        st.tuples(
            SECONDS,
            SECONDS,
            SECONDS,
            st.lists(st.tuples(st.sets(st.sampled_from([RUN, DISK, NETWORK, IDLE, ""])), SECONDS)),
        )
    )
)
def test_parts_of_the_wall_time_sum_to_it(
    intervals: list[tuple[float, float, float, list[tuple[set[str], float]]]],
) -> None:
    split = WallSplit()
    total = 0.0
    for wall_s, cpu_s, runnable_s, looks in intervals:
        for kinds, gap_s in looks:
            split.saw(kinds, gap_s)
        split.add(wall_s, cpu_s, runnable_s)
        total += wall_s
    for known in (True, False):
        columns = split.columns(total, known)
        assert (columns["wall_network_s"] is None) == (not known)
        values = [value or 0.0 for value in columns.values()]
        assert all(value >= 0 for value in values)
        assert sum(values) == pytest.approx(total, abs=1e-6, rel=1e-9)


def test_sleeper_does_not_hide_who_waits_for_the_disk() -> None:
    split = WallSplit()
    split.saw({IDLE, DISK}, 1.0)
    split.saw({IDLE, RUN}, 1.0)
    split.add(2.0, 1.0, 0.0)
    assert (split.cpu_s, split.disk_s, split.idle_s) == (1.0, 1.0, 0.0)


def test_four_busy_processes_on_two_processors() -> None:
    split = WallSplit()
    split.add(10.0, 20.0, 20.0)
    assert (split.cpu_s, split.runnable_s) == (5.0, 5.0)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["tool", "--password=hunter2"], ["tool", f"--password={MASK}"]),
        (["tool", "--password", "hunter2", "x"], ["tool", "--password", MASK, "x"]),
        (["tool", "--api-key", "abc"], ["tool", "--api-key", MASK]),
        (["psql", "postgres://me:s3cret@host/db"], ["psql", f"postgres://me:{MASK}@host/db"]),
        (["env", "PGPASSWORD=x", "psql"], ["env", f"PGPASSWORD={MASK}", "psql"]),
        (["curl", "-H", "Authorization: Bearer abcdef123456"], None),
        (["sh", "-c", "sql --password=hunter2 -e 'x'"],
         ["sh", "-c", f"sql --password={MASK} -e 'x'"]),
        (["aws", "AKIAIOSFODNN7EXAMPLE"], ["aws", MASK]),
        (["git", "clone", "https://oauth2:ghp_abcdefghijklmnop@github.com/a/b"], None),
        (["curl", "-u", "admin:hunter2", "x"], ["curl", "-u", f"admin:{MASK}", "x"]),
        (["/usr/bin/curl", "-sSu", "admin:hunter2"], ["/usr/bin/curl", "-sSu", f"admin:{MASK}"]),
        (["curl", "-uadmin:hunter2"], ["curl", f"-uadmin:{MASK}"]),
        (["curl", "--user=admin:hunter2"], ["curl", f"--user=admin:{MASK}"]),
        (["sh", "-c", "cd x; curl -s -u admin:hunter2 y"],
         ["sh", "-c", f"cd x; curl -s -u admin:{MASK} y"]),
        (["docker", "run", "-u", "1000:1000"], ["docker", "run", "-u", "1000:1000"]),
        (["sshpass", "-p", "hunter 2", "ssh", "-p", "22", "h"],
         ["sshpass", "-p", MASK, "ssh", "-p", "22", "h"]),
        (["sshpass", "-phunter2", "ssh", "h"], ["sshpass", f"-p{MASK}", "ssh", "h"]),
        (["sh", "-c", "sshpass -p 'hunter2' ssh -p 22 h"],
         ["sh", "-c", f"sshpass -p '{MASK}' ssh -p 22 h"]),
        (["mysql", "-phunter2", "-h", "db"], ["mysql", f"-p{MASK}", "-h", "db"]),
        (["sh", "-c", "mysql -h db -phunter2 <x"], ["sh", "-c", f"mysql -h db -p{MASK} <x"]),
        (["redis-cli", "-a", "hunter2"], ["redis-cli", "-a", MASK]),
        (["psql", "postgres://u:p/ss@h/db"], ["psql", f"postgres://u:{MASK}@h/db"]),
        (["psql", "postgres://u:p@ss@h/db"], ["psql", f"postgres://u:{MASK}@h/db"]),
        (["wget", "http://h:8080/a@2x.png"], ["wget", "http://h:8080/a@2x.png"]),
        (["tool", "--password", "-abc"], ["tool", "--password", MASK]),
        (["sh", "-c", "tool --password -abc"], ["sh", "-c", f"tool --password {MASK}"]),
        (["tool", "--password", "--host", "h"], ["tool", "--password", "--host", "h"]),
        (["sh", "-c", "tool --password --host h"], ["sh", "-c", "tool --password --host h"]),
        (["git", "clone", "https://" + "0123456789abcdef" * 2 + "01234567@github.com/x"],
         ["git", "clone", f"https://{MASK}@github.com/x"]),
        (["git", "clone", "https://" + "0123456789" * 4 + ":x-oauth-basic@github.com/x"],
         ["git", "clone", f"https://{MASK}:{MASK}@github.com/x"]),
        (["git", "clone", "https://me@github.com/x"], ["git", "clone", "https://me@github.com/x"]),
        (["sort", "-k", "2", "--key=3", "keys.txt"], ["sort", "-k", "2", "--key=3", "keys.txt"]),
        (["bwa", "mem", "ref.fa", "pass_reads.fq"], ["bwa", "mem", "ref.fa", "pass_reads.fq"]),
        (["tool", "--author", "Me"], ["tool", "--author", "Me"]),
    ],
)  # fmt: skip
def test_secrets_are_masked_and_the_rest_is_not(
    argv: list[str], expected: list[str] | None
) -> None:
    masked = redact_argv(argv)
    if expected is not None:
        assert masked == expected
    else:
        joined = " ".join(masked)
        assert MASK in joined
        for secret in ("abcdef123456", "ghp_abcdefghijklmnop"):
            assert secret not in joined


def test_users_own_patterns(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["run", "patient-0042", "x"]
    assert redact_argv(argv, [r"patient-\d+"]) == ["run", MASK, "x"]
    assert redact_argv(argv, [r"patient-\d+", "(broken"]) == ["run", MASK, MASK]
    assert capsys.readouterr().err == ""


@given(st.lists(NAMES, max_size=6))
def test_redaction_never_fails(argv: list[str]) -> None:
    assert len(redact_argv(argv)) == len(argv)


@pytest.mark.parametrize(
    ("status", "received", "expected"),
    [
        (0, [15], ("succeeded", 0, None, None)),
        (1 << 8, [], ("failed", 1, None, "exit_code")),
        (137 << 8, [], ("failed", 137, None, "exit_code")),
        (9, [], ("failed", None, 9, "signal")),
        (15, [15], ("cancelled", None, 15, "cancelled")),
        (3 << 8, [2], ("cancelled", 3, None, "cancelled")),
        (1 << 8, [10], ("failed", 1, None, "exit_code")),
        (-1, [], ("failed", None, None, "unknown")),
    ],
)
def test_how_it_ended(status: int, received: list[int], expected: tuple[object, ...]) -> None:
    ended = outcome(status, [Received(number, 1, 0, "sender", 0.0) for number in received])
    assert (
        ended["status"],
        ended["exit_code"],
        ended["signal"],
        ended["failure_cause"],
    ) == expected


@pytest.mark.parametrize(
    ("status", "number", "ignored", "ago_s", "expected"),
    [
        (1 << 8, 1, True, 3.0, "failed"),
        (1 << 8, 1, False, 3.0, "cancelled"),
        (1 << 8, 1, False, 4 * 3600.0, "failed"),  # it handled the signal and went on for hours
        (129 << 8, 1, False, 4 * 3600.0, "cancelled"),
        (15, 15, False, 4 * 3600.0, "cancelled"),
        (15, 1, False, 4 * 3600.0, "failed"),
    ],
)
def test_a_signal_counts_if_it_can_have_ended_the_task(
    status: int, number: int, ignored: bool, ago_s: float, expected: str
) -> None:
    ended_at = 5 * 3600.0
    sent = Received(number, 1, 0, "sender", ended_at - ago_s, ignored)
    assert outcome(status, [sent], ended_at)["status"] == expected


def test_readers_on_a_proc_of_files(tmp_path: Path) -> None:
    proc = Proc(str(tmp_path))
    assert proc.stat(1) is None
    assert proc.io("1") is None
    assert proc.proportional_bytes(1) is None
    assert proc.children(1, 1) is None
    assert proc.command_line(1) == []
    folder = tmp_path / "7"
    (folder / "task" / "7").mkdir(parents=True)
    fields = (
        ["S", "1"] + ["0"] * 7 + ["3", "4", "250", "50", "100", "0"] + ["0"] * 2 + ["5", "0", "999"]
    )
    (folder / "stat").write_text("7 (odd ) name) " + " ".join(fields + ["0"] * 30))
    stat = proc.stat(7)
    assert stat is not None
    assert stat.comm == b"odd ) name"
    assert (stat.ppid, stat.threads, stat.start_ticks, stat.major_faults) == (1, 5, 999, 3)
    assert stat.cpu_s == pytest.approx(3.0)
    assert stat.reaped_s == pytest.approx(1.0)
    (folder / "status").write_text("Name:\tx\nVmHWM:\t  2048 kB\n")
    assert proc.high_water_bytes(7) == 2048 * 1024
    (folder / "smaps_rollup").write_text("00-ff ---p\nRss:  9 kB\nPss:   5 kB\nPss_Dirty: 1 kB\n")
    assert proc.proportional_bytes(7) == 5 * 1024
    (folder / "task" / "7" / "children").write_text("8 9 ")
    assert proc.children(7, 7) == [8, 9]
    (folder / "cmdline").write_bytes(b"a\0\xff b\0\0")
    assert proc.command_line(7) == ["a", "\udcff b", ""]
    for name in ("stat", "status", "smaps_rollup", "io", "statm"):
        (folder / name).write_text("garbage")
    assert proc.stat(7) is None
    assert proc.high_water_bytes(7) is None
    assert proc.io("7") is None
    assert proc.resident_bytes(7) is None


def test_options_are_exact() -> None:
    options = parse(
        [
            "run",
            "--store",
            "s",
            "--interval",
            "0.5",
            "--output",
            "a",
            "--output",
            "b",
            "--",
            "x",
            "--",
            "y",
        ]
    )
    assert (options.store, options.interval_s, options.outputs) == ("s", 0.5, ["a", "b"])
    assert options.command == ["x", "--", "y"]
    for wrong in ([], ["walk"], ["run"], ["run", "--store"], ["run", "--nope", "1", "--", "x"]):
        with pytest.raises(ValueError, match=r"."):
            parse(wrong)


@pytest.mark.parametrize("odd", ["0", "-1.0", "nan"])
def test_an_interval_that_is_none_keeps_no_command_from_running(odd: str) -> None:
    options = parse(["run", "--interval", odd, "--", "true"])
    assert options.interval_s == Options().interval_s
    assert options.command == ["true"]


def test_a_worker_that_is_met_as_it_exits_is_a_worker(tmp_path: Path) -> None:
    # its memory is gone, and with it argv, exe and the address of its stack; it is no zombie yet
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "cmdline").write_bytes(b"")
    fields = ["R", "7", *["0"] * 60]
    parent = Process(
        7, Stat(_stat(7, "python3", [*fields[:25], "4096", *fields[26:]])), Image(1, 7, 1, 0.0)
    )
    parent.image.comm, parent.image.argv = "python3", ["python3", "x.py"]
    for comm, forked in (("python3", True), ("sort", False)):
        image = Image(2, 8, 7, 1.0)
        image.identify(Proc(str(tmp_path)), Stat(_stat(8, comm, fields)), parent)
        assert (image.comm, image.forked, image.parent_id) == (comm, forked, 1)


def _stat(pid: int, comm: str, fields: list[str]) -> bytes:
    return f"{pid} ({comm}) {' '.join(fields)}".encode()
