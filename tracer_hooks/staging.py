"""A store behind a URL: the folder on this machine in which its spools are written.

Tasks append to files, which object stores can't. So the spools of `s3://lab/traces` lie in a folder
here, whose file `store.url` says where ingest puts the Parquet files. Whoever is handed the folder
(a supervisor, another process) needs to know nothing else. Standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks.supervisor import identifiers

STAGING_VARIABLE = "TRACER_HOOKS_STAGING"
URL_FILE = "store.url"
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://")
# Here what stands before the @ is no key, but a part of the place: container or account.
_AZURE = ("abfs", "abfss")


def is_url(store: str) -> bool:
    """Whether `store` names a place by URL; a `file:` URL counts too."""
    return _SCHEME.match(store) is not None


def shown(url: str) -> str:
    """The URL without credentials and options, for messages; of any URL, however it is written."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.lower()}://{_cut(scheme, rest)[1]}"


def staging_folder(url: str) -> Path:
    """The folder for the spools of the store at `url`: below TRACER_HOOKS_STAGING, else below the
    user's state directory. A `file:` URL is the folder that it names.

    However the URL of a place is spelled, the folder is the same. Raises UsageError if it is none,
    TracerError if there is no folder to be had.
    """
    try:
        parts = urlsplit(url)
        options = parse_qs(parts.query)
    except ValueError as error:
        raise UsageError(
            f"{shown(url)} is no URL of a store ({error}): give a folder, or a URL like "
            "s3://bucket/folder"
        ) from None
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    user, place, whole = _cut(parts.scheme, url.partition("://")[2])
    if not whole:
        raise UsageError(
            f"{shown(url)}: where the key in its URL ends is not clear: percent-encode its signs "
            "(/ is %2F, @ is %40), or leave keys to the environment"
        )
    place = place.strip("/")
    endpoint = (options.get("endpoint_override") or [""])[-1]
    identity = "\n".join((parts.scheme, user, place, endpoint))
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    base, mode = _base()
    folder = base / f"{parts.scheme}-{identifiers.escape(place, 120)}-{digest}"
    with contextlib.suppress(OSError):  # who writes a spool there will find out, and say so
        base.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode, exist_ok=True)
        known = url_of(folder)
        # Whoever ingests from the folder may need the keys that another spelling has.
        if known != url and (_has_key(url) or not (known and _has_key(known))):
            _write(folder / URL_FILE, url)
    return folder


def _cut(scheme: str, rest: str) -> tuple[str, str, bool]:
    """What follows `://`: the account (Azure's only, where it is part of the place), the place
    without keys and options, and whether it is clear where a key ends.

    Where there may be a key, all up to the last @ may belong to it: AWS's have slashes.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if ":" in authority and "@" in rest[len(authority) :]:
        return "", re.split(r"[?#]", rest.rpartition("@")[2], maxsplit=1)[0], False
    plain = re.split(r"[?#]", rest, maxsplit=1)[0]
    user, colon, _ = authority.rpartition("@")[0].partition(":")
    if colon:
        return user if scheme.lower() in _AZURE else "", plain.rpartition("@")[2], True
    if scheme.lower() in _AZURE:
        return "", plain, True
    return "", authority.rpartition("@")[2] + plain[len(authority) :], True


def _has_key(url: str) -> bool:
    return ":" in re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0].rpartition("@")[0]


def url_of(folder: Path) -> str | None:
    """Where the Parquet files of a store are, if they are not in its folder."""
    try:
        return (folder / URL_FILE).read_text().strip() or None
    except (OSError, ValueError):
        return None


def _base() -> tuple[Path, int]:
    """Where the folders are, and who may enter a new one: the owner alone, unless the user chose a
    place, which may be one to share."""
    given = os.environ.get(STAGING_VARIABLE)
    if given:
        return Path(os.path.expanduser(given)).absolute(), 0o777  # noqa: PTH111 (never raises)
    state = os.path.expanduser(  # noqa: PTH111 (never raises)
        os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    )
    if not state.startswith("~"):
        return Path(state).absolute() / "tracer-hooks", 0o700
    return _homeless(), 0o700


def _homeless() -> Path:
    """The folder of a user that has no home, as in many containers."""
    import tempfile

    folder = Path(tempfile.gettempdir()) / f"tracer-hooks-{os.getuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
        found = folder.lstat()
    except OSError as error:
        raise TracerError(
            f"cannot make {folder}: {error.strerror}; set {STAGING_VARIABLE}"
        ) from None
    # Anybody may make a folder in /tmp, and call it so.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise TracerError(f"{folder} is not this user's alone: set {STAGING_VARIABLE}")
    return folder


def _write(path: Path, text: str) -> None:
    """For its owner alone, since a URL may carry a key; whole, whoever reads meanwhile."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    temporary.replace(path)
