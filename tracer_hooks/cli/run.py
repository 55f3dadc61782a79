"""`tracer-hooks run`: one command under the supervisor, in this very process.

This module stands before every task, so it parses its options by hand and imports next to
nothing: argparse alone would cost more than the whole supervisor. Nothing here touches the
environment, the working directory or a file descriptor: the command inherits them.
"""

# os.path is loaded in every Python; pathlib would be paid for by every task:
# ruff: noqa: PTH100, PTH111, PTH119

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

CAPTURES = ("auto", "perf", "taskstats", "poll")


def main(argv: list[str]) -> None:
    """Run the command that `argv` (what follows `run`) holds, and exit as it does."""
    try:
        options, command = parse(argv)
    except Exception as error:
        if not _is_for_the_user(error):
            raise
        _refuse(error)
    try:
        arguments = supervisor_arguments(options, command)
        from tracer_hooks.supervisor.entry import main as supervise
    except Exception as error:
        if _is_for_the_user(error):
            _refuse(error)
        # A broken installation must not cost anybody a task, nor a user without a home.
        if options.get("verbose"):
            _say(f"tracer-hooks: the command runs unobserved: {error}")
        _exec(command)
    else:
        supervise(arguments)


def parse(argv: list[str]) -> tuple[dict[str, object], list[str]]:
    """The options by their card's keys, and the command. Raises UsageError; exits on --help."""
    options: dict[str, object] = {}
    words = list(argv)
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        if word == "--":
            break
        if word in ("-h", "--help"):
            from tracer_hooks.cli.run_help import HELP

            if sys.stdout is not None:
                sys.stdout.write(HELP)
            raise SystemExit(0)
        if word in _FLAGS:
            options[word[2:]] = True
            continue
        name, equals, value = word.partition("=")
        if name not in _VALUED:
            raise _wrong(_unknown(name))
        if not equals:
            value = words.pop(0) if words and words[0] != "--" else ""
        if not value:
            raise _wrong(f"{name} needs a value, as in `{name} {_VALUED[name][0]}`")
        _take(options, name, value)
    if not words:
        raise _wrong(
            "no command to run: put it last, as in `tracer-hooks run -- samtools sort in.bam`"
        )
    return options, words


def _take(options: dict[str, object], name: str, value: str) -> None:
    """Put one option's value where it belongs."""
    _, key, convert = _VALUED[name]
    try:
        content = convert(value)
    except Exception as error:
        if not _is_for_the_user(error):
            raise
        raise _wrong(f"{name}: {error}") from None
    if key == "tags":
        options[key] = {**options.get(key, {}), **content}  # type: ignore[dict-item]
    else:
        options[key] = content


def _tag(text: str) -> dict[str, str]:
    key, equals, content = text.partition("=")
    if not key or not equals:
        raise _wrong(f"{text!r} is not KEY=VALUE, as in `--tag lane=3`")
    return {key: content}


def _attempt(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:11]) < 2**31):
        raise _wrong(f"{text!r} is not an attempt: they count 1, 2, 3")
    return int(text[:11])


def _size(text: str) -> int:
    from tracer_hooks.quantities import parse_size

    return parse_size(text)


def _duration(text: str) -> float:
    from tracer_hooks.quantities import parse_duration

    return parse_duration(text)


def _cores(text: str) -> float:
    from tracer_hooks.quantities import parse_cores

    return parse_cores(text)


def _interval(text: str) -> float:
    from tracer_hooks.quantities import parse_interval

    return parse_interval(text)


def _capture(text: str) -> str:
    if text not in CAPTURES:
        raise _wrong(f"{text!r} is not one of {', '.join(CAPTURES)}")
    return text


