"""Sizes and durations as people and schedulers write them.

Part of the fast path of `run`: no imports but our own errors.
"""

from tracer_hooks.errors import UsageError

# A bare letter means the binary unit, as in Slurm's --mem=4G, Java's -Xmx4G and ulimit;
# with a B it is what the standard says: GB decimal, GiB binary.
_SIZE_UNITS = {"": 1, "B": 1}
for _power, _letter in enumerate("KMGTP", start=1):
    _SIZE_UNITS[_letter] = _SIZE_UNITS[_letter + "IB"] = _SIZE_UNITS[_letter + "I"] = 1024**_power
    _SIZE_UNITS[_letter + "B"] = 1000**_power

_TIME_UNITS = {
    "s": 1.0, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400,
    "w": 604800, "ms": 0.001,
}  # fmt: skip


_TOO_MUCH = 1e18  # an EB, or more seconds than the sun has left: a slip of the pen


def parse_size(text: str) -> int:
    """Bytes in `text`: `4G`, `512MiB`, `1.5GB`, `1000000`. Raises UsageError."""
    number, unit = _split(text.strip())
    factor = _SIZE_UNITS.get(unit.upper())
    if number is None or factor is None or number * factor >= _TOO_MUCH:
        raise UsageError(f"{text!r} is not a size: write 4G, 512MiB, 1.5GB or a number of bytes")
    return round(number * factor)


def parse_duration(text: str) -> float:
    """Seconds in `text`: `90`, `30m`, `1h30m`, `01:30:00`, `1-00:00:00`. Raises UsageError."""
    stripped = text.strip()
    seconds = _clock(stripped) if ":" in stripped or "-" in stripped else _units(stripped.lower())
    if seconds is None or seconds >= _TOO_MUCH:
        raise UsageError(
            f"{text!r} is not a duration: "
            "write 90 (seconds), 30m, 1h30m, 2d, 01:30:00 or 1-00:00:00"
        )
    return seconds


def parse_interval(text: str) -> float:
    """A duration that is more than none. Raises UsageError."""
    seconds = parse_duration(text)
    if not seconds:
        raise UsageError(f"{text!r} is no interval: write 1 (second), 0.1 or 50ms")
    return seconds


def parse_cores(text: str) -> float:
    """A number of cores, or a part of one; more than none. Raises UsageError."""
    cores = parse_number(text)
    if not cores:
        raise UsageError(f"{text!r} is no number of cores: write 1, 4 or 0.5, or leave it out")
    return cores


def parse_number(text: str) -> float:
    """A number that is not negative, nor infinite, nor nan. Raises UsageError."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < _TOO_MUCH:
        raise UsageError(f"{text!r} is not a number that makes sense here: write 1, 4 or 0.5")
    return value


def _split(text: str) -> tuple[float | None, str]:
    """The leading number and the rest: `1.5GB` -> (1.5, 'GB')."""
    end = 0
    while end < len(text) and (text[end] in "0123456789."):
        end += 1
    try:
        return float(text[:end]), text[end:].strip()
    except ValueError:
        return None, text


def _units(text: str) -> float | None:
    """`90`, `1h30m`, `1.5 h`, `2 days`."""
    total = 0.0
    rest = text
    first = True
    while rest or first:
        number, rest = _split(rest)
        if number is None:
            return None
        end = 0
        while end < len(rest) and rest[end].isalpha():
            end += 1
        unit, rest = rest[:end], rest[end:].strip()
        if not unit and not (first and not rest):  # only a lone number is seconds
            return None
        factor = _TIME_UNITS.get(unit or "s") or _TIME_UNITS.get(unit.rstrip("s"))
        if factor is None:
            return None
        total += number * factor
        first = False
    return total


def _clock(text: str) -> float | None:
    """`MM:SS`, `HH:MM:SS` and Slurm's `D-HH`, `D-HH:MM`, `D-HH:MM:SS`."""
    days, dash, clock = text.rpartition("-")
    parts = clock.split(":")
    if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) > 3:
        return None
    numbers = [int(part) for part in parts]
    if not dash:
        hours, minutes, seconds = [0] * (3 - len(numbers)) + numbers
        return float(hours * 3600 + minutes * 60 + seconds)
    if not (days.isascii() and days.isdigit()):
        return None
    hours, minutes, seconds = numbers + [0] * (3 - len(numbers))
    return float(int(days) * 86400 + hours * 3600 + minutes * 60 + seconds)
