"""What the owner of an attached monitor says when the task's process lets go of it.

`end STATUS [EXIT_CODE|-] [NAME=VALUE]…`. STATUS may be `paused`: the attempt goes on later, in
another process. The names: `cause` (of a failure that no exit code tells of), `state` (the engine's
own word), `error` (the kind of exception), and `disk_read_bytes`, `disk_write_bytes`: what the
process itself knows of its I/O where nobody else may read it.
"""

_STATUSES = ("succeeded", "failed", "cancelled", "paused")
_CAUSES = ("timeout", "cancelled", "oom")
# States of an engine that say no more than the status does.
_PLAIN_STATES = ("success", "failed")


class Told:
    """One such message, read. What makes no sense in it is left out."""

    def __init__(self, message: str) -> None:
        words = message.split()
        named = [word.partition("=") for word in words[1:] if "=" in word]
        plain = [word for word in words[1:] if "=" not in word]
        self.named = {name: value for name, _, value in named}
        self.status = plain[0] if plain and plain[0] in _STATUSES else "succeeded"
        code = plain[1] if len(plain) > 1 else ""
        self.exit_code = int(code) if code.lstrip("-").isdigit() else None

    @property
    def outcome(self) -> "dict[str, object]":
        """status, exit_code, signal and failure_cause, as `outcome` has them."""
        cause = {"failed": "exit_code" if self.exit_code else "unknown", "cancelled": "cancelled"}
        said = self.named.get("cause", "")
        if self.status in cause and said in _CAUSES:
            cause[self.status] = said
        return {
            "status": self.status, "exit_code": self.exit_code, "signal": None,
            "failure_cause": cause.get(self.status),
        }  # fmt: skip

    @property
    def disk(self) -> "tuple[int, int] | None":
        """Bytes read from and written to disks by the process and by children that it reaped."""
        figures = [self.named.get(name, "") for name in ("disk_read_bytes", "disk_write_bytes")]
        if not all(figure.isdigit() for figure in figures):
            return None
        return int(figures[0]), int(figures[1])

    @property
    def detail(self) -> "dict[str, object]":
        """What else was said, for an event; empty if the status says it all."""
        found = {name: self.named[name] for name in ("state", "error") if self.named.get(name)}
        if found.get("state") in _PLAIN_STATES:
            del found["state"]
        return dict(found)