# option: what to show as an example, the key it fills, how its value is read
_VALUED: "dict[str, tuple[str, str, Callable[[str], object]]]" = {
    "--run": ("nightly", "run_id", str),
    "--pipeline": ("rnaseq", "pipeline", str),
    "--step": ("align", "step", str),
    "--task": ("align-A1", "task_id", str),
    "--attempt": ("2", "attempt", _attempt),
    "--sample": ("A1", "sample", str),
    "--tag": ("lane=3", "tags", _tag),
    "--cpus": ("4", "cpus_requested", _cores),
    "--memory": ("4G", "memory_requested_bytes", _size),
    "--time": ("1h30m", "time_requested_s", _duration),
    "--store": ("/data/tracer", "store", str),
    "--capture": ("auto", "capture", _capture),
    "--interval": ("1", "interval", _interval),
}
_FLAGS = ("--verbose", "--no-argv")
OPTIONS = (*_VALUED, *_FLAGS, "--help")


def supervisor_arguments(options: dict[str, object], command: list[str]) -> list[str]:
    """The supervisor's own argv: how to watch, the card as one JSON object, then the command."""
    from tracer_hooks.supervisor.jsonl import encode

    card = dict(options)
    store = str(card.pop("store", None) or os.environ.get("TRACER_HOOKS_STORE") or ".tracer")
    if "://" in store:
        from tracer_hooks.adapter import store_path

        store = str(store_path(store))
    try:  # noqa: SIM105  (contextlib is an import)
        store = os.path.abspath(os.path.expanduser(store))
    except OSError:  # the working directory was deleted: the supervisor copes in its own way
        pass
    arguments = ["run", "--store", store]
    for key in ("capture", "interval"):
        if key in card:
            arguments += ["--" + key, str(card.pop(key))]
    for flag in _FLAGS:
        if card.pop(flag[2:], False):
            arguments.append(flag)
    for pattern in os.environ.get("TRACER_HOOKS_REDACT", "").splitlines():
        if pattern.strip():
            arguments += ["--redact", pattern]
    card = complete_card(card, command)
    for option, key in (("--run", "run_id"), ("--task", "task_id"), ("--attempt", "attempt")):
        arguments += [option, str(card[key])]
    return [*arguments, "--card", encode(card), "--", *command]


def complete_card(card: dict[str, object], command: list[str]) -> dict[str, object]:
    """`card` with what was not said: a new run, the step and the task after the command's name.

    In a run that several commands share, a task without an id or attempt gets an id of its own:
    fifty `gzip`s are fifty tasks.
    """
    from tracer_hooks.supervisor.identifiers import new_run_id

    step = card.get("step") or os.path.basename(command[0]) or "command"
    name = f"{step}-{card['sample']}" if "sample" in card else str(step)
    shared = "run_id" in card and "attempt" not in card
    completed = {"engine": "command", "run_id": None, "step": step, "attempt": 1, **card}
    if "run_id" not in card:
        completed["run_id"] = new_run_id()
    if "task_id" not in card:
        completed["task_id"] = f"{name}-{os.urandom(3).hex()}" if shared else name
        completed["task_name"] = name
    return completed


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, OPTIONS, 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else "see `tracer-hooks run --help`"
    return f"`run` has no option {name}: {hint} (a command's own options go after `--`)"


def _wrong(message: str) -> Exception:
    from tracer_hooks.errors import UsageError

    return UsageError(message)


def _is_for_the_user(error: Exception) -> bool:
    """A UsageError; told without an import, which a broken installation may not have."""
    return getattr(error, "exit_code", None) == 2


def _refuse(error: Exception) -> "NoReturn":
    _say(f"tracer-hooks: error: {error}")
    raise SystemExit(2) from None


def _say(line: str) -> None:
    if sys.stderr is not None:  # None: started with stderr closed
        sys.stderr.write(line + "\n")


def _exec(command: list[str]) -> None:
    """Become the command, as a shell would start it."""
    import signal

    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these; the command must not
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  (no shell: the words are the user's)
    except OSError as error:
        _say(f"{command[0]}: {error.strerror}")
        raise SystemExit(127 if isinstance(error, FileNotFoundError) else 126) from None
