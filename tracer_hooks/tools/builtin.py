"""The naming rules that come with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer_hooks.plugins import hookimpl

if TYPE_CHECKING:
    from tracer_hooks.tools.rules import ToolRules


@hookimpl
def tracer_hooks_tool_rules() -> ToolRules:
    """The rules of rules.toml."""
    from tracer_hooks.tools.rules import default_rules

    return default_rules()
