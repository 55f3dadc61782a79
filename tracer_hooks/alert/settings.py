"""The file that says who is told, and what is changed in the rules (docs/beside-grafana.md)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracer_hooks.alert.rules import RuleTable, rule_table
from tracer_hooks.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_KEYS = ("url", "notify", "budgets", "measure", "rules", "silence")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Silence:
    """What nobody is told of: the alerts whose name and labels are these, until then."""

    match: Mapping[str, str]
    until: dt.datetime | None

    def holds(self, labels: Mapping[str, str], now: float) -> bool:
        """`labels`: those of an alert, with its name under `alert`."""
        if self.until is not None and now >= self.until.timestamp():
            return False
        return all(labels.get(name) == value for name, value in self.match.items())


@dataclass(frozen=True)
class Settings:
    """`url`: where people reach `serve`; `notify`: addresses as Apprise writes them; `budgets`: an
    amount for a run of each pipeline, `*` for all others."""

    url: str = ""
    notify: tuple[str, ...] = ()
    budgets: Mapping[str, float] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    table: RuleTable = field(default_factory=rule_table)


def read_settings(path: Path) -> Settings:
    """The file's settings. Raises UsageError for what is wrong in it, OSError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return settings_of(data)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


class SettingsFile:
    """The file, read again when it changed: a silence needs no restart, who is told and the rules
    do."""

    def __init__(self, path: Path | None, warn: Callable[[str], None]) -> None:
        """Without a path, the settings that everybody has. Raises UsageError, OSError."""
        self._path, self._warn = path, warn
        self._changed_ns = 0 if path is None else path.stat().st_mtime_ns
        self.now = Settings() if path is None else read_settings(path)

    def changed(self) -> Settings | None:
        """The settings, if they changed since the last call and are right."""
        if self._path is None:
            return None
        try:
            changed_ns = self._path.stat().st_mtime_ns
            if changed_ns == self._changed_ns:
                return None
            self._changed_ns = changed_ns
            read = read_settings(self._path)
        except (OSError, UsageError) as error:
            self._warn(f"the settings of before stay: {error}")
            return None
        self.now = dataclasses.replace(self.now, silences=read.silences)
        return self.now


def settings_of(data: Mapping[str, Any]) -> Settings:
    """The settings that such a table holds. Raises UsageError."""
    for key in data:
        if key not in _KEYS:
            raise UsageError(f"there is no setting {key!r}: choose {', '.join(_KEYS)}")
    notify = data.get("notify", [])
    if not isinstance(notify, list) or not all(isinstance(entry, str) for entry in notify):
        raise UsageError("notify is to be a list of addresses")
    budgets = data.get("budgets", {})
    if not isinstance(budgets, dict) or not all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0 for v in budgets.values()
    ):
        raise UsageError("[budgets] is to have an amount above 0 for each pipeline")
    silences = data.get("silence", [])
    if not isinstance(silences, list):
        raise UsageError("silences are written [[silence]]")
    return Settings(
        url=str(data.get("url", "")).rstrip("/"),
        notify=tuple(_filled(entry) for entry in notify),
        budgets={name: float(amount) for name, amount in budgets.items()},
        silences=tuple(_silence(entry) for entry in silences),
        table=rule_table(data),
    )


def _silence(entry: Any) -> Silence:
    if not isinstance(entry, dict):
        raise UsageError("silences are written [[silence]]")
    match = {k: v for k, v in entry.items() if k not in ("until", "comment")}
    if not match or not all(isinstance(value, str) for value in match.values()):
        raise UsageError("a [[silence]] names an alert, or labels, as texts")
    until = entry.get("until")
    if until is not None and not isinstance(until, dt.datetime):
        raise UsageError("until is a time such as 2026-01-31T18:00:00Z")
    return Silence(match, until)


def _filled(text: str) -> str:
    """An address with `${NAME}` replaced by the variable: secrets need not stand in the file."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise UsageError(f"the variable {found[1]} of notify is not set")
        return os.environ[found[1]]

    return _VARIABLE.sub(value, text)
