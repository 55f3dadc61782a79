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
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tracer_hooks.supervisor import identifiers

STAGING_VARIABLE = "TRACER_HOOKS_STAGING"
URL_FILE = "store.url"
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://")


def is_url(store: str) -> bool:
    """Whether `store` names a place by URL; a `file:` URL counts too."""
    return _SCHEME.match(store) is not None


def shown(url: str) -> str:
    """The URL without credentials and options, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def staging_folder(url: str) -> Path:
    """The folder for the spools of the store at `url`: below TRACER_HOOKS_STAGING, else below the
    user's state directory. A `file:` URL is the folder that it names."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    place = shown(url).partition("://")[2].strip("/")
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    folder = _base() / f"{parts.scheme}-{identifiers.escape(place, 120)}-{digest}"
    with contextlib.suppress(OSError):  # who writes a spool there will find out, and say so
        folder.mkdir(parents=True, exist_ok=True)
        if url_of(folder) != url:
            _write(folder / URL_FILE, url)
    return folder


def url_of(folder: Path) -> str | None:
    """Where the Parquet files of a store are, if they are not in its folder."""
    try:
        return (folder / URL_FILE).read_text().strip() or None
    except (OSError, ValueError):
        return None


def _base() -> Path:
    given = os.environ.get(STAGING_VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser().absolute() / "tracer-hooks"


def _write(path: Path, text: str) -> None:
    """For its owner alone, since a URL may carry a key; whole, whoever reads meanwhile."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    temporary.replace(path)
