"""A real Slurm of one node, in a temporary folder, as root; it starts in a few seconds.

Debian's packages: slurmctld, slurmd, slurm-client, munge. Nothing of the system's own Slurm or
munge is read or changed: key, sockets, ports and state are this cluster's own. Also a script:

    python tests/slurm_node.py FOLDER    starts one, prints SLURM_CONF, ends with Ctrl-C
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo")
PATIENCE_S = 60
CONF = """\
ClusterName=tracer
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MinJobAge=600
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no Slurm here; None if there can."""
    if os.geteuid() != 0:
        return "a Slurm node has to be started as root"
    absent = [name for name in PROGRAMS if _program(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


class SlurmNode:
    """The daemons of one node. A context manager; `environment` is what its clients need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        }
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> SlurmNode:
        try:
            self._write()
            self._start("munged", "--foreground", "--force", *self._munge())
            _await("munge", (self.folder / "munge.socket").exists)
            self._start("slurmctld", "-D", "-c")
            self._start("slurmd", "-D")
            _await("the node", self._idle)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(exist_ok=True)
        # The executor's job step drops SLURM_CONF from the environment and then calls srun.
        srun = self.folder / "bin" / "srun"
        conf = self.environment["SLURM_CONF"]
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {_program("srun")} "$@"\n')
        srun.chmod(0o755)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        values = {
            "host": socket.gethostname().split(".")[0],
            "folder": self.folder,
            "controller_port": _free_port(),
            "node_port": _free_port(),
            "cpus": os.cpu_count(),
            # A node that has less than is promised for it is of no use to Slurm.
            "memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20 * 9 // 10,
        }
        (self.folder / "slurm.conf").write_text(CONF.format(**values))

    def _munge(self) -> list[str]:
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        files["log-file"] = "log"
        return [f"--{option}={self.folder}/munge.{name}" for option, name in files.items()]

    def _start(self, name: str, *arguments: str) -> None:
        program = _program(name)
        assert program is not None
        with (self.folder / f"{name}.out").open("wb") as out:
            daemon = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
            )
        self._daemons.append(daemon)

    def _idle(self) -> bool:
        for daemon in self._daemons:
            if daemon.poll() is not None:
                name = Path(str(daemon.args[0])).name  # type: ignore[index]
                said = (self.folder / f"{name}.out").read_text(errors="replace")
                raise RuntimeError(f"{name} ended: {said[-2000:]}")
        answer = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return answer.stdout.strip() == "idle"


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(what: str, ready: object) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come up in {PATIENCE_S} s")
        time.sleep(0.05)


if __name__ == "__main__":
    reason = missing()
    if reason:
        sys.exit(reason)
    with SlurmNode(Path(sys.argv[1]).absolute()) as node:
        for variable, value in node.environment.items():
            print(f"export {variable}={value}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
