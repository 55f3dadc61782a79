"""Names from users, made harmless."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tracer_hooks.report.text import clean, encodable, fit
from tracer_hooks.report.units import UNKNOWN


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert clean("a\nb\x1b[31m\x7f") == "a␤b␛[31m␡"
    assert clean("\u202egnp\u200b\x9b") == "\ufffdgnp\ufffd\ufffd"


def test_no_name_and_an_empty_name_differ() -> None:
    assert clean(None) == "(none)"
    assert clean("") == "(empty)"


def test_the_end_of_a_long_name_stays() -> None:
    assert fit("align/sample_with_a_long_name_17", 16) == "align/sam…ame_17"
    assert fit("short", 16) == "short"


@given(st.text(), st.integers(0, 50))
def test_what_fits_fits_and_is_one_printable_line(text: str, width: int) -> None:
    shown = fit(text, width)
    assert cell_len(shown) <= width
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") for sign in shown)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_encoding_can_be_served(text: str) -> None:
    encodable(text, "ascii").encode("ascii")
    encodable(text, "latin-1").encode("latin-1")
    assert encodable(text, "utf-8") == text
    assert encodable("█▓▒░·≥…" + UNKNOWN, None) == "#rdn.>~-"
