"""Lines of a report: headings, aligned tables, wrapped paragraphs, bars. Plain text with styles.

A line is a list of pieces, each a text and a style; styles become colour only on a terminal, so
nothing may depend on them. No piece contains a line break or a control character.
"""

from __future__ import annotations

import io
import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tracer_hooks.report.text import fit
from tracer_hooks.report.units import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Cell: TypeAlias = str | Text


_NBSP = "\N{NO-BREAK SPACE}"
# A number and its unit, the two halves of a duration: no line ends between them.
_FIGURE = re.compile(r"(\d) (?=(?:%|[µm]?s|B|[KMGTPE]iB|h|cores|\d\d[smh])\b|%)")
# What is to be typed stays in one piece where it is short; a whole command always.
_TYPED = re.compile(r"`(?:tracer-hooks [^`]+|[^`]{1,70})`")
MIN_WIDTH = 40
_READABLE = 100  # longer lines of prose are hard to read
GAP = 2
INDENT = 2


@dataclass(frozen=True)
class Column:
    """A column of a table: `names` are cut to fit and stay left; columns of the highest `rank`
    are left out first where the page is narrow."""

    title: str
    rank: int = 0
    names: bool = False
    style: str = ""
    least: int = 12


@dataclass
class Page:
    """Collects lines of at most `width` cells."""

    width: int
    lines: list[Text] = field(default_factory=list)

    def line(
        self,
        *pieces: Cell | tuple[str, str],
        indent: int = INDENT,
        style: str = "",
        cut: bool = True,
    ) -> None:
        text = Text(" " * indent, style=style)
        for piece in pieces:
            if isinstance(piece, tuple):
                text.append(*piece)
            else:
                text.append(piece) if isinstance(piece, str) else text.append_text(piece)
        if cut:
            text.truncate(self.width, overflow="ellipsis")
        self.lines.append(text)

    def blank(self) -> None:
        self.lines.append(Text())

    def legend(self, entries: Sequence[tuple[str, str, str]]) -> None:
        """Signs in their style with their meaning, in as many lines as they need."""
        row = Text()
        for sign, style, meaning in entries:
            entry = Text(sign, style=style).append(f" {meaning}", style="dim")
            if row and INDENT + row.cell_len + 3 + entry.cell_len > self.width:
                self.line(row)
                row = Text()
            row.append_text(Text("   " if row else "").append_text(entry))
        self.line(row)

    def heading(self, title: str, note: str = "") -> None:
        self.blank()
        self.line((title, "bold"), ("  " + note if note else "", "dim"), indent=0)

    def paragraph(self, text: str, *, bold: str = "", bullet: str = "", style: str = "") -> None:
        """`bold` and `text` wrapped at spaces, figures kept whole; later lines hang under it. A
        command that no line has room for is a line of its own and may be longer than the page:
        broken in two it could not be copied."""
        start = " " * INDENT + (bullet + " " if bullet else "")
        # textwrap breaks at plain spaces only.
        room = max(10, min(self.width, _READABLE) - len(start))
        figures = _FIGURE.sub(rf"\1{_NBSP}", text)
        commands = _TYPED.sub(lambda found: found[0].replace(" ", _NBSP), figures)
        bound = bold.replace(" ", _NBSP) + commands
        for place, wrapped in enumerate(_wrapped(bound, room)):
            line = Text(wrapped.replace(_NBSP, " "), style=style)
            if place == 0:
                line.stylize("bold", 0, len(bold))
            head = start if place == 0 else " " * len(start)
            self.line(head, line, indent=0, cut=len(wrapped) <= room)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
        """Rows aligned under the columns' titles, as many columns as the page has room for.

        A column of a rank in which no row has anything known is left out.
        """
        cells = [list(row) for row in rows]
        shown, widths = self._choose(columns, cells)
        titles: list[Cell] = [Text(columns[i].title, style="dim") for i in shown]
        self._row([columns[i] for i in shown], titles, widths)
        for row in cells:
            self._row([columns[i] for i in shown], [row[i] for i in shown], widths)

    def render(self, *, color: bool) -> str:
        """All lines as one string that ends in a line break; ANSI colours only if asked for."""
        file = io.StringIO()
        console = Console(
            file=file,
            width=self.width,
            force_terminal=color,
            color_system="standard" if color else None,
            no_color=not color,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )
        for line in self.lines:
            line.rstrip()
            console.print(line, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)
        return file.getvalue()

    def _choose(
        self, columns: Sequence[Column], rows: list[list[Cell]]
    ) -> tuple[list[int], list[int]]:
        widths = [
            max([cell_len(column.title), *(_cells(row[i]) for row in rows)])
            for i, column in enumerate(columns)
        ]
        shown = [
            i
            for i, column in enumerate(columns)
            if not column.rank or any(str(row[i]) not in ("", UNKNOWN) for row in rows)
        ]
        while True:
            used = INDENT + sum(widths[i] for i in shown) + GAP * (len(shown) - 1)
            over = used - self.width
            if over <= 0:
                break
            flexible = [i for i in shown if columns[i].names]
            slack = sum(max(0, widths[i] - columns[i].least) for i in flexible)
            if slack >= over or len(shown) == 1:
                _shrink(widths, [(i, columns[i].least) for i in flexible], over)
                break
            # A column that is not there misleads nobody; a figure cut in two does.
            shown.remove(max(shown[1:], key=lambda i: (columns[i].rank, i)))
        return shown, [widths[i] for i in shown]

    def _row(self, columns: Sequence[Column], cells: Sequence[Cell], widths: list[int]) -> None:
        text = Text(" " * INDENT)
        for place, (column, cell, width) in enumerate(zip(columns, cells, widths, strict=True)):
            if place:
                text.append(" " * GAP)
            piece = cell.copy() if isinstance(cell, Text) else Text(cell, style=column.style)
            if column.names and piece.cell_len > width:
                piece = Text(fit(piece.plain, width), style=piece.style)
            padding = " " * (width - piece.cell_len)
            text.append_text(piece).append(padding) if column.names else text.append(
                padding
            ).append_text(piece)
        text.truncate(self.width, overflow="ellipsis")
        self.lines.append(text)


