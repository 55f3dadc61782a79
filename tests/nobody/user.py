"""Commands as the user nobody, with the Python, the packages and the repository of the tests.

These often lie in a folder that other users may not enter, as /root is. Then the command gets a
mount namespace of its own, in which that folder holds nothing but what it needs, at the same paths.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
NEEDED = (REPOSITORY, Path(sys.prefix), Path(os.path.realpath(sys.executable)).parents[1])
_SHOW = """\
set -e
stage=$1; shift
closed=$1; shift
while [ "$1" != -- ]; do
    mkdir -p "$stage$1"
    mount --bind "$1" "$stage$1"
    shift
done
shift
mount --rbind "$stage$closed" "$closed"
exec setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --no-new-privs "$@"
"""


def closed_above(path: Path) -> Path | None:
    """The uppermost folder above `path` that others may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


class Nobody:
    """Runs commands as nobody; `why_not` says what keeps it from that."""

    def __init__(self) -> None:
        self.why_not = ""
        self._made: list[Path] = []
        self._stage: Path | None = None
        self._prefix: list[str] = []
        if os.geteuid() != 0:
            return  # we are nobody special ourselves
        closed = {found for path in NEEDED if (found := closed_above(path))}
        if len(closed) > 1:
            self.why_not = f"more than one folder is closed to others: {sorted(map(str, closed))}"
        elif closed:
            (folder,) = closed
            shown = [str(path) for path in NEEDED if path.is_relative_to(folder)]
            self._stage = self.folder("stage", owner="root")
            head = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SHOW, "sh"]
            self._prefix = [*head, str(self._stage), str(folder), *dict.fromkeys(shown), "--"]
        if not self.why_not:
            done = self.run(sys.executable, "-c", "import tracer_hooks", cwd=Path("/"))
            if done.returncode:
                self.why_not = f"the user nobody can't run {sys.executable}: {done.stderr[-300:]}"

    def folder(self, name: str, owner: str = "nobody") -> Path:
        """A new folder that everybody may enter."""
        made = Path(tempfile.mkdtemp(prefix=f"tracer-hooks-{name}-"))
        made.chmod(0o755)
        self._made.append(made)
        if os.geteuid() == 0:
            shutil.chown(made, owner)
        return made

    def run(
        self, *command: str, cwd: Path, env: dict[str, str] | None = None, timeout: float = 200
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` to its end."""
        home = {"HOME": str(cwd), "USER": "nobody", "LOGNAME": "nobody"}
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        environment = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **home, **(env or {})}
        user = None
        if os.geteuid() == 0 and not self._prefix:
            user = pwd.getpwnam("nobody")
        return subprocess.run(
            [*self._prefix, *command], cwd=cwd, env=environment, timeout=timeout,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            user=user and user.pw_uid, group=user and user.pw_gid,
            extra_groups=None if user is None else [],
        )  # fmt: skip

    def close(self) -> None:
        """Remove what was made."""
        for folder in self._made:
            if folder == self._stage:  # others' folders may be mounted here: nothing but itself
                for below, _, _ in os.walk(folder, topdown=False):
                    Path(below).rmdir()
            else:
                shutil.rmtree(folder, ignore_errors=True)
