"""`%%tracer` in a real notebook, executed by a real kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tracer_hooks as th

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

pytestmark = pytest.mark.engine  # a kernel is a server of its own

CELLS = (
    "%load_ext tracer_hooks",
    (
        "%%tracer --step sum --cpus 2 --memory 1G --tag kind=test\n"
        "import subprocess\n"
        "total = sum(range(3_000_000))\n"
        "subprocess.run(['sh', '-c', 'echo from a child'])\n"
        "!echo from the shell\n"
        "total"
    ),
    "%%tracer\nhidden = 41;",
    "%%tracer --quiet\nhidden + 1",
    "%%tracer\nprint('before')\n1 / 0",
    "%%tracer --memroy 1G\nnever = True",
    "%%tracer --memory lots\nnever = True",
    "%%tracer --step 'open\nnever = True",
    "%%tracer\nimport asyncio\nawait asyncio.sleep(0)",
    "%%tracer --quiet\ndef f(:\n",
    "'never' in dir(), hidden",
    "%%tracer --help\nnever = True",
    "import tracer_hooks as th; th.report()",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The store and the cells of a notebook that a real kernel has executed."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        # A kernel that sees this does not capture what children print.
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        client.execute()
    return folder / ".tracer", notebook.cells


def text(cell: Any) -> str:
    """What the cell printed."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def html(cell: Any) -> str:
    """What the cell displays as HTML."""
    return "".join(o.data.get("text/html", "") for o in cell.outputs if "data" in o)


def errors(cell: Any) -> list[Any]:
    """The errors below the cell."""
    return [output for output in cell.outputs if output.output_type == "error"]


def test_a_traced_cell_does_what_it_does_without(executed: tuple[Path, list[Any]]) -> None:
    cell = executed[1][1]
    assert "from a child" in text(cell)
    assert "from the shell" in text(cell)
    (result,) = [output for output in cell.outputs if output.output_type == "execute_result"]
    assert result.data["text/plain"] == str(sum(range(3_000_000)))
    assert not errors(cell)


def test_the_report_is_below_the_cell(executed: tuple[Path, list[Any]]) -> None:
    cell = executed[1][1]
    assert html(cell).count('class="th-report"') == 1
    assert "sum" in html(cell)


def test_a_semicolon_hides_the_value_and_quiet_the_report(
    executed: tuple[Path, list[Any]],
) -> None:
    hidden, quiet = executed[1][2], executed[1][3]
    assert not [o for o in hidden.outputs if o.output_type == "execute_result"]
    assert "th-report" in html(hidden)
    assert html(quiet) == ""
    assert quiet.outputs[0].data["text/plain"] == "42"


def test_an_error_in_the_cell_is_shown_once_and_recorded(executed: tuple[Path, list[Any]]) -> None:
    cell = executed[1][4]
    (error,) = errors(cell)
    assert error.ename == "ZeroDivisionError"
    assert text(cell) == "before\n"
    assert "th-report" in html(cell)
    assert "failed" in html(cell)


@pytest.mark.parametrize(
    ("number", "words"),
    [(5, "--memroy"), (6, "is not a size"), (7, "No closing quotation"), (8, "cannot await")],
)
def test_usage_errors_are_one_line_and_the_cell_does_not_run(
    number: int, words: str, executed: tuple[Path, list[Any]]
) -> None:
    (error,) = errors(executed[1][number])
    (line,) = error.traceback
    assert line.startswith("tracer-hooks: error: %%tracer") or "tracer-hooks: error:" in line
    assert words in line
    assert executed[1][10].outputs[0].data["text/plain"] == "(False, 41)"


def test_a_syntax_error_is_pythons_own(executed: tuple[Path, list[Any]]) -> None:
    (error,) = errors(executed[1][9])
    assert error.ename == "SyntaxError"


def test_help(executed: tuple[Path, list[Any]]) -> None:
    assert "%%tracer [--run R]" in text(executed[1][11])


def test_the_cells_are_tasks_of_one_run(executed: tuple[Path, list[Any]]) -> None:
    tasks = th.Store(executed[0]).tasks()
    assert tasks["run_id"].nunique() == 1
    assert list(tasks["step"]) == ["sum", "cell", "cell", "cell"]
    assert list(tasks["status"]) == ["succeeded", "succeeded", "succeeded", "failed"]
    assert tasks["task_id"].is_unique
    first = tasks.iloc[0]
    assert (first["cpus_requested"], first["memory_requested_bytes"]) == (2, 1024**3)


def test_a_report_displays_itself(executed: tuple[Path, list[Any]]) -> None:
    cell = executed[1][12]
    assert not errors(cell)
    assert html(cell).count('class="th-report"') == 1
