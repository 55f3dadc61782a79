"""The servers that the tests of this folder share, each started when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.daemon import server_folder
from tests.servers.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with server_folder("postgres") as folder:
        server = Postgres(folder)
        yield server
        server.stop()
