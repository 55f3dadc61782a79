"""Which task `show` means by a word, and which attempt."""

from __future__ import annotations

from typing import Any

import pytest

from tracer_hooks.cli.show import choose, find
from tracer_hooks.errors import TracerError


def task(task_id: str, name: str | None = None, attempt: int = 1) -> dict[str, Any]:
    """A row of `tasks`, as far as the choice goes."""
    return {"task_id": task_id, "task_name": name, "attempt": attempt, "started_at": attempt}


TASKS = [
    task("align"), task("align-A", "align A"), task("align-B", attempt=2), task("align-B"),
    task("7", "sort x"), task("8", "sort y"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "task_id"),
    [("align", "align"), ("align-A", "align-A"), ("align A", "align-A"), ("7", "7"), ("x", "7"),
     ("-B", "align-B"), ("sort y", "8")],
)  # fmt: skip
def test_the_best_match_is_meant(word: str, task_id: str) -> None:
    assert {row["task_id"] for row in find(TASKS, word)} == {task_id}


def test_several_are_listed() -> None:
    with pytest.raises(TracerError, match=r"'sort' names 2 tasks: '7', '8'"):
        find(TASKS, "sort")
    many = [task(f"t{number:02}") for number in range(30)]
    with pytest.raises(TracerError, match=r"names 30 tasks: .*'t07' and 22 more$"):
        find(many, "t")


def test_none_is_said_with_what_comes_near() -> None:
    with pytest.raises(TracerError, match=r"no task 'algin-A' in this run; there are 'align-A'"):
        find(TASKS, "algin-A")
    with pytest.raises(TracerError, match="no tasks yet"):
        find([], "x")


def test_the_last_attempt_unless_told() -> None:
    attempts = find(TASKS, "align-B")
    assert [row["attempt"] for row in attempts] == [1, 2]
    assert choose(attempts, None)["attempt"] == 2
    assert choose(attempts, 1)["attempt"] == 1
    with pytest.raises(TracerError, match="no attempt 3; it has 1, 2"):
        choose(attempts, 3)
