"""`export` to a server: what is refused before anything is sent."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.command import tracer_hooks
from tests.servers.daemon import free_port
from tracer_hooks.errors import TracerError
from tracer_hooks.export import postgres

URL = "postgresql://ada@127.0.0.1:1/pipelines"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["postgres"], "say where to: --to postgresql://USER@HOST/DATABASE"),
        (["postgres", URL, "--to", URL], "just one"),
        (["postgres", "--to", "http://db"], "http://db is no database"),
        (["postgres", "--to", URL, "--output", "x"], "use --to instead of --output"),
        (["postgres", "first", "--all", "--to", URL], "name runs, or write --all"),
        (["postgres", "--to", URL, "--wait", "soon"], "is not a duration"),
        (["perfetto", "--to", URL], "use --output instead of --to"),
        (["perfetto", "--all"], "use --output instead of --all"),
        (["perfetto", "--follow"], "use --output instead of --follow"),
        (["speedscope", "first", "second"], "takes one run"),
    ],
)
def test_what_makes_no_sense_is_one_line(recorded: Path, arguments: list[str], said: str) -> None:
    done = tracer_hooks("export", *arguments, "--store", recorded)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_server_that_is_not_there_is_one_line_and_no_password(recorded: Path) -> None:
    url = f"postgresql://ada:secret@127.0.0.1:{free_port()}/x"
    done = tracer_hooks("export", "postgres", url, "--wait", "0", "--store", recorded)
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(TracerError, match=r"pip install 'tracer-hooks\[postgres\]'"):
        postgres.connect(URL, patience_s=0, tell=print)


def test_following_begins_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves the tasks their cores: it waits twenty times as long as it worked."""
    from tracer_hooks.cli import export_send
    from tracer_hooks.cli.application import main

    waits: list[float] = []

    nowhere = SimpleNamespace(send=None, close=lambda: None)
    sender = SimpleNamespace(connect=lambda *_, **how: nowhere, target=URL, summary="")

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise KeyboardInterrupt

    # of its own: other threads of this process wait and measure too
    spent = iter((0.0, 0.5, 10.0, 13.0))
    own_time = SimpleNamespace(process_time=lambda: next(spent), sleep=sleep)
    monkeypatch.setattr(export_send, "time", own_time)
    monkeypatch.setattr("tracer_hooks.plugins.senders", lambda: {"postgres": sender})
    argv = ["export", "postgres", URL, "--all", "--follow", "2", "--store", str(tmp_path / "s")]
    assert main(argv) == 130
    assert waits == [10.0, 60.0]
