"""House rules that a machine can hold: layers, file sizes, what documents promise."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracer_hooks

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tracer_hooks"
INTEGRATIONS = ROOT / "integrations"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *INTEGRATIONS.rglob("*.py")])
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
# In the standard library now, but not on Python 3.9, where the supervisor has to run.
AFTER_39 = {"annotationlib", "compression", "string.templatelib", "tomllib"}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file, except for type checkers alone."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.dump(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports here are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(folder: Path, *forbidden: str) -> list[str]:
    """Imports in `folder` (or of one file) of a forbidden module or anything in it."""
    paths = [folder] if folder.suffix == ".py" else sorted(folder.rglob("*.py"))
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in paths
        for module in imports(path)
        if any(module == name or module.startswith(name + ".") for name in forbidden)
    ]


def test_the_supervisor_uses_the_standard_library_of_python_39_alone() -> None:
    allowed = set(sys.stdlib_module_names) - AFTER_39
    for path in sorted((PACKAGE / "supervisor").rglob("*.py")):
        for module in imports(path):
            own = module.startswith(("tracer_hooks.supervisor", "tracer_hooks.version"))
            assert own or module.partition(".")[0] in allowed, f"{path.name} imports {module}"


def test_the_supervisor_is_written_in_python_39() -> None:
    for path in sorted((PACKAGE / "supervisor").rglob("*.py")):
        ast.parse(path.read_bytes(), filename=str(path), feature_version=(3, 9))


def test_the_supervisor_compiles_on_python_39(python39: str) -> None:
    sources = [str(path) for path in (PACKAGE / "supervisor").rglob("*.py")]
    check = "import sys; [compile(open(p, 'rb').read(), p, 'exec') for p in sys.argv[1:]]"
    subprocess.run([python39, "-I", "-S", "-c", check, *sources], check=True, timeout=60)


def test_data_flows_one_way() -> None:
    """DESIGN, section 2: each stage reads only what the stage before it wrote."""
    cli, store, report = "tracer_hooks.cli", "tracer_hooks.store", "tracer_hooks.report"
    analysis, supervisor = "tracer_hooks.analysis", "tracer_hooks.supervisor"
    rules: list[tuple[Path, tuple[str, ...]]] = [
        # No adapter imports the store; the end of a run goes through tracer_hooks.finish.
        (INTEGRATIONS, (store, analysis, report, cli)),
        (PACKAGE / "adapter.py", (store, analysis, report, cli)),
        # The supervisor knows no Parquet, the store no analysis, the analysis no file.
        (PACKAGE / "supervisor", (store, analysis, report, cli)),
        (PACKAGE / "store", (analysis, report, cli)),
        (PACKAGE / "analysis", (supervisor, report, cli, "tracer_hooks.reading")),
        # An export takes what the analysis hands it, and knows nothing of how reports read.
        (PACKAGE / "export", (supervisor, store, report, cli)),
        # No report opens a spool.
        (PACKAGE / "report", (supervisor, f"{store}.spool", f"{store}.layout", cli)),
    ]
    broken = [line for folder, forbidden in rules for line in offenders(folder, *forbidden)]
    assert not broken, "\n".join(broken)


def test_nothing_imports_the_command_line() -> None:
    for path in PACKAGE.rglob("*.py"):
        if PACKAGE / "cli" not in path.parents and path != PACKAGE / "__main__.py":
            assert not offenders(path, "tracer_hooks.cli")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_small(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines: one subject per file"


def test_the_version_has_its_place_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "\n## [Unreleased]\n" in changelog
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    # Before the first release the version names what Unreleased will become.
    assert not released or released[0] == tracer_hooks.__version__


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_in_documents_resolve(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, heading = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), f"{path.name} links to {target}"
        if heading:
            assert heading in headings(linked), f"{path.name} links to {target}"


def headings(path: Path) -> set[str]:
    """The anchors that a Markdown file offers, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def commands_in_documents() -> list[str]:
    found: set[str] = set()
    for path in DOCUMENTS:
        if path.name == "plugins.md":  # its examples are commands that a plugin would add
            continue
        for code in re.findall(r"```.*?```|`[^`\n]+`|^    [^\n]+$", path.read_text(), re.S | re.M):
            found.update(re.findall(r"(?:^|[\s`$])tracer-hooks ([a-z]+)\b", code))
    return sorted(found)


@pytest.mark.parametrize("command", commands_in_documents())
def test_commands_in_documents_exist(command: str) -> None:
    argv = [sys.executable, "-m", "tracer_hooks", command, "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_make_targets_in_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    for path in DOCUMENTS:
        for target in re.findall(r"`make ([a-z][a-z0-9-]*)", path.read_text()):
            assert target in targets, f"{path.name} names `make {target}`"


def test_names_in_the_readme_are_public() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in re.findall(r"\bth\.([A-Za-z_]+)", readme):
        assert name in tracer_hooks.__all__, f"README.md uses th.{name}"
