"""The hooks: documented as they are, used by what is built in, and open to what is installed."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracer_hooks import plugins

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"
EXAMPLES = re.findall(r"```python\n(from .*?)```", DOCUMENT.read_text(), re.DOTALL)
HOOKS = [name for name in vars(plugins.Hooks) if name.startswith("tracer_hooks_")]


def declaration(name: str) -> str:
    """The hook's signature as it would be written in Python."""
    signature = inspect.signature(getattr(plugins.Hooks, name))
    return f"def {name}{signature}: ...".replace("'", "")


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_documented_with_its_signature_and_an_example(name: str) -> None:
    text = DOCUMENT.read_text()
    assert f"```python\n{declaration(name)}\n```" in text
    assert re.search(rf"@hookimpl\ndef {name}\(", text), f"no example for {name}"


def test_the_document_knows_no_other_hooks() -> None:
    documented = set(re.findall(r"\btracer_hooks_\w+(?=\()", DOCUMENT.read_text()))
    assert documented == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_used_by_something_built_in(name: str) -> None:
    users = getattr(plugins.create().hook, name).get_hookimpls()
    assert [user.plugin_name for user in users if user.plugin_name in plugins.BUILT_IN]


@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(from .*?)```", DOCUMENT.read_text(), re.S)
)
def test_the_examples_run_and_are_accepted(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {}
    exec(compile(block, str(DOCUMENT), "exec"), namespace)  # noqa: S102 - our own document
    manager = plugins.create()
    manager.register(type("Example", (), {k: v for k, v in namespace.items() if k in HOOKS}))
    plugins.renderers(manager)
    plugins.exporters(manager)
    plugins.senders(manager)
    plugins.tool_rules(manager)
    plugins.redaction_patterns(manager)
    assert all(sheet() for name, sheet in plugins.price_sheets(manager).items())
    plugins.cli_commands(manager)
    assert capsys.readouterr().err == ""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on sys.path to install plugins into."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._warned().clear()
    yield tmp_path
    plugins._warned().clear()


def install(site: Path, module: str, source: str) -> None:
    """What pip leaves of a distribution with one module and an entry point."""
    (site / f"{module}.py").write_text("from tracer_hooks.plugins import hookimpl\n" + source)
    metadata = site / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[tracer_hooks]\n{module} = {module}\n")


def test_an_installed_plugin_adds_a_format(site: Path) -> None:
    install(
        site,
        "steps_csv_plugin",
        "class Csv:\n"
        "    def render(self, report, *, color, width):\n"
        "        return f'{width} {color}'\n"
        "@hookimpl\n"
        "def tracer_hooks_report_renderers():\n"
        "    return {'steps-csv': Csv()}\n",
    )
    formats = plugins.renderers(plugins.create())
    assert set(formats) == {"text", "json", "markdown", "html", "steps-csv"}
    assert formats["steps-csv"].render(None, color=False, width=7) == "7 False"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "source",
    [
        "raise RuntimeError('at\\nimport')",
        "import a_module_that_is_not_there",
        "@hookimpl\ndef tracer_hooks_report_renderers():\n    raise KeyError('inside')",
        "@hookimpl\ndef tracer_hooks_report_renderers():\n    return ['no', 'dict']",
        "@hookimpl\ndef tracer_hooks_report_renderers():\n    return {'x': object()}",
        "@hookimpl\ndef tracer_hooks_report_renderers(argument_that_no_hook_has):\n    return {}",
        "@hookimpl\ndef tracer_hooks_exporters():\n    return {'x': object()}",
        "@hookimpl\ndef tracer_hooks_senders():\n    return {'x': object()}",
        "@hookimpl\ndef tracer_hooks_redaction_patterns():\n    return ['(']",
        "@hookimpl\ndef tracer_hooks_tool_rules():\n    return {}",
        "@hookimpl\ndef tracer_hooks_cli_commands():\n    return ['x']",
        "@hookimpl\ndef tracer_hooks_price_sheets():\n    return {'x': 1}",
    ],
)
def test_a_broken_plugin_costs_one_line(
    site: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    install(site, "broken_plugin", source + "\n")
    manager = plugins.create()
    for _ in range(2):
        assert {"text", "json", "markdown"} <= set(plugins.renderers(manager))
        assert set(plugins.exporters(manager)) == {"perfetto", "speedscope", "openmetrics"}
        assert set(plugins.senders(manager)) == {"otlp", "postgres"}
        assert plugins.tool_rules(manager).programs
        assert plugins.redaction_patterns(manager) == []
        assert set(plugins.price_sheets(manager)) == {"list", "generic", "libcloud"}
        assert "report" in plugins.cli_commands(manager)
    assert re.fullmatch(
        r"tracer-hooks: warning: plugin 'broken_plugin' is left out: .+\n", capsys.readouterr().err
    )


def test_a_plugin_adds_commands_but_takes_no_name_that_is_taken(site: Path) -> None:
    install(
        site,
        "greeting_plugin",
        "from tracer_hooks.cli.command import Command\n"
        "@hookimpl\n"
        "def tracer_hooks_cli_commands():\n"
        "    new = [Command(n, 's', 'e', print, print) for n in ('hello', 'report')]\n"
        "    return new\n",
    )
    commands = plugins.cli_commands(plugins.create())
    assert commands["hello"].summary == "s"
    assert commands["report"].summary != "s"


def test_patterns_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACER_HOOKS_REDACT", "patient-\\d+\n\nsecret")
    assert plugins.redaction_patterns(plugins.create()) == ["patient-\\d+", "secret"]


def test_a_built_in_that_fails_is_a_defect_and_not_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tracer_hooks.redaction

    def fails() -> list[str]:
        raise RuntimeError("ours")

    manager = plugins.create()
    implementation = manager.hook.tracer_hooks_redaction_patterns.get_hookimpls()[0]
    assert implementation.plugin is tracer_hooks.redaction
    monkeypatch.setattr(implementation, "function", fails)
    with pytest.raises(RuntimeError, match="ours"):
        plugins.redaction_patterns(manager)
