"""Task cards for callers in Python: the words and defaults of `tracer-hooks run`."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from tracer_hooks.adapter import TaskCard
from tracer_hooks.errors import UsageError
from tracer_hooks.quantities import parse_duration, parse_number, parse_size
from tracer_hooks.supervisor import identifiers

if TYPE_CHECKING:
    from collections.abc import Mapping


class CardOptions(TypedDict, total=False):
    """Keyword arguments of `run` and `trace` that say who a task is and what it asked for.

    What is not given stays unknown. `memory` is bytes or text (`"4G"`), `time` seconds, text
    (`"1h30m"`) or a timedelta.
    """

    run: str | None
    pipeline: str | None
    step: str | None
    task: str | None
    attempt: int | None
    sample: str | None
    tags: Mapping[str, str] | None
    cpus: float | None
    memory: int | str | None
    time: float | str | timedelta | None


_session: str | None = None


def session_run_id() -> str:
    """The run that this Python process's tasks belong to when none is named.

    Made at the first call and kept, also by forked children: what one script does is one run.
    """
    global _session
    if _session is None:
        _session = identifiers.new_run_id()
    return _session


def make_card(engine: str, default_step: str, options: CardOptions) -> TaskCard:
    """A card from keyword arguments. Raises UsageError for a value that makes no sense."""
    unknown = set(options) - set(CardOptions.__annotations__)
    if unknown:
        raise UsageError(f"no such argument: {', '.join(sorted(unknown))}")
    for name in ("run", "pipeline", "step", "task", "sample"):
        value = options.get(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise UsageError(f"{name}={value!r}: give it some text, or leave it out")
    attempt = options.get("attempt")
    if attempt is not None and (not isinstance(attempt, int) or not 0 < attempt < 2**31):
        raise UsageError(f"attempt={attempt!r}: attempts count 1, 2, 3")
    step = options.get("step") or default_step
    sample = options.get("sample")
    name = f"{step}-{sample}" if sample else step
    task = options.get("task")
    # In a run of many tasks each needs an id of its own; attempts at one task share theirs.
    made = name if attempt is not None else f"{name}-{os.urandom(3).hex()}"
    return TaskCard(
        run_id=options.get("run") or session_run_id(),
        task_id=task or made,
        task_name=None if task else name,
        attempt=attempt or 1,
        engine=engine,
        pipeline=options.get("pipeline"),
        step=step,
        sample=sample,
        tags={str(k): str(v) for k, v in (options.get("tags") or {}).items()},
        cpus_requested=_number("cpus", options.get("cpus")),
        memory_requested_bytes=_bytes(options.get("memory")),
        time_requested_s=_seconds(options.get("time")),
    )


def secrets() -> list[str]:
    """The patterns to mask in command lines: the user's and those of plugins.

    Raises UsageError for one that is no regular expression: nothing may be recorded unmasked.
    """
    from tracer_hooks.plugins import redaction_patterns

    try:
        return redaction_patterns()
    except re.error as error:
        raise UsageError(f"TRACER_HOOKS_REDACT: not a regular expression: {error}") from None


def _number(name: str, value: float | None) -> float | None:
    try:
        return None if value is None else parse_number(str(value))
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def _bytes(value: int | str | None) -> int | None:
    if isinstance(value, str):
        return parse_size(value)
    number = _number("memory", value)
    return None if number is None else int(number)


def _seconds(value: float | str | timedelta | None) -> float | None:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return _number("time", value)
