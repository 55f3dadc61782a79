"""The example notebook, executed by a real kernel."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import tracer_hooks as th

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("matplotlib")

pytestmark = pytest.mark.engine  # a kernel is a server of its own

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The store and the cells of the notebook, run in a folder of its own; any error fails."""
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copy(NOTEBOOK, folder)
    notebook = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        # A kernel that sees this does not capture what children print.
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        patch.delenv("TRACER_HOOKS_STORE", raising=False)
        client.execute()
    return folder / ".tracer", [cell for cell in notebook.cells if cell.cell_type == "code"]


def displayed(cells: list[Any], source: str, kind: str) -> str:
    """What the one cell with this in its source displays as `kind`."""
    (cell,) = [cell for cell in cells if source in cell.source]
    return "".join(str(o.data.get(kind, "")) for o in cell.outputs if "data" in o)


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_cells_blocks_and_commands_are_recorded(executed: tuple[Path, list[Any]]) -> None:
    tasks = th.Store(executed[0]).tasks()
    assert set(tasks["step"]) == {"simulate", "helpers", "sort", "tool"}
    helpers = tasks[tasks["step"] == "helpers"].iloc[0]
    assert helpers["process_count"] >= 60
    assert list(tasks.loc[tasks["step"] == "tool", "status"]) == ["succeeded", "failed"]


def test_reports_pages_frames_and_figures_display_themselves(
    executed: tuple[Path, list[Any]],
) -> None:
    cells = executed[1]
    for source in ("--step simulate", "--step helpers"):
        assert 'class="th-report"' in displayed(cells, source, "text/html")
    report = displayed(cells, "report = th.report", "text/html")
    assert 'class="th-report"' in report
    assert "What failed" in report
    page = displayed(cells, "th.show", "text/html")
    assert 'class="th-task"' in page
    assert "exit status 3" in page
    assert "<table" in displayed(cells, "report.tasks", "text/html")
    assert len(displayed(cells, "plt.show()", "image/png")) > 1000
