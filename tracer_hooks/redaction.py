"""Patterns that users add to the redactor through the environment."""

from __future__ import annotations

import os

from tracer_hooks.plugins import hookimpl

VARIABLE = "TRACER_HOOKS_REDACT"


@hookimpl
def tracer_hooks_redaction_patterns() -> list[str]:
    """The lines of TRACER_HOOKS_REDACT: regular expressions for what is secret here."""
    return [line for line in os.environ.get(VARIABLE, "").splitlines() if line.strip()]
