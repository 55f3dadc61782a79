"""What the owner of a monitor says at the end."""

from __future__ import annotations

import pytest

from tracer_hooks.supervisor.told import Told


@pytest.mark.parametrize(
    ("message", "status", "exit_code", "cause"),
    [
        ("end succeeded -", "succeeded", None, None),
        ("end failed 4", "failed", 4, "exit_code"),
        ("end failed -", "failed", None, "unknown"),
        ("end failed - cause=timeout error=AirflowTaskTimeout", "failed", None, "timeout"),
        ("end cancelled -", "cancelled", None, "cancelled"),
        ("end paused - state=deferred", "paused", None, None),
        ("end", "succeeded", None, None),
        ("end nonsense nonsense cause=nonsense", "succeeded", None, None),
        ("end failed 1 cause=nonsense", "failed", 1, "exit_code"),
        ("end succeeded - cause=timeout", "succeeded", None, None),
    ],
)
def test_outcomes(message: str, status: str, exit_code: int | None, cause: str | None) -> None:
    assert Told(message).outcome == {
        "status": status, "exit_code": exit_code, "signal": None, "failure_cause": cause,
    }  # fmt: skip


def test_disk_bytes_are_taken_both_or_not_at_all() -> None:
    assert Told("end failed 1 disk_read_bytes=512 disk_write_bytes=1024").disk == (512, 1024)
    assert Told("end failed 1 disk_read_bytes=512").disk is None
    assert Told("end failed 1 disk_read_bytes=512 disk_write_bytes=-3").disk is None


def test_only_what_the_status_does_not_say_is_noted() -> None:
    assert Told("end succeeded - state=success").detail == {}
    assert Told("end succeeded - state=skipped").detail == {"state": "skipped"}
    assert Told("end failed - state=failed error=ValueError").detail == {"error": "ValueError"}
