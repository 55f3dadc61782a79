"""Every limit of right-sizing, each with the reason for its value."""

from __future__ import annotations

from tracer_hooks.analysis.thresholds import Threshold

RULES: dict[str, Threshold] = {
    "memory_margin": Threshold(
        0.25, "share of the peak",
        "Inputs of one kind commonly differ by a tenth or two; a task that is killed costs a whole"
        " attempt, a quarter more memory only what it keeps from others.",
    ),
    "time_margin": Threshold(
        0.5, "share of the longest wall time",
        "Time depends on the host and on its neighbours too, and a limit that nobody reaches"
        " costs nothing but a later place in the queue.",
    ),
    "observations": Threshold(
        3, "tasks that succeeded",
        "The next one exceeds the largest of n with a chance of 1 in n + 1: of two, 1 in 3.",
    ),
    "busy_share": Threshold(
        0.95, "share of wall time",
        "The cores on which a task ran for all but a twentieth of its time: a burst that is"
        " shorter slows it by less than that when it has fewer.",
    ),
    "core_slack": Threshold(
        0.15, "cores",
        "A pipe's small end or a garbage collector beside a full core is no second core.",
    ),
    "memory_least_bytes": Threshold(
        64 * 2**20, "bytes", "A shell and an interpreter take some; nobody schedules in less."
    ),
    "time_least_s": Threshold(300, "seconds", "Containers start and files are staged meanwhile."),
    "fit_observations": Threshold(
        6, "tasks", "Two points make any line; with four to spare chance rarely does."
    ),
    "fit_r2": Threshold(
        0.8, "share of the variance", "Below it most of the saving is lost to the residuals."
    ),
    "fit_spread": Threshold(
        1.5, "largest input per smallest", "Inputs that are all alike say nothing of others."
    ),
    "fit_gain": Threshold(
        0.1, "share of the constant request", "Less is not worth an expression in a configuration."
    ),
}  # fmt: skip


def rule(name: str) -> float:
    return RULES[name].value
