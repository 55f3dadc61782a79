"""Rules for naming tools: read from TOML, checked, looked up by a program's name."""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer_hooks.errors import TracerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BUILT_IN = Path(__file__).parent / "rules.toml"
_VERSION = re.compile(r"[-_]?v?\d+(\.\d+)+([-_.][A-Za-z0-9]+)?$")
_NUMBER = re.compile(r"[-.]?\d+$")

KINDS = ("subcommand", "interpreter", "java", "multicall", "loader", "plain")


@dataclass(frozen=True)
class Rule:
    """How the programs called `names` are named; rules.toml says what each key means."""

    names: tuple[str, ...]
    kind: str
    name: str | None = None
    depth: int = 1
    subcommands: frozenset[str] = frozenset()
    value_options: frozenset[str] = frozenset()
    attached_options: frozenset[str] = frozenset()
    code_options: frozenset[str] = frozenset()
    module_options: frozenset[str] = frozenset()
    script_options: frozenset[str] = frozenset()
    code_name: str | None = None
    script_as: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class ToolRules:
    """All rules, ready for lookups."""

    programs: Mapping[str, Rule] = field(default_factory=dict)
    jars: Mapping[str, Rule] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    script_prefixes: tuple[re.Pattern[str], ...] = ()

    def program(self, name: str) -> Rule | None:
        """The rule for a program: by its name, else by its name without a version."""
        found = self.programs.get(name)
        if found is None:
            found = self.programs.get(_VERSION.sub("", name))
        if found is None:
            found = self.programs.get(_NUMBER.sub("", name))
            # `bowtie2` is not the second version of a `bowtie` with other subcommands.
            if found is not None and found.kind not in ("interpreter", "java"):
                return None
        return found

    def jar(self, name: str) -> Rule | None:
        """The rule for a jar: by its name, else without a version and what follows it."""
        stem = name.removesuffix(".jar").lower()
        found = self.jars.get(stem) or self.jars.get(_VERSION.sub("", stem))
        if found is not None:
            return found
        return next((rule for key, rule in self.jars.items() if stem.startswith(key + "-")), None)

    def extended(self, others: Iterable[ToolRules]) -> ToolRules:
        """These rules and others; a later rule for the same name wins."""
        programs, jars, classes = dict(self.programs), dict(self.jars), dict(self.classes)
        prefixes = self.script_prefixes
        for other in others:
            programs.update(other.programs)
            jars.update(other.jars)
            classes.update(other.classes)
            prefixes += other.script_prefixes
        return ToolRules(programs, jars, classes, prefixes)


@functools.cache
def default_rules() -> ToolRules:
    """The rules that come with the package."""
    return load_rules(_BUILT_IN)


def load_rules(path: Path) -> ToolRules:
    """Rules from a TOML file. Raises TracerError if it can't be read or a rule is wrong."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TracerError(f"cannot read tool rules {path}: {error}") from error
    return parse_rules(data, str(path))


def parse_rules(data: Mapping[str, Any], source: str = "tool rules") -> ToolRules:
    """Rules from what a TOML file holds, e.g. `{"tool": [{"names": ["x"], "kind": "subcommand"}]}`.

    Raises TracerError that names `source` and the rule that is wrong.
    """
    unknown = set(data) - {"tool", "jar", "class", "script_prefix"}
    if unknown:
        raise TracerError(f"{source}: unknown table {', '.join(sorted(unknown))}")
    programs = _by_name(data.get("tool", []), source)
    jars = {name.lower(): rule for name, rule in _by_name(data.get("jar", []), source).items()}
    try:
        prefixes = tuple(re.compile(text) for text in data.get("script_prefix", []))
        classes = {str(key): str(value) for key, value in dict(data.get("class", {})).items()}
    except (re.error, TypeError, ValueError) as error:
        raise TracerError(f"{source}: {error}") from error
    return ToolRules(programs, jars, classes, prefixes)


def _by_name(entries: Any, source: str) -> dict[str, Rule]:
    if not isinstance(entries, list):
        raise TracerError(f"{source}: rules are written as [[tool]] and [[jar]]")
    rules: dict[str, Rule] = {}
    for entry in entries:
        rule = _rule(entry, source)
        rules.update(dict.fromkeys(rule.names, rule))
    return rules


def _rule(entry: Any, source: str) -> Rule:
    if not isinstance(entry, dict) or not _texts(entry.get("names")):
        raise TracerError(f'{source}: a rule needs names = ["…"]: {entry!r:.200}')
    fields = Rule.__dataclass_fields__
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in fields:
            raise TracerError(f"{source}: rule for {entry['names'][0]}: unknown key {key}")
        kind = str(fields[key].type)
        right = (
            _texts(value) if kind.startswith(("frozenset", "tuple"))
            else isinstance(value, int) and value > 0 if kind == "int"
            else isinstance(value, str)
        )  # fmt: skip
        if not right:
            raise TracerError(f"{source}: rule for {entry['names'][0]}: wrong value for {key}")
        if kind.startswith("frozenset"):
            value = frozenset(value)
        values[key] = tuple(value) if kind.startswith("tuple") else value
    values.setdefault("kind", "subcommand")
    if values["kind"] not in KINDS:
        raise TracerError(
            f"{source}: rule for {entry['names'][0]}: kind is one of {', '.join(KINDS)}"
        )
    return Rule(**values)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
