"""Nextflow itself, fetched once from Maven Central and kept in .cache/nextflow.

Nextflow's own launcher script downloads from places that a test machine may not reach; the engine
is on Maven Central too. Needs Debian's maven and a Java 17. Also a script:

    python tests/nextflow/fetch_engine.py [VERSION]    prints the path of a `nextflow` command

TRACER_HOOKS_NEXTFLOW_CACHE names another folder to keep it in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

NEWEST = "25.04.4"
OLDEST = "24.10.0"
VERSIONS = (OLDEST, NEWEST)
ROOT = Path(__file__).resolve().parents[2]
# 25.04 needs the language module, of which one version is published, and names a tracing library
# that is not published; nothing that runs here calls that.
_MODULES = {
    OLDEST: {"nextflow": OLDEST, "nf-commons": OLDEST, "nf-httpfs": OLDEST},
    NEWEST: {"nextflow": NEWEST, "nf-commons": NEWEST, "nf-httpfs": NEWEST, "nf-lang": "25.04.0"},
}
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tracer.hooks</groupId><artifactId>engine</artifactId><version>1</version>
<packaging>pom</packaging><dependencies>{}</dependencies></project>
"""
_DEPENDENCY = """\
<dependency><groupId>io.nextflow</groupId><artifactId>{}</artifactId><version>{}</version>
<exclusions><exclusion><groupId>io.seqera</groupId><artifactId>lib-trace</artifactId></exclusion>
</exclusions></dependency>
"""
# The packages that Nextflow's launcher opens to Groovy.
_OPENED = [
    "java.lang",
    "java.io",
    "java.nio",
    "java.nio.file.spi",
    "java.net",
    "java.util",
    "java.util.concurrent.locks",
    "java.util.concurrent.atomic",
    "java.util.regex",
    "sun.nio.ch",
    "sun.nio.fs",
    "sun.net.www.protocol.http",
    "sun.net.www.protocol.https",
    "sun.net.www.protocol.ftp",
    "sun.net.www.protocol.file",
    "jdk.internal.misc",
    "jdk.internal.vm",
]
_LAUNCHER = """\
#!/bin/bash
# Nextflow {version}, as its own launcher starts it, without plugins and without a network.
export NXF_OFFLINE=true NXF_PLUGINS_DEFAULT=false
export NXF_HOME=${{NXF_HOME:-{home}}}
exec java -Dfile.encoding=UTF-8 -Dcapsule.trampoline -Djava.awt.headless=true \\
    -XX:+TieredCompilation -XX:TieredStopAtLevel=1 {opens} \\
    -cp "{lib}/*" nextflow.cli.Launcher "$@"
"""


def missing() -> str | None:
    """Why Nextflow cannot run here; None if it can."""
    absent = [name for name in ("java", "mvn") if shutil.which(name) is None]
    packages = "Debian: openjdk-17-jre-headless maven"
    return f"not installed: {', '.join(absent)} ({packages})" if absent else None


def fetch(version: str = NEWEST) -> Path:
    """The command `nextflow` of this version. RuntimeError says why there is none."""
    cache = Path(os.environ.get("TRACER_HOOKS_NEXTFLOW_CACHE") or ROOT / ".cache" / "nextflow")
    folder = cache.absolute() / version
    launcher = folder / "nextflow"
    if launcher.exists():
        return launcher
    partial = folder.with_name(f"{version}.{os.getpid()}")
    try:
        _resolve(version, partial)
        opens = " ".join(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED)
        text = _LAUNCHER.format(
            version=version, home=cache.absolute() / "home", lib=folder / "lib", opens=opens
        )
        (partial / "nextflow").write_text(text)
        (partial / "nextflow").chmod(0o755)
        try:
            partial.rename(folder)
        except OSError:  # another process was quicker
            if not launcher.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return launcher


def _resolve(version: str, folder: Path) -> None:
    """Copy the engine and all that it needs into `folder`/lib."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_DEPENDENCY.format(escape(n), escape(v)) for n, v in _MODULES[version].items()]
    (folder / "pom.xml").write_text(_POM.format("".join(parts)))
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if "ERROR" in line][:1]
        why = (said or ["mvn failed"])[0]
        raise RuntimeError(f"Nextflow {version} cannot be fetched from Maven Central: {why}")


if __name__ == "__main__":
    reason = missing()
    if reason:
        sys.exit(reason)
    print(fetch(*sys.argv[1:2]))
