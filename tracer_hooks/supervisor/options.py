"""The supervisor's own command line: written and read by programs, so plain and exact."""

MODES = ("run", "attach", "fork-server")


class Options:
    """What the supervisor was told. Paths and the card are as given, nothing is resolved."""

    __slots__ = (
        "argv_recorded", "attempt", "capture", "card", "command", "control_fd", "interval_s",
        "mode", "outputs", "pid", "ready_fd", "redact", "resume", "run", "shell_note", "store",
        "task", "verbose",
    )  # fmt: skip

    def __init__(self) -> None:
        self.mode = "run"
        self.store = ".tracer"
        self.run = "run"
        self.task = "task"
        self.attempt = 1
        self.card = "{}"
        self.capture = "auto"
        self.interval_s = 0.1
        self.outputs = []  # type: list[str]
        self.redact = []  # type: list[str]
        self.argv_recorded = True
        self.verbose = False
        self.command = []  # type: list[str]
        self.pid = 0
        # Where a shell that waits for the command reads what it would know of a child of its own.
        self.shell_note = ""
        self.resume = False  # the attempt may have been paused: go on where it was
        self.ready_fd = -1
        self.control_fd = -1


def parse(argv: "list[str]") -> Options:
    """Read ``run|attach|fork-server [--option VALUE]… [-- COMMAND…]``.

    Raises ValueError, which says what is wrong.
    """
    options = Options()
    if not argv or argv[0] not in MODES:
        raise ValueError("the first word must be one of " + ", ".join(MODES))
    options.mode = argv[0]
    position = 1
    while position < len(argv):
        word = argv[position]
        position += 1
        if word == "--":
            options.command = argv[position:]
            break
        if word == "--verbose":
            options.verbose = True
        elif word == "--no-argv":
            options.argv_recorded = False
        elif word == "--resume":
            options.resume = True
        elif position < len(argv):
            _set(options, word, argv[position])
            position += 1
        else:
            raise ValueError("%s wants a value" % word)
    if options.mode == "run" and not options.command:
        raise ValueError("no command after --")
    return options


def _set(options: Options, word: str, value: str) -> None:
    if word in ("--store", "--run", "--task", "--card", "--capture"):
        setattr(options, word[2:], value)
    elif word == "--shell-note":
        options.shell_note = value
    elif word == "--interval":
        seconds = float(value)
        if seconds > 0:  # an interval that is none (0, nan) keeps no command from running
            options.interval_s = seconds
    elif word == "--output":
        options.outputs.append(value)
    elif word == "--redact":
        options.redact.append(value)
    elif word in ("--attempt", "--pid", "--ready-fd", "--control-fd"):
        setattr(options, word[2:].replace("-", "_"), int(value))
    else:
        raise ValueError("unknown option %s" % word)
