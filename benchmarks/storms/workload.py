"""The storm: N processes under three program names in the proportion 5:3:2, each a millisecond.

The shell that starts them has what `wait4` says of each child written down (`truth.c`), so that
the CPU of each program is known from another source than the one that is judged.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# the programs differ in what they cost, or a wrong attribution would not show
PROGRAMS = {
    "storm-one": ("true", (), 5),
    "storm-two": ("expr", ("6", "*", "7"), 3),
    "storm-three": ("seq", ("5000",), 2),
}
ROUND = sum(share for _, _, share in PROGRAMS.values())


@dataclass(frozen=True)
class Truth:
    """CPU seconds by wait4: of the whole storm and by program name."""

    cpu_s: float
    by_name: dict[str, float]


class Storm:
    """A storm of `count` processes, alone or as two halves that run at once."""

    def __init__(self, folder: Path, count: int, halves: bool = False) -> None:
        """Programs are copied to `folder`; ValueError if `count` can't be divided as it must."""
        parts = 2 if halves else 1
        if count % (ROUND * parts):
            raise ValueError(f"{count} is no multiple of {ROUND * parts}")
        self.exact = {name: count // ROUND * share for name, (_, _, share) in PROGRAMS.items()}
        self.count = count
        self.truth_path = folder / "truth"
        shim = _shim(folder)
        calls = []
        for name, (program, words, share) in PROGRAMS.items():
            path = shutil.which(program) or f"/bin/{program}"
            shutil.copy(os.path.realpath(path), folder / name)
            quoted = " ".join(f"'{word}'" for word in words)
            calls += [f"{folder / name} {quoted}"] * share
        rounds = count // ROUND // parts
        loop = f"for ((i = 0; i < {rounds}; i++)); do {'; '.join(calls)}; done"
        script = f"({loop}) & ({loop}) & wait" if halves else loop
        preload = [] if shim is None else [f"LD_PRELOAD={shim}", f"STORM_TRUTH={self.truth_path}"]
        self.command = ["env", *preload, "bash", "-c", f"unset LD_PRELOAD; {script}"]

    def truth(self) -> Truth | None:
        """What wait4 said in the execution that has just ended; None without a C compiler."""
        if not self.truth_path.exists():
            return None
        lines = [line.split() for line in self.truth_path.read_text().splitlines()]
        self.truth_path.unlink()
        names = [name for name, (_, _, share) in PROGRAMS.items() for _ in range(share)]
        by_name = dict.fromkeys(PROGRAMS, 0.0)
        for line in lines:
            if int(line[0]) >= ROUND:  # the shell that reaped two subshells is none of these
                for name, spent_s in zip(names, line[2:], strict=True):
                    by_name[name] += float(spent_s)
        return Truth(float(lines[-1][1]), by_name)


def _shim(folder: Path) -> Path | None:
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    shim = folder / "truth.so"
    if not shim.exists():
        source = Path(__file__).with_name("truth.c")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", shim, source], check=True)
    return shim
