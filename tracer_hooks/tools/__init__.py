"""Naming tools: what a person calls the program that a process ran.

`bwa mem`, `samtools sort`, `python train.py`, `java -jar picard.jar MarkDuplicates`. The rules are
data (`rules.toml`, which documents its own keys) and can be extended; a program that no rule knows
keeps its own name.
"""

from __future__ import annotations

from tracer_hooks.tools.naming import MAX_LENGTH, tool_name
from tracer_hooks.tools.rules import ToolRules, default_rules, load_rules, parse_rules

__all__ = ["MAX_LENGTH", "ToolRules", "default_rules", "load_rules", "parse_rules", "tool_name"]
