"""Text from anywhere, made fit for Arrow and Parquet."""

from __future__ import annotations


def clean(text: str) -> str:
    """`text` as valid Unicode: a byte that was not UTF-8 is shown as `\\xff`, a lone surrogate as
    `\\ud800`. What is valid stays as it is."""
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:
            return text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text
