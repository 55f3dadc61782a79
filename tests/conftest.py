"""What all tests share: engine tests must not be skipped in CI, and where Python 3.9 is."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tracer_hooks import query_cache

IN_CI = os.environ.get("CI", "").lower() == "true"

# A shared machine is slow now and then; a deadline per example would fail for that alone.
hypothesis.settings.register_profile("tracer", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("tracer")


# Under nohup, or in the background of a script, these are ignored, and what tests start would
# inherit that: what they say of Ctrl-C and of a hang-up would then be another thing.
for number, usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.fixture(autouse=True, scope="session")
def _no_queries_from_elsewhere() -> None:
    """A test may change what the analysis expresses: this process neither recalls nor keeps."""
    query_cache.use = lambda: None  # type: ignore[assignment]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, an engine test that skips has failed: `.ci/run` installs what it needs."""
    report = yield
    unplanned = report.skipped and not hasattr(report, "wasxfail")
    if IN_CI and unplanned and item.get_closest_marker("engine"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: an engine test may not skip in CI: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI, a whole module that skips (importorskip) is an error: its marks cannot be asked."""
    report = yield
    if IN_CI and report.skipped and isinstance(collector, pytest.Module):
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid}: skipped as a whole in CI: {_reason(report)}"
    return report


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With `--dist loadscope`, tests that share servers go where these run. (What xdist has for
    that, groups, does nothing with pytest 9.2.)"""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByServer(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            found = re.search(r"airflow/test_(?:every_kind|pages)\.py::.*\[(airflow-\d)", nodeid)
            return found[1] if found else nodeid

    return ByServer(config, log)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.fixture(scope="session")
def python39() -> str:
    """A Python 3.9, on which the supervisor must run; the test is skipped where there is none."""
    for candidate in _python39_candidates():
        try:
            done = subprocess.run(
                [candidate, "-I", "-S", "-c", "import sys; print(sys.version_info[:2] == (3, 9))"],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
        except OSError:
            continue
        if done.stdout.strip() == "True":
            return candidate
    pytest.skip("no Python 3.9 found: install one (pyenv, uv) or set TRACER_HOOKS_PYTHON39")


def _python39_candidates() -> Iterator[str]:
    named = os.environ.get("TRACER_HOOKS_PYTHON39")
    if named:
        yield named
    on_path = shutil.which("python3.9")
    if on_path:
        yield on_path
    homes = (
        Path(os.environ.get("PYENV_ROOT", "~/.pyenv")) / "versions",
        Path(os.environ.get("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python")),
    )
    for home in homes:
        for pattern in ("3.9*/bin/python3.9", "cpython-3.9*/bin/python3.9"):
            yield from map(str, sorted(home.expanduser().glob(pattern)))
