"""The short way to import: complete, in order, and left where a file does not fit its source."""

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.supervisor.harness import SUPERVISOR
from tracer_hooks.supervisor.quick_import import SOCKETS, load

REPORT = """
import sys
folder = sys.argv[1]
for name, path in (("tracer_hooks", folder + "/.."), ("tracer_hooks.supervisor", folder)):
    package = type(sys)(name)
    package.__path__ = [path]
    sys.modules[name] = package
from tracer_hooks.supervisor import quick_import
lists = "START ATTACH RECORD HEAR EXITS LOOK EXIT_RECORDS SOCKETS FAILURES"
for names in [getattr(quick_import, name) for name in lists.split()]:
    quick_import.load(names)
    for name, module in sys.modules.items():
        if name.startswith("tracer_hooks.supervisor."):
            print(name.rpartition(".")[2], getattr(module, "__spec__", None) is None)
"""


def imported(folder: Path, *options: str) -> dict[str, bool]:
    """Module: whether it came by the short way, after all lists have been loaded."""
    argv = [sys.executable, "-I", "-S", *options, "-c", REPORT, str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    found = (line.split() for line in done.stdout.splitlines())
    return {name: quick == "True" for name, quick in found if name != "quick_import"}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package whose modules are all compiled."""
    copy = tmp_path / "tracer_hooks"
    shutil.copytree(SUPERVISOR.parent.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    compile_all = [sys.executable, "-I", "-m", "compileall", "-q", str(copy)]
    subprocess.run(compile_all, check=True)
    return copy / "supervisor"


def test_every_module_that_is_listed_comes_by_the_short_way(package: Path) -> None:
    found = imported(package)
    assert {"run", "record", "observer", "perf", "sockets", "peeks"} <= set(found)
    assert all(found.values()), "a module stands before one that it imports"


def test_what_is_imported_later_leaves_garbage_collected() -> None:
    assert gc.isenabled()
    load(SOCKETS)
    assert gc.isenabled()


def test_a_source_that_was_changed_since_is_imported_anew(package: Path) -> None:
    source = package / "tree.py"
    source.write_text(source.read_text() + "changed = True\n")
    found = imported(package)
    assert not found.get("tree", False)
    assert found["waits"]


@pytest.mark.parametrize("damage", ["gone", "empty", "of another version"])
def test_a_compiled_file_that_does_not_fit(package: Path, damage: str, tmp_path: Path) -> None:
    (compiled,) = (package / "__pycache__").glob("launch.*.pyc")
    data = compiled.read_bytes()
    if damage == "gone":
        compiled.unlink()
    else:
        compiled.write_bytes(b"" if damage == "empty" else b"abcd" + data[4:])
    argv = [sys.executable, "-I", "-S", str(package / "__main__.py"), "run"]
    argv += ["--store", str(tmp_path / "store"), "--", "sh", "-c", "exit 5"]
    assert subprocess.run(argv, timeout=30, check=False).returncode == 5


def test_compiled_files_elsewhere(package: Path, tmp_path: Path) -> None:
    assert not any(imported(package, "-X", f"pycache_prefix={tmp_path / 'cache'}").values())


def test_compiled_by_hash(package: Path) -> None:
    """As some distributions compile: such a file says nothing of when its source was changed."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1"}
    argv = [sys.executable, "-m", "compileall", "-qf", str(package)]
    subprocess.run(argv, check=True, env=environment)
    assert not any(imported(package).values())


EXTENSIONS = """
import sys
sys.path.insert(0, sys.argv[1])
if sys.argv[2] == "short":
    from tracer_hooks.supervisor.quick_import import load_for_start
    load_for_start()
    loaded = {name for name in ("_ctypes", "mmap", "resource") if name in sys.modules}
    assert loaded | set(sys.builtin_module_names) >= {"_ctypes", "mmap", "resource"}, loaded
import _ctypes, ctypes, mmap, resource
assert ctypes.CDLL(None).getpid() > 0
with mmap.mmap(-1, 4096) as page:
    page[:2] = b"ok"
print(*(getattr(m, "__file__", None) for m in (_ctypes, mmap, resource)), resource.RUSAGE_SELF)
"""


def test_extension_modules_are_the_same_by_either_way(package: Path) -> None:
    shown = [
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", EXTENSIONS, str(package.parents[1]), way],
            capture_output=True, text=True, check=True,
        ).stdout
        for way in ("short", "long")
    ]  # fmt: skip
    assert shown[0] == shown[1] != ""


def test_an_interpreter_whose_extension_modules_are_elsewhere(
    package: Path, tmp_path: Path
) -> None:
    """The import statement finds them, or the fallbacks serve."""
    program = (
        "import sys, runpy; sys.path.insert(0, '/nowhere/lib-dynload'); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    argv = [sys.executable, "-I", "-S", "-c", program, str(package / "__main__.py"), "run"]
    argv += ["--store", str(tmp_path / "store"), "--", "sh", "-c", "exit 5"]
    assert subprocess.run(argv, timeout=30, check=False).returncode == 5
    (spool,) = (tmp_path / "store").glob("spool/*/*.jsonl")
    assert '"status":"failed"' in spool.read_text()
