"""A run that goes on, watched by `serve`, scraped by Prometheus, judged by our rules."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.command import SCRIPT, environment
from tests.server import serving
from tests.servers.daemon import server_folder, wait_until
from tests.servers.prometheus import Alertmanager, NodeExporter, Prometheus
from tracer_hooks.alert.settings import read_settings
from tracer_hooks.export.grafana.folder import Places, files

PIPELINE = "live"
# Seconds where the table has minutes, and a price that is soon reached.
SETTINGS = """
[budgets]
live = 1e-9
[measure]
idle_window_s = 2.0
memory_window_s = 24.0
memory_horizon_s = 60.0
[rules.stalled]
threshold = 4.0
clear = 2.0
for_s = 1.0
[rules.idle_cores]
for_s = 2.0
keep_firing_s = 0.0
[rules.memory_limit]
for_s = 1.0
keep_firing_s = 1.0
[rules.slow]
for_s = 1.0
[rules.failure_rate]
window_s = 300.0
keep_firing_s = 0.0
"""
BUSY = "import time\nend = time.monotonic() + {0}\nwhile time.monotonic() < end: sum(range(20000))"
STEADY = (
    "import time\nend = time.monotonic() + {0}\n"
    "while time.monotonic() < end:\n    sum(range(200000)); time.sleep(0.1)"
)
# Two megabytes a second: in a minute more than the 100 that it is given.
GROWING = (
    "import time\nkept = []\nend = time.monotonic() + {0}\n"
    "while time.monotonic() < end:\n    kept.append(b'x' * 400_000); time.sleep(0.2)"
)
TALKING = """
import socket, threading, time
server = socket.create_server(("127.0.0.1", 0))
def take():
    peer, _ = server.accept()
    while peer.recv(65536): pass
thread = threading.Thread(target=take); thread.start()
with socket.create_connection(server.getsockname()) as client:
    end = time.monotonic() + {0}
    while time.monotonic() < end: client.sendall(b"x" * 65536); time.sleep(0.01)
thread.join()
"""
WRITING = """
import os, time
end = time.monotonic() + {0}
with open(os.environ["SCRATCH"] + "/written", "wb") as file:
    while time.monotonic() < end:
        file.write(os.urandom(1_000_000)); file.flush(); os.fsync(file.fileno()); time.sleep(0.05)
"""


@dataclass
class Live:
    """The servers, and the tasks that were started."""

    store: Path
    prometheus: Prometheus
    alertmanager: Alertmanager
    tasks: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, step: str, name: str, *command: str, cpus: int = 1, memory: str = "1G") -> None:
        """Start a task behind the real supervisor."""
        argv = [
            SCRIPT, "run", "--store", str(self.store), "--run", "run1", "--pipeline", PIPELINE,
            "--step", step, "--task", name, "--cpus", str(cpus), "--memory", memory,
            "--interval", "0.5", "--", *command,
        ]  # fmt: skip
        self.tasks[name] = subprocess.Popen(
            argv, env=environment(SCRATCH=str(self.store.parent)), stdin=subprocess.DEVNULL
        )

    def python(self, step: str, name: str, code: str, seconds: float, memory: str = "1G") -> None:
        """A task that runs Python code for so long."""
        argv = [sys.executable, "-c", code.replace("{0}", str(seconds))]
        self.start(step, name, *argv, memory=memory)

    def firing(self, alert: str, step: str) -> bool:
        """Whether Alertmanager was told that this alert fires for this step."""
        return any(
            (told["labels"]["alertname"], told["labels"].get("step")) == (alert, step)
            for told in self.alertmanager.alerts()
        )

    def end(self) -> None:
        """End every task, and wait for it."""
        for task in self.tasks.values():
            task.terminate()
        for task in self.tasks.values():
            task.wait()


@contextlib.contextmanager
def watched(folder: Path, said: str = SETTINGS, *, sooner: bool = True) -> Iterator[Live]:
    """Everything running, as the files of `tracer-hooks grafana` set it up, with these settings of
    alerts; if `sooner`, with seconds between scrapes and evaluations."""
    settings = folder / "alerts.toml"
    settings.write_text(said)
    store = folder / "store"
    store.mkdir()
    with contextlib.ExitStack() as stack:
        often = ("--interval", "0.5", "--hold", "3") if sooner else ()
        served = serving.start(store, "--prices", "generic", "--alerts", str(settings), *often)
        stack.callback(served.kill)
        node = NodeExporter(stack.enter_context(server_folder("node")))
        stack.callback(node.stop)
        alertmanager = Alertmanager(stack.enter_context(server_folder("alertmanager")))
        stack.callback(alertmanager.stop)
        places = Places(
            serves=(served.url.removeprefix("http://"),), nodes=(node.address,),
            alertmanagers=(alertmanager.address,),
        )  # fmt: skip
        made = stack.enter_context(server_folder("prometheus"))
        texts = files(read_settings(settings).table, places)
        paced = _sooner if sooner else str
        rules = made / "rules"
        rules.mkdir(parents=True)
        (rules / "ours.yaml").write_text(paced(texts["prometheus/rules/tracer-hooks.yaml"]))
        prometheus = Prometheus(made, paced(texts["prometheus/prometheus.yml"]))
        stack.callback(prometheus.stop)
        # What ends before the first look has no increase.
        wait_until(lambda: len(prometheus.query("up == 1")) == 2, "the first scrapes")
        live = Live(store, prometheus, alertmanager)
        stack.callback(live.end)
        yield live


def _sooner(text: str) -> str:
    """Scrapes and evaluations every second."""
    return text.replace('"15s"', '"1s"')
