"""The configuration that switches observation on: `nextflow run … -c tracer.config`.

It sets one directive, `process.spack`, to a closure that answers nothing. Nextflow asks each task
for it before it asks for `beforeScript`, whatever the executor, and before it knows a hash; spack
itself stays off. That is the moment to put the hook before the task's own `beforeScript`, wherever
that came from: the process, `process.beforeScript`, `withName`, `withLabel`. Nothing of the
pipeline's or the site's configuration is replaced. Where somebody does use spack, see `carriers`.

What is compiled at the first task is kept in Nextflow's own folder (NXF_HOME), for each version of
ours and of the engine's, if that can be written: it is a second of each run otherwise.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracer_hooks.adapter import SUPERVISOR
from tracer_hooks.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOME = Path(__file__).resolve().parent

CARRIER = """\
{
    try {
        System.properties.computeIfAbsent('tracer.hooks', { name ->
            def settings = %(settings)s
            def load = { File kept, File making ->
                def options = new org.codehaus.groovy.control.CompilerConfiguration()
                if( making?.mkdirs() )
                    options.targetDirectory = making
                def loader = new GroovyClassLoader(nextflow.Session.classLoader, options)
                if( kept )
                    loader.addClasspath(kept.path)
                loader.addClasspath(%(engine)s)
                def found = loader.loadClass('TracerHooks')
                if( options.targetDirectory && !making.renameTo(kept) )
                    making.deleteDir()
                return found
            }
            def hooks
            try {
                def version = "${nextflow.BuildInfo.version}-%(sources)s"
                def kept = nextflow.Const.APP_HOME_DIR.resolve("tracer-hooks/${version}").toFile()
                def making = new File("${kept.path}.${ProcessHandle.current().pid()}")
                hooks = load(kept, kept.exists() ? null : making)
            }
            catch( Throwable ignored ) {
                hooks = load(null, null)
            }
            hooks.newInstance(nextflow.Global.session, settings)
        }).attach(task, %(dynamic)s)
    }
    catch( Throwable error ) {
        def why = error.toString().readLines().take(2).join(' ')
        if( System.properties.put('tracer.hooks', [attach: { task, dynamic -> }]) == null )
            org.slf4j.LoggerFactory.getLogger('nextflow.TracerHooks')
                .warn("tracer-hooks: nothing is recorded: ${why}".toString())
    }
    return %(value)s
}"""


@dataclass(frozen=True)
class Settings:
    """What a user chose; None leaves it to the engine's side, which knows the run."""

    store: str | None = None
    run: str | None = None
    pipeline: str | None = None
    capture: str | None = None
    interval_s: float | None = None
    argv_recorded: bool = True
    redact: Sequence[str] = ()

    def options(self) -> list[str]:
        """The supervisor's own options."""
        words = [] if self.capture is None else ["--capture", self.capture]
        words += [] if self.interval_s is None else ["--interval", repr(float(self.interval_s))]
        words += [] if self.argv_recorded else ["--no-argv"]
        return words + [word for pattern in self.redact for word in ("--redact", pattern)]


def render(settings: Settings, carriers: Mapping[str, str] | None = None) -> str:
    """The configuration file's text.

    `carriers` are selectors (`withName:X`, or "" for all processes) whose `spack` the user's own
    configuration sets, with its value as Groovy: that value is still what they answer.
    """
    lines = [
        f"// Made by tracer-hooks {__version__}: every task is observed. See docs/nextflow.md."
    ]
    chosen = {"": "null", **(carriers or {})}
    lines.append(f"process.spack = {_carrier(settings, chosen.pop(''))}")
    for selector, value in chosen.items():
        kind, _, pattern = selector.partition(":")
        carrier = _carrier(settings, value)
        lines.append(f"process {{ {kind}: {quoted(pattern)} {{ spack = {carrier} }} }}")
    return "\n".join(lines) + "\n"


def _sources_digest() -> str:
    """Names what was compiled by the content of what it was made of."""
    sources = sorted((HOME / "engine").glob("*.groovy"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def _carrier(settings: Settings, value: str) -> str:
    told = {
        "home": str(HOME),
        "python": sys.executable,
        "supervisor": str(SUPERVISOR),
        "store": settings.store,
        "run": settings.run,
        "pipeline": settings.pipeline,
    }
    pairs = [f"{name}: {quoted(text)}" for name, text in told.items() if text is not None]
    options = ", ".join(quoted(word) for word in settings.options())
    return CARRIER % {
        "engine": quoted(str(HOME / "engine")),
        "sources": _sources_digest(),
        "settings": f"[{', '.join(pairs)}, options: [{options}]]",
        "value": value,
        # Whether the task has a computed directive without us: a closure of the user's is called.
        "dynamic": "true" if value.endswith(".call()") else "false",
    }


def quoted(text: str) -> str:
    """`text` as a Groovy string in single quotes."""
    return "'" + json.dumps(text)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
