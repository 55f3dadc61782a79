"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nobody.user import Nobody


@pytest.fixture(scope="session")
def nobody() -> Iterator[Nobody]:
    """The user nobody; whoever is not root is nobody special and shows the same."""
    made = Nobody()
    if made.why_not:
        pytest.skip(made.why_not)
    yield made
    made.close()


@pytest.fixture
def folder(nobody: Nobody) -> Path:
    """An empty folder that belongs to nobody."""
    return nobody.folder("nobody")
