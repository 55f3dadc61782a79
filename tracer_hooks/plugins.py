"""Every extension point: the hooks, and the plugins that implement them. See docs/plugins.md.

A plugin is a module or object whose functions are marked with `hookimpl`; a distribution names it
in the entry-point group `tracer_hooks`. Plugins are looked up in long-lived processes only (the
command line, an engine's own process), never at a task's start. What comes with the package is
registered through the same hooks. Another's broken plugin costs one line of warning on stderr and
nothing else.
"""

from __future__ import annotations

import functools
import re
import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

    from tracer_hooks.cli.command import Command
    from tracer_hooks.export.exporter import Exporter, RunsExporter
    from tracer_hooks.export.sender import Sender
    from tracer_hooks.prices.sheet import PriceSheet
    from tracer_hooks.report.renderer import Renderer
    from tracer_hooks.tools import ToolRules

PROJECT = "tracer_hooks"
BUILT_IN = (
    "tracer_hooks.report.builtin",
    "tracer_hooks.export.builtin",
    "tracer_hooks.tools.builtin",
    "tracer_hooks.redaction",
    "tracer_hooks.prices.builtin",
    "tracer_hooks.cli.builtin",
)

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The hooks. A plugin implements those that it needs, as functions of the same name."""

    @staticmethod
    @hookspec
    def tracer_hooks_report_renderers() -> dict[str, Renderer]:  # type: ignore[empty-body]
        """Formats for `tracer-hooks report --format NAME`, by name."""

    @staticmethod
    @hookspec
    def tracer_hooks_exporters() -> dict[str, Exporter | RunsExporter]:  # type: ignore[empty-body]
        """Formats for `tracer-hooks export NAME RUN`, by name."""

    @staticmethod
    @hookspec
    def tracer_hooks_senders() -> dict[str, Sender]:  # type: ignore[empty-body]
        """Servers for `tracer-hooks export NAME RUN --to URL`, by name."""

    @staticmethod
    @hookspec
    def tracer_hooks_tool_rules() -> ToolRules:  # type: ignore[empty-body]
        """Rules that say what people call a program; they win over those that come with us."""

    @staticmethod
    @hookspec
    def tracer_hooks_redaction_patterns() -> list[str]:  # type: ignore[empty-body]
        """Regular expressions; what they match in a command line is masked before it is stored."""

    @staticmethod
    @hookspec
    def tracer_hooks_price_sheets() -> dict[str, Callable[[], PriceSheet]]:  # type: ignore[empty-body]
        """Price sheets by name, as functions that read them; they win over the list prices."""

    @staticmethod
    @hookspec
    def tracer_hooks_cli_commands() -> list[Command]:  # type: ignore[empty-body]
        """Further subcommands of `tracer-hooks`."""


@functools.cache
def manager() -> pluggy.PluginManager:
    """The manager with everything registered: what is built in, then what is installed."""
    return create()


def create() -> pluggy.PluginManager:
    """A new manager; `manager` keeps one."""
    plugins = pluggy.PluginManager(PROJECT)
    plugins.add_hookspecs(Hooks)
    for module in BUILT_IN:
        plugins.register(import_module(module), name=module)
    for entry in sorted(entry_points(group=PROJECT), key=lambda entry: entry.name):
        _register(plugins, entry)
    return plugins


def _register(plugins: pluggy.PluginManager, entry: EntryPoint) -> None:
    try:
        plugins.register(entry.load(), name=entry.name)
    except Exception as error:  # another's code; whatever is wrong with it, ours goes on
        _warn(entry.name, error)


def renderers(plugins: pluggy.PluginManager | None = None) -> dict[str, Renderer]:
    """Every report format by name; an installed plugin's wins over a built-in one."""
    found: dict[str, Renderer] = {}
    for answer in _answers("tracer_hooks_report_renderers", _are_renderers, plugins):
        found.update(answer)
    return found


def exporters(plugins: pluggy.PluginManager | None = None) -> dict[str, Exporter | RunsExporter]:
    """Every export format by name; an installed plugin's wins over a built-in one."""
    found: dict[str, Exporter | RunsExporter] = {}
    for answer in _answers("tracer_hooks_exporters", _are_exporters, plugins):
        found.update(answer)
    return found


