"""Every limit at which a measurement is worth a sentence, each with the reason for its value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Threshold:
    value: float
    unit: str
    reason: str


THRESHOLDS: dict[str, Threshold] = {
    "finding_weight": Threshold(
        0.01, "share of the run", "What concerns less than a hundredth of a run can't speed it up."
    ),
    "cores_used": Threshold(
        0.6, "share of the cores asked for",
        "Threads that start, merge and end leave a well-fed tool at 0.7 to 0.9 of its cores.",
    ),
    "cores_asked": Threshold(
        2, "cores", "One core is the least that can be asked for: less use of it is waiting."
    ),
    "cores_idle": Threshold(
        0.5, "cores", "Half a core is the least that a smaller request could give to another task."
    ),
    "wall_disk": Threshold(
        0.2, "share of wall time", "A fifth: below it no faster disk makes a visible difference."
    ),
    "wall_network": Threshold(
        0.2, "share of wall time", "As for the disk."
    ),
    "wall_idle": Threshold(
        0.25, "share of wall time",
        "Starting up and joining threads commonly cost a tenth; a quarter is waiting by design.",
    ),
    "wall_runnable": Threshold(
        0.1, "share of wall time",
        "On a free core a process waits for less than 0.01; at 0.1 others compete for it.",
    ),
    "when_free": Threshold(
        2.0, "times the share of wall time",
        "Of the time left by waiting for a core, twice as much: what is left is a rougher figure.",
    ),
    "short_count": Threshold(
        100, "processes",
        "A hundred starts cost a tenth of a second of CPU; a wrapper of a tool starts some fifty.",
    ),
    "short_share": Threshold(
        0.5, "share of a step's processes", "Most of what a step starts is gone at once."
    ),
    "short_cpu": Threshold(
        0.1, "share of a step's CPU",
        "Below a tenth other work rules: a wrapper that starts sixty helpers once is no habit.",
    ),
    "memory_used": Threshold(
        0.5, "share of the memory asked for",
        "Half: with the usual margin of a quarter the request could still be cut by a third.",
    ),
    "memory_idle_bytes": Threshold(
        2**30, "bytes", "Less than 1 GiB rarely decides how many tasks fit on a host."
    ),
    "memory_tight": Threshold(
        0.9, "share of the memory asked for", "The next larger input would exceed the request."
    ),
    "cpu_unattributed": Threshold(
        0.1, "share of CPU",
        "The kernel's work at the end of processes explains a few hundredths, not a tenth.",
    ),
    "host_gap": Threshold(
        0.2, "difference of two shares",
        "Where a host's busy share and its tasks' own differ by a fifth, a dashboard misleads.",
    ),
    # Verdicts.
    "confidence": Threshold(
        0.75, "probability",
        "Three to one: with the error below, a part is the larger half from 0.56 of the time on.",
    ),
    "confidence_most": Threshold(
        0.99, "probability", "Readings and rules can be wrong together: nothing is certain."
    ),
    "share_error": Threshold(
        0.1, "share of wall time",
        "What counters in ticks, looks a tenth of a second apart, and busy neighbours shift.",
    ),
    "too_short_s": Threshold(
        0.5, "seconds", "Five looks, and no bottleneck: starting the task takes as long."
    ),
    "contended": Threshold(
        0.25, "share of the time that it could run",
        "A third longer than on free cores: neighbours come and go by less than that.",
    ),
    "helper_share": Threshold(
        0.4, "share of CPU or of wall time",
        "Starting helpers costs their parent about as much again, which makes it most of the time.",
    ),
    "helper_lifetime_s": Threshold(
        0.05, "seconds",
        "Starting an interpreter takes 0.02: what lives longer than twice that does work.",
    ),
    "network_bytes_per_s": Threshold(
        128 * 1024, "bytes per second of waiting",
        "One megabit: a connection that moves less waits for an answer, not for its width.",
    ),
    "major_faults": Threshold(
        500, "pages", "A large program that starts from a cold disk takes some hundred."
    ),
    "major_faults_per_s": Threshold(
        100, "pages per second", "What one spinning disk can bring: more is no start-up."
    ),
    "memory_stall": Threshold(
        0.3, "share of wall time",
        "As the kernel counts it; several threads can stall at once, and a tenth is common.",
    ),
    "host_memory_free": Threshold(
        0.05, "share of a host's memory", "The kernel reclaims in earnest from there on."
    ),
    "swap_grown_bytes": Threshold(
        64 * 2**20, "bytes", "Less is old pages that nobody wanted back."
    ),
}  # fmt: skip


def threshold(name: str) -> float:
    return THRESHOLDS[name].value
