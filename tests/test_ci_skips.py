"""In CI a skipped engine test is a failure; elsewhere it is a skip."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.mark.engine
def test_without_its_tool():
    pytest.skip("no such tool here")

@pytest.mark.engine
@pytest.mark.skipif(True, reason="not on this machine")
def test_marked():
    pass

@pytest.mark.engine
@pytest.mark.xfail(reason="known")
def test_known_defect():
    assert False

@pytest.fixture
def tool():
    pytest.skip("no such tool here")

@pytest.mark.engine
def test_fixture_without_its_tool(tool):
    pass

def test_of_no_engine():
    pytest.skip("not here")
"""


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers =\n    engine: as in pyproject.toml\n")
    pytester.makepyfile(TESTS)
    return pytester


def test_in_ci(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    outcome = inner.runpytest_subprocess("-p", "no:cacheprovider")
    # A skip in a fixture happens at set-up, which pytest counts as an error.
    outcome.assert_outcomes(failed=1, errors=2, xfailed=1, skipped=1)
    assert outcome.ret == 1
    outcome.stdout.fnmatch_lines(["*an engine test may not skip in CI*no such tool here*"])


def test_elsewhere(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    outcome = inner.runpytest_subprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(xfailed=1, skipped=4)
    assert outcome.ret == 0


def test_a_module_that_skips_as_a_whole_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_engine')\n")
    monkeypatch.setenv("CI", "true")
    assert pytester.runpytest_subprocess("-p", "no:cacheprovider").ret != 0
    monkeypatch.delenv("CI")
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(skipped=1)