def senders(plugins: pluggy.PluginManager | None = None) -> dict[str, Sender]:
    """Every kind of server by name; an installed plugin's wins over a built-in one."""
    found: dict[str, Sender] = {}
    for answer in _answers("tracer_hooks_senders", _are_senders, plugins):
        found.update(answer)
    return found


def tool_rules(plugins: pluggy.PluginManager | None = None) -> ToolRules:
    """All rules for naming tools, those of installed plugins over the built-in ones."""
    from tracer_hooks.tools import ToolRules

    def are_rules(answer: Any) -> bool:
        return isinstance(answer, ToolRules)

    return ToolRules().extended(_answers("tracer_hooks_tool_rules", are_rules, plugins))


def redaction_patterns(plugins: pluggy.PluginManager | None = None) -> list[str]:
    """Further patterns for the redactor, each once."""
    answers = _answers("tracer_hooks_redaction_patterns", _are_patterns, plugins)
    return list(dict.fromkeys(pattern for answer in answers for pattern in answer))


def price_sheets(
    plugins: pluggy.PluginManager | None = None,
) -> dict[str, Callable[[], PriceSheet]]:
    """Every price sheet by name, unread; an installed plugin's wins over a built-in one."""
    found: dict[str, Callable[[], PriceSheet]] = {}
    for answer in _answers("tracer_hooks_price_sheets", _are_functions, plugins):
        found.update(answer)
    return found


def cli_commands(plugins: pluggy.PluginManager | None = None) -> dict[str, Command]:
    """Every subcommand by name, built-in ones first; a plugin can't take the name of one."""
    found: dict[str, Command] = {}
    for answer in _answers("tracer_hooks_cli_commands", _are_commands, plugins):
        for command in answer:
            found.setdefault(command.name, command)
    return found


def _answers(
    hook: str, right: Callable[[Any], bool], plugins: pluggy.PluginManager | None
) -> Iterator[Any]:
    """What each plugin answers, in the order of registration; wrong answers are left out."""
    for implementation in getattr((plugins or manager()).hook, hook).get_hookimpls():
        built_in = implementation.plugin_name in BUILT_IN
        try:
            answer = implementation.function()
            if not right(answer):
                raise TypeError(f"{hook} returned {_shown(answer)}")
        except Exception as error:
            if built_in:
                raise
            _warn(implementation.plugin_name, error)
        else:
            yield answer


def _are_renderers(answer: Any) -> bool:
    return isinstance(answer, dict) and all(
        isinstance(name, str) and callable(getattr(renderer, "render", None))
        for name, renderer in answer.items()
    )


def _are_functions(answer: Any) -> bool:
    return isinstance(answer, dict) and all(
        isinstance(name, str) and callable(function) for name, function in answer.items()
    )


def _are_exporters(answer: Any) -> bool:
    return isinstance(answer, dict) and all(
        isinstance(name, str)
        and callable(getattr(exporter, "export", getattr(exporter, "export_runs", None)))
        and isinstance(getattr(exporter, "summary", None), str)
        and isinstance(getattr(exporter, "suffix", None), str)
        for name, exporter in answer.items()
    )


def _are_senders(answer: Any) -> bool:
    return isinstance(answer, dict) and all(
        isinstance(name, str)
        and callable(getattr(sender, "connect", None))
        and isinstance(getattr(sender, "summary", None), str)
        and isinstance(getattr(sender, "target", None), str)
        for name, sender in answer.items()
    )


def _are_patterns(answer: Any) -> bool:
    return isinstance(answer, (list, tuple)) and all(re.compile(pattern) for pattern in answer)


def _are_commands(answer: Any) -> bool:
    return isinstance(answer, (list, tuple)) and all(
        isinstance(getattr(command, "name", None), str)
        and callable(getattr(command, "configure", None))
        and callable(getattr(command, "execute", None))
        for command in answer
    )


@functools.cache
def _warned() -> set[str]:
    return set()


def _warn(plugin: str, error: Exception) -> None:
    """One line for each plugin, however often it fails."""
    if plugin in _warned() or sys.stderr is None:
        return
    _warned().add(plugin)
    said = " ".join(f"{type(error).__name__}: {error}".split())
    sys.stderr.write(f"tracer-hooks: warning: plugin {plugin!r} is left out: {said}\n")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
