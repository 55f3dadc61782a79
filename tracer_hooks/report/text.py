"""Names from users as one line of harmless text, cut to a width in terminal cells."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

NO_NAME = "(none)"
# Control pictures: a newline in a task's name is shown, not obeyed.
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "␡", 0x0A: "␤"}
# Where a terminal's or a file's encoding lacks a sign that reports use.
_ASCII = str.maketrans(
    {
        "█": "#", "▓": "r", "▒": "d", "░": "n", "·": ".", "…": "~", "≥": ">",
        "\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "x",
        "µ": "u", "▁": "_", "▂": "_", "▃": "-", "▄": "-", "▅": "=", "▆": "=", "▇": "#", "•": "*",
        "├": "|", "└": "`", "─": "-", "│": "|", "␤": "|",
        "━": "=", "┅": "-",
    }
)  # fmt: skip


@lru_cache(maxsize=4096)
def clean(text: str | None) -> str:
    """`text` in one line: control characters as pictures, invisible and reversing ones as U+FFFD.

    No name at all reads `(none)`, an empty one `(empty)`.
    """
    if not text:
        return NO_NAME if text is None else "(empty)"
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text.translate(_PICTURES)))


def fit(text: str | None, width: int) -> str:
    """`clean` text in at most `width` cells; what is longer loses its middle.

    The end stays because that is where names of tasks differ.
    """
    cleaned = clean(text if text is None or len(text) < 2000 else text[:1000] + text[-1000:])
    if _cells(cleaned) <= width:
        return cleaned
    if width <= 1:
        return "…"[:width]
    tail = (width - 1) * 2 // 5
    return _head(cleaned, width - 1 - tail) + "…" + _head(cleaned[::-1], tail)[::-1]


def encodable(text: str, encoding: str | None) -> str:
    """`text` with plain signs instead of those that `encoding` cannot hold."""
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
    return text


def _visible(sign: str) -> str:
    return "\ufffd" if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") else sign


def _cells(text: str) -> int:
    if text.isascii() or text.translate(_ASCII).isascii():
        return len(text)  # our own signs are one cell each
    from rich.cells import cell_len  # not at the top: the end of an engine's run does without

    return cell_len(text)


def _head(text: str, width: int) -> str:
    used = 0
    for place, sign in enumerate(text):
        used += _cells(sign)
        if used > width:
            return text[:place]
    return text
