"""Errors that are meant for the person who called us: one clear line each, and an exit code.

Everything the library raises on purpose is a `TracerError`. The command line prints its message
as one line and exits with its `exit_code`; any other exception that reaches `main` is a defect.
"""


class TracerError(Exception):
    """Something is wrong that the user can put right; the message says what it is and how."""

    exit_code = 1


class UsageError(TracerError):
    """The command line, or an argument of a function, is not what it should be."""

    exit_code = 2
