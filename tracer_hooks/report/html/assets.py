"""The files that the page is made of, and the policy that lets the browser run them alone."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from markupsafe import Markup

_STYLES = ("base", "layout", "tables", "charts", "dialog", "print")
_SCRIPTS = (
    "dom", "format", "theme", "data", "charts", "courses", "timeline_lanes", "timeline", "treemap",
    "table_model", "table", "processes", "dialog", "main",
)  # fmt: skip


@cache
def style() -> Markup:
    """All style sheets, as the content of a <style>."""
    return Markup("\n".join(_text("css", f"{name}.css") for name in _STYLES))  # noqa: S704 - our own


@cache
def script() -> Markup:
    """All of our scripts in one function, as the content of a <script>."""
    body = "\n".join(_text("js", f"{name}.js") for name in _SCRIPTS)
    return Markup(f"(() => {{\n'use strict';\n{body}\n}})();")  # noqa: S704 - our own


@cache
def library() -> Markup:
    """The charting library, as the content of a <script>."""
    return Markup(_text("assets", "echarts.min.js"))  # noqa: S704 - built from the released package


@cache
def notices() -> str:
    """What the licences of what is embedded ask to be passed on."""
    return _text("assets", "NOTICE")


def policy() -> str:
    """The content security policy: these scripts and styles, and no connection to anywhere."""
    scripts = " ".join(map(_source, (library(), script())))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {_source(style())};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _text(*path: str) -> str:
    return files("tracer_hooks.report.html").joinpath(*path).read_text(encoding="utf-8")
