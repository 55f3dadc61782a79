"""The parts that need no Airflow."""

from __future__ import annotations

import asyncio
import inspect
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tracer_hooks_airflow import pages, traced
from tracer_hooks_airflow.decorator import asked_of
from tracer_hooks_airflow.elsewhere import elsewhere
from tracer_hooks_airflow.identity import card_of, run_key, task_key
from tracer_hooks_airflow.outcomes import Outcome, of_state
from tracer_hooks_airflow.pages import run_path, task_path
from tracer_hooks_airflow.settings import Settings

from tracer_hooks.errors import UsageError


class AirflowException(Exception):  # noqa: N818 - Airflow's name
    pass


class AirflowTaskTimeout(BaseException):
    pass


class DockerOperator:
    pass


class OurDockerOperator(DockerOperator):
    pass


@pytest.mark.parametrize(
    ("state", "error", "outcome"),
    [
        ("success", None, Outcome("succeeded", state="success")),
        ("skipped", None, Outcome("succeeded", state="skipped")),
        ("deferred", None, Outcome("paused", state="deferred")),
        ("up_for_reschedule", None, Outcome("paused", state="up_for_reschedule")),
        ("running", None, None),
        (None, None, None),
        (
            "up_for_retry",
            AirflowException("Bash command failed. The command returned a non-zero exit code 3."),
            Outcome("failed", 3, state="up_for_retry", error="AirflowException"),
        ),
        (
            "failed",
            AirflowTaskTimeout(),
            Outcome("failed", cause="timeout", state="failed", error="AirflowTaskTimeout"),
        ),
        ("failed", SystemExit(4), Outcome("failed", 4, state="failed", error="SystemExit")),
        ("failed", "Task failed due to SystemExit(7)", Outcome("failed", 7, state="failed")),
        (
            "failed",
            ValueError("exit code 9"),  # not Airflow's word for a command's end
            Outcome("failed", state="failed", error="ValueError"),
        ),
        (
            "failed",
            KeyboardInterrupt(),
            Outcome("cancelled", cause="cancelled", state="failed", error="KeyboardInterrupt"),
        ),
    ],
)
def test_outcomes(state: str | None, error: object, outcome: Outcome | None) -> None:
    assert of_state(state, error) == outcome


@pytest.mark.parametrize(
    ("dags", "dag_id", "observed"),
    [
        ("", "a", False),
        ("*", "a", True),
        ("etl_*", "etl_daily", True),
        ("etl_*", "ml", False),
        ("* !test_*", "test_1", False),
        ("* !test_*", "etl", True),
        ("!test_*", "etl", False),
    ],
)
def test_which_dags_are_observed(dags: str, dag_id: str, observed: bool) -> None:
    assert Settings(Path("/s"), tuple(dags.split())).observes(dag_id) is observed


def test_who_a_task_instance_is() -> None:
    queued = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    ti: Any = SimpleNamespace(
        dag_id="etl", run_id="scheduled__2026-01-02", task_id="group.load", map_index=3,
        try_number=2, queued_dttm=queued, task=OurDockerOperator(), queue="big",
    )  # fmt: skip
    card = card_of(ti, {"cpus": 4.0, "tags": {"team": "blue"}})
    assert (card.run_id, card.task_id, card.attempt) == (
        "etl/scheduled__2026-01-02", "group.load[3]", 2,
    )  # fmt: skip
    assert (card.pipeline, card.step, card.engine) == ("etl", "group.load", "airflow")
    assert card.submitted_at == queued.timestamp()
    assert card.tags["elsewhere"] == "a Docker container"
    assert (card.tags["queue"], card.tags["team"]) == ("big", "blue")
    assert card.cpus_requested == 4.0


def test_keys() -> None:
    assert run_key("a", "r") != run_key("b", "r"), "DAGs on one schedule have runs of one name"
    assert (task_key("t", -1), task_key("t", None), task_key("t", 0)) == ("t", "t", "t[0]")
    assert elsewhere(object()) is None


def test_a_traced_function_is_itself() -> None:
    @traced(sample="x", memory="2G", time="1h")
    def function(one: int, *, two: str = "b") -> str:
        """What it does."""
        return f"{one}{two}"

    assert function(1, two="c") == "1c"
    assert function.__doc__ == "What it does."
    assert list(inspect.signature(function).parameters) == ["one", "two"]
    task = SimpleNamespace(python_callable=function)
    asked = asked_of(SimpleNamespace(task=task))
    assert asked == {"sample": "x", "memory": 2 * 2**30, "time": 3600.0}
    assert asked_of(SimpleNamespace(task=object())) == {}


def test_a_coroutine_function_stays_one() -> None:
    @traced
    async def function() -> int:
        return 5

    assert inspect.iscoroutinefunction(function)
    assert asyncio.run(function()) == 5


def test_what_makes_no_sense_is_said_where_the_dag_is_parsed() -> None:
    with pytest.raises(UsageError, match="memory"):
        traced(memory=-1)
    with pytest.raises(UsageError, match="no such argument: colour"):
        traced(colour="blue")  # type: ignore[call-overload]
    with pytest.raises(UsageError, match=r"\[tracer_hooks\] dags"):
        traced(object())  # type: ignore[type-var]
    by_source = SimpleNamespace(
        _airflow_is_task_decorator=True, function=len,
        operator_class=SimpleNamespace(custom_operator_name="@task.virtualenv"),
    )  # fmt: skip
    with pytest.raises(UsageError, match="virtualenv"):
        traced(by_source)  # type: ignore[type-var]


def test_paths_hold_any_name() -> None:
    assert run_path("a b", "m__2026-01-01T00:00:00+00:00") == (
        "/tracer-hooks/run?dag_id=a%20b&run_id=m__2026-01-01T00%3A00%3A00%2B00%3A00"
    )
    assert task_path("d", "r", "t", -1, 2).endswith("task_id=t&map_index=-1&try_number=2")


@pytest.mark.parametrize("name", ["--output={}", "--store={}", "-h"])
def test_a_name_that_a_page_is_asked_for_is_no_option(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "written"
    where = SimpleNamespace(store=tmp_path / "store")
    monkeypatch.setattr("tracer_hooks_airflow.settings.settings", lambda: where)
    asked = {"dag_id": name.format(target), "run_id": "", "task_id": name.format(target)}
    seen: list[list[str]] = []

    def keep(command: list[str], **_: Any) -> SimpleNamespace:
        seen.append(command)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(pages.subprocess, "run", keep)
    pages.run_page(asked)
    pages.task_page(asked | {"map_index": "²", "try_number": "²"})
    for command in seen:
        options, names = command[: command.index("--")], command[command.index("--") + 1 :]
        assert not [word for word in options if str(target) in word]
        assert "²" not in options
        assert names
        assert names[0].startswith(asked["dag_id"])
    assert len(seen) == 2