def bar(parts: Sequence[tuple[float, str, str]], width: int, filled: float = 1.0) -> Text:
    """A bar of `width` cells of which `filled` (0 to 1) is drawn, split by the parts' shares.

    `parts` are (share, sign, style). Rounded so that the drawn cells always add up; a bar that
    stands for something is never empty.
    """
    whole = max(1, round(width * min(1.0, filled))) if filled > 0 else 0
    text = Text()
    drawn, reached = 0, 0.0
    total = sum(share for share, _, _ in parts) or 1.0
    for share, sign, style in parts:
        reached += share / total
        until = int(whole * reached + 0.5)
        text.append(sign * (until - drawn), style=style)
        drawn = max(drawn, until)
    return text.append(" " * (width - drawn))


def _wrapped(text: str, room: int) -> list[str]:
    """Lines of at most `room` characters, but for commands that are longer: these are whole."""
    command = rf"(`tracer-hooks{_NBSP}[^`]{{{room - 14},}}`\S*)"
    lines: list[str] = []
    for place, piece in enumerate(re.split(command, text)):
        lines += (
            [piece] if place % 2 else textwrap.wrap(piece.strip(), room, break_on_hyphens=False)
        )
    return lines


def _cells(cell: Cell) -> int:
    return cell.cell_len if isinstance(cell, Text) else cell_len(cell)


def _shrink(widths: list[int], columns: list[tuple[int, int]], over: int) -> None:
    """Take `over` cells from the given columns, the widest first, none below its least."""
    while over > 0:
        able = [(widths[i], i) for i, least in columns if widths[i] > least]
        if not able:
            return
        widest = max(able)[1]
        widths[widest] -= 1
        over -= 1
