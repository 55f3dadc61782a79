"""YAML that people can read: blocks, with scalars as JSON writes them, which YAML reads alike."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def block_yaml(value: Mapping[str, Any]) -> str:
    """`value` (mappings, lists, texts, numbers, booleans, None) as a YAML document."""
    return "\n".join(_mapping(value)) + "\n"


def _mapping(value: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, item in value.items():
        name = key if _PLAIN_KEY.fullmatch(key) else json.dumps(key)
        lines += _after(f"{name}:", item)
    return lines


def _after(head: str, item: Any) -> list[str]:
    if isinstance(item, Mapping) and item:
        return [head, *("  " + line for line in _mapping(item))]
    if isinstance(item, Sequence) and not isinstance(item, str) and item:
        return [head, *("  " + line for one in item for line in _entry(one))]
    return [f"{head} {json.dumps(item, ensure_ascii=False)}"]


def _entry(item: Any) -> list[str]:
    if isinstance(item, Mapping) and item:
        first, *rest = _mapping(item)
        return [f"- {first}", *("  " + line for line in rest)]
    return [f"- {json.dumps(item, ensure_ascii=False)}"]
