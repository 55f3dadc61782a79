"""What the main Snakemake process tells the Snakemake process inside a remote job.

An executor for clusters starts `python -m snakemake … --mode remote` on a node. One environment
variable goes with it, set by an `export` in front of that command, so that it reaches every layer
between (the slurm executor has a second one, which strips SLURM_* variables) and no other process.
Its value is letters, digits, `-` and `_` only: it survives any quoting that an executor does.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any

VARIABLE = "TRACER_HOOKS_SNAKEMAKE"
# Schedulers bound a command line, and job ids are a convenience: a huge group goes without.
MAX_LENGTH = 16_000


@dataclass(frozen=True)
class Handover:
    """The run that a remote job belongs to, and what its own Snakemake cannot know."""

    run_id: str
    store: str
    pipeline: str | None = None
    capture: str | None = None
    interval_s: float | None = None
    redact: list[str] = field(default_factory=list)  # patterns to mask in command lines
    argv_recorded: bool = True
    submitted_at: float | None = None
    jobids: dict[str, int] = field(default_factory=dict)  # by task id: they restart in a child

    def encode(self) -> str:
        """The variable's value."""
        text = _pack(asdict(self))
        if len(text) > MAX_LENGTH:
            text = _pack({**asdict(self), "jobids": {}})
        return text

    @classmethod
    def decode(cls, text: str) -> Handover:
        """The inverse of `encode`. Raises ValueError on anything else."""
        try:
            raw = zlib.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return cls(**json.loads(raw))
        except (ValueError, TypeError, zlib.error) as error:
            raise ValueError(f"{VARIABLE} is damaged") from error


def _pack(value: Any) -> str:
    packed = zlib.compress(json.dumps(value).encode(), 9)
    return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def received() -> Handover | None:
    """The hand-over that this process was started with; None without one, or with a damaged one."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        return Handover.decode(text)
    except ValueError:
        return None
