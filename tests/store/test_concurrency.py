"""Several ingests, compactions and readers at once, as processes, on one store."""

from __future__ import annotations

from pathlib import Path

from . import spools
from .forking import Actor
from .test_killing import finish

_ROUNDS = 6


def test_writers_ingests_compactions_and_readers_at_once(tmp_path: Path) -> None:
    """Readers see all that was written before they began, once; at the end nothing is missing."""
    expected: list[str] = []

    def more(count: int) -> None:
        for _ in range(count):
            spools.write(tmp_path, spools.attempt(f"t{len(expected)}"))
            expected.append(f"t{len(expected)}")
        (tmp_path / "new").write_text(str(len(expected)))
        (tmp_path / "new").replace(tmp_path / "written")

    more(20)
    actors = [Actor() for _ in range(5)]
    jobs = ["loop_ingest", "loop_ingest", "loop_compact", "loop_compact", "loop_read"]
    checker = Actor()
    try:
        for actor, job in zip(actors, jobs, strict=True):
            actor.start(tmp_path, job)
        for _ in range(_ROUNDS):
            more(3)
            checker.start(tmp_path, "read")
            assert checker.wait() == 0
        (tmp_path / "stop").touch()
        assert [actor.wait() for actor in actors] == [0] * len(actors)
    finally:
        (tmp_path / "stop").touch()
        for actor in [*actors, checker]:
            actor.close()
    finish(tmp_path, expected)
