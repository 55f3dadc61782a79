"""Commands that reports and messages tell people to type: to be copied as they are."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from tracer_hooks.staging import is_url, shown, staging_folder

if TYPE_CHECKING:
    Store = str | os.PathLike[str] | None


def hint(*words: str, store: Store = None) -> str:
    """`tracer-hooks WORDS` for a shell. `store`: what the user named, None for the default."""
    named = store_named(store)
    return shlex.join(["tracer-hooks", *words, *(("--store", named) if named else ())])


def store_named(store: Store) -> str | None:
    """What `--store` has to say for the same store. A URL with a key or options gives way to the
    folder on this machine that stands for it: hints end up in files and logs."""
    if not store:
        return None
    text = os.fspath(store)
    return str(staging_folder(text)) if is_url(text) and shown(text) != text else text
