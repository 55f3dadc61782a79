"""From an executable and its arguments to the tool's name. Pure: looks at no file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tracer_hooks.tools.interpreters import Invocation, parse_invocation
from tracer_hooks.tools.rules import Rule, ToolRules, default_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LENGTH = 120
UNKNOWN = "unknown"

_SUBCOMMAND = re.compile(r"[A-Za-z][\w.:+-]{0,39}")
_BIN_FOLDERS = frozenset(("bin", "sbin", "libexec", "scripts"))
_DELETED = " (deleted)"
# A script that is run by a script that is run by …: deeper than this is no name any more.
_MAX_DEPTH = 4


def tool_name(exe: Any, argv: Any, comm: Any, rules: ToolRules | None = None) -> str:
    """What a person calls this program: one line, never empty, at most MAX_LENGTH characters.

    `exe` is where /proc/PID/exe points, `argv` the words of the command line, `comm` the kernel's
    name of it (15 characters); each may be None, or something unexpected, and then is not used.
    """
    words = [w for w in argv if isinstance(w, str)] if isinstance(argv, (list, tuple)) else []
    image = exe.removesuffix(_DELETED) if isinstance(exe, str) else ""
    kernel_name = comm if isinstance(comm, str) else ""
    rules = rules or default_rules()
    return _presentable(_name(_basename(image), words, kernel_name, rules, 0)) or UNKNOWN


def _name(image: str, argv: Sequence[str], comm: str, rules: ToolRules, depth: int) -> str:
    program = _program(image, argv, comm)
    if not argv or depth >= _MAX_DEPTH:
        return _own_name(program, rules.program(program))
    image_rule = rules.program(image)
    if image_rule is not None and image_rule.kind in ("multicall", "loader"):
        return _inner(image_rule, image, argv, rules, depth)
    rule = rules.program(program) or image_rule
    if rule is None:
        return program
    name = _own_name(program, rule)
    if rule.kind == "subcommand":
        return _with_subcommands(name, argv[1:], rule)
    if rule.kind == "java":
        return _java(name, parse_invocation(argv[1:], rule), rules)
    if rule.kind == "interpreter":
        return _interpreted(name, parse_invocation(argv[1:], rule), rule, rules, depth)
    if rule.kind in ("multicall", "loader"):
        return _inner(rule, name, argv, rules, depth)
    return name


def _program(image: str, argv: Sequence[str], comm: str) -> str:
    """The program's name as it was called: argv[0] through a link (awk, not mawk), unless it was
    made up: then the file that was exec'd, after which the kernel calls it."""
    called = _basename(argv[0].removeprefix("-")) if argv else ""
    if not called or any(c.isspace() or c == ":" for c in called):
        return image or comm or called
    if image and called != image and comm and comm == image[:15]:
        return image
    return called


def _own_name(program: str, rule: Rule | None) -> str:
    if rule is None:
        return program
    if rule.name:
        return rule.name
    # The name without its version is the one that the rule has.
    fitting = [name for name in rule.names if program.startswith(name)]
    return max(fitting, key=len, default=program)


def _with_subcommands(name: str, arguments: Sequence[str], rule: Rule) -> str:
    found: list[str] = []
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in rule.value_options
        elif (
            len(found) == rule.depth
            or not _SUBCOMMAND.fullmatch(word)
            or (not found and rule.subcommands and word not in rule.subcommands)
        ):
            break
        else:
            found.append(word)
    return " ".join([name, *found])


def _java(name: str, call: Invocation, rules: ToolRules) -> str:
    if call.module is not None:  # -jar
        jar = _basename(call.module)
        rule = rules.jar(jar)
        title = f"{name} -jar {jar}"
        return title if rule is None else _with_subcommands(title, call.rest, rule)
    if call.script is not None:  # the main class
        main = call.script.rpartition("/")[2]  # -m module/class
        return rules.classes.get(main) or f"{name} {main or call.script}"
    return name


def _interpreted(name: str, call: Invocation, rule: Rule, rules: ToolRules, depth: int) -> str:
    if call.code is not None:
        return f"{name} {call.code if rule.code_name is None else rule.code_name}"
    if call.module is not None:
        return f"{name} -m {call.module}"
    if call.script is None:
        return name
    script = _basename(call.script)
    if _installed(call.script):
        # `python /venv/bin/cutadapt -j 4`: the interpreter is a detail of how it is installed.
        return _name(script, [call.script, *call.rest], "", rules, depth + 1)
    for prefix in rules.script_prefixes:
        script = prefix.sub("", script, count=1) or script
    return f"{rule.script_as if call.by_option and rule.script_as else name} {script}"


def _installed(path: str) -> bool:
    folder, _, script = path.rpartition("/")
    return "." not in script.lstrip(".") and _basename(folder) in _BIN_FOLDERS


def _inner(rule: Rule, image: str, argv: Sequence[str], rules: ToolRules, depth: int) -> str:
    """One binary that is many programs, or that loads another."""
    called = _basename(argv[0].removeprefix("-"))
    inner = list(argv[1:]) if called in rule.names or rule.kind == "loader" else list(argv)
    while inner and inner[0].startswith("-") and inner is not argv and len(inner) < len(argv):
        inner = inner[2:] if inner[0] in rule.value_options else inner[1:]
    own = rule.name or (image if image in rule.names else rule.names[0])
    if not inner:
        return own
    name = _name(_basename(inner[0]), inner, "", rules, depth + 1)
    return name if rule.kind == "loader" else f"{own} {name}"


def _basename(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _presentable(name: str) -> str:
    """On one line, valid Unicode, bounded; a character that can't be shown becomes `?`."""
    words = name[: 4 * MAX_LENGTH].split()
    shown = "".join([c if c.isprintable() else "?" for c in " ".join(words)])
    return shown if len(shown) <= MAX_LENGTH else shown[: MAX_LENGTH - 1].rstrip() + "…"
