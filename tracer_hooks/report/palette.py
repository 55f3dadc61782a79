"""One sign and one colour for each way in which wall time passes, and for how things end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """`sign` tells the parts apart where there is no colour: the darker, the more work is done."""

    name: str
    title: str
    sign: str
    style: str


PARTS = (
    Part("cpu", "on CPU", "█", "green"),
    Part("runnable", "ready, waiting for a core", "▓", "yellow"),
    Part("disk", "disk", "▒", "red"),
    Part("network", "network", "░", "magenta"),
    Part("idle", "idle", "·", "bright_black"),
)

STATUS_STYLES = {
    "succeeded": "green",
    "failed": "bold red",
    "lost": "bold red",
    "cancelled": "yellow",
    "running": "cyan",
}
