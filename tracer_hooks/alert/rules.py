"""The table of alert rules (`rules.toml`), as objects, and what a user's settings change in it."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tracer_hooks.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = ("threshold", "clear", "for_s", "keep_firing_s", "window_s", "at_least", "severity")


_KINDS: dict[Any, type] = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True)
class Measure:
    """How the gauges that rules look at are measured; see the table."""

    progress_cores: float
    progress_bytes_per_s: float
    idle_share: float
    idle_window_s: float
    memory_window_s: float
    memory_horizon_s: float
    history_least: int
    history_most: int
    history_floor: float


@dataclass(frozen=True)
class Rule:
    """One rule; its fields are explained in the table. Times in seconds."""

    id: str
    alert: str
    severity: str
    value: Literal["gauge", "increase", "share"]
    metric: str
    promql: str
    by: tuple[str, ...]
    threshold: float
    clear: float
    for_s: float
    keep_firing_s: float
    format: Literal["duration", "ratio", "number", "bytes"]
    summary: str
    description: str
    why: str
    window_s: float = 0.0
    label: str | None = None
    of: tuple[str, ...] = ()
    at_least: int = 0
    enabled: bool = True

    def value_promql(self) -> str:
        """The value that is compared with the threshold, as a PromQL expression."""
        return self.promql.format(window=f"{self.window_s:g}s", at_least=self.at_least)


@dataclass(frozen=True)
class RuleTable:
    """All rules, and how what they look at is measured."""

    rules: tuple[Rule, ...]
    measure: Measure


def rule_table(settings: Mapping[str, Any] | None = None) -> RuleTable:
    """The rules, with a user's settings: `{"measure": {…}, "rules": {ID: {threshold: …}}}`.

    A rule's settings are its numbers, its severity, and `enabled`. Raises UsageError for what is
    no rule or no setting.
    """
    data = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    settings = settings or {}
    measure = _changed(Measure(**data["measure"]), settings.get("measure", {}), "measure")
    rules = {entry["id"]: _rule(entry) for entry in data["rule"]}
    for name, changes in settings.get("rules", {}).items():
        if name not in rules:
            raise UsageError(f"there is no alert rule {name!r}: choose {', '.join(rules)}")
        where = f"rules.{name}"
        changed = _changed(rules[name], changes, where, (*_SETTINGS, "enabled"))
        rules[name] = _with_clear(rules[name], changed, changes, where)
    return RuleTable(tuple(rule for rule in rules.values() if rule.enabled), measure)


def _rule(entry: dict[str, Any]) -> Rule:
    lists: dict[str, Any] = {name: tuple(entry[name]) for name in ("by", "of") if name in entry}
    return Rule(**(entry | lists))


def _with_clear(default: Rule, changed: Rule, changes: Mapping[str, Any], where: str) -> Rule:
    """An alert that is over only above what makes it fire would come and go at every look: `clear`
    stays in proportion to a threshold that is changed alone."""
    if "clear" in changes:
        if changed.clear > changed.threshold:
            raise UsageError(
                f"[{where}] clear = {changed.clear:g} is above the threshold,"
                f" {changed.threshold:g}: give one that is not"
            )
        return changed
    share = min(1.0, default.clear / default.threshold) if default.threshold else 1.0
    return dataclasses.replace(changed, clear=changed.threshold * share)


def _changed(default: Any, changes: Any, where: str, allowed: tuple[str, ...] = ()) -> Any:
    names = allowed or tuple(field.name for field in dataclasses.fields(default))
    if not isinstance(changes, dict):
        raise UsageError(f"[{where}] is to be a table")
    for name, value in changes.items():
        if name not in names:
            raise UsageError(f"[{where}] has no {name!r}: choose {', '.join(names)}")
        kind = next(_KINDS[f.type] for f in dataclasses.fields(default) if f.name == name)
        right = isinstance(value, kind) or (kind is float and type(value) is int)
        if kind is int and isinstance(value, bool):
            right = False
        if not right:
            raise UsageError(f"[{where}] {name} = {value!r} is of the wrong type")
        if kind in (int, float):
            # A deviation takes two values.
            least = 2 if name.startswith("history_") and kind is int else int(kind is int)
            if not least <= value < float("inf"):
                raise UsageError(f"[{where}] {name} = {value!r}: give a number from {least} on")
    return dataclasses.replace(default, **changes)
