"""Reading an interpreter's command line: which word is the script, the module, the code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracer_hooks.tools.rules import Rule


@dataclass(frozen=True)
class Invocation:
    """What an interpreter was asked to run: code given in place (`code` is the option that gave
    it), a module, or a script; none of them if it reads its standard input. `rest` follows."""

    code: str | None = None
    module: str | None = None
    script: str | None = None
    rest: Sequence[str] = ()
    by_option: bool = False


def parse_invocation(  # noqa: C901 (a command line has that many kinds of words)
    words: Sequence[str], rule: Rule
) -> Invocation:
    """Read the words after the interpreter's own name, as the options of `rule` say."""
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            if word.startswith("+") and "+" in rule.attached_options:
                continue  # bash +x
            return Invocation(script=word, rest=words[index:]) if word != "-" else Invocation()
        option, equals, value = word.partition("=")
        if option in rule.script_options:
            rest = words[index:] if equals else words[index + 1 :]
            value = value if equals else _at(words, index)
            return Invocation(script=value or None, rest=rest, by_option=True)
        if word in rule.module_options:
            return Invocation(module=_at(words, index) or None, rest=words[index + 1 :])
        if word in rule.code_options:
            return Invocation(code=word)
        if word in rule.value_options:
            index += 1
        elif not word.startswith("--") and rule.kind != "java":  # java: -Xmx is one option
            found = _cluster(word, words, index, rule)
            if isinstance(found, Invocation):
                return found
            index = found
    if index < len(words):  # after --
        return Invocation(script=words[index], rest=words[index + 1 :])
    return Invocation()


def _cluster(word: str, words: Sequence[str], index: int, rule: Rule) -> Invocation | int:
    """`-euo pipefail`, `-Ec code`, `-mpkg`: letters in one word; returns the next index to read."""
    for position, letter in enumerate(word[1:], 1):
        option, attached = "-" + letter, word[position + 1 :]
        if option in rule.attached_options:
            return index
        if option in rule.code_options:
            return Invocation(code=option)
        if option in rule.module_options:
            if attached:
                return Invocation(module=attached, rest=words[index:])
            return Invocation(module=_at(words, index) or None, rest=words[index + 1 :])
        if option in rule.value_options:
            return index if attached else index + 1
    return index


def _at(words: Sequence[str], index: int) -> str:
    return words[index] if index < len(words) else ""
