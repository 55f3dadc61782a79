"""Names that users give, made safe as file names; and names of our own, made unique.

Standard library only, and imports nothing heavy: every task start pays for it.
"""

import posix
import time

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.+,")
# A file name holds the task id, the attempt and the unique part within NAME_MAX (255 bytes).
MAX_RUN_ID = 200
MAX_TASK_ID = 140
# How the escaped bytes of a UTF-8 character begin.
_LATER_BYTES = ("%8", "%9", "%A", "%B")
_FIRST_BYTES = ("%C", "%D", "%E", "%F")


def escape(text: str, limit: int = MAX_TASK_ID) -> str:
    """`text` as a file name: safe bytes as they are, every other as %XX.

    The result is at most `limit` characters: what would be longer is cut and ends in `~` and a
    hash of the whole, so that two long names stay two. Never empty, never starts with a dot.
    """
    raw = text.encode("utf-8", "surrogateescape" if _encodable(text) else "surrogatepass")
    if not raw:
        return "%"
    out = "".join([chr(b) if b in _SAFE else "%%%02X" % b for b in raw])
    if out[0] == ".":
        out = "%2E" + out[1:]
    if len(out) <= limit:
        return out
    import hashlib  # only hostile or machine-made names are this long

    digest = hashlib.sha256(raw).hexdigest()[:16]
    head = out[: limit - 17]
    cut = head.rfind("%", len(head) - 2)
    if cut >= 0:  # do not leave half an escape behind
        head = head[:cut]
    while head[-3:-1] in _LATER_BYTES:  # nor half a character
        head = head[:-3]
    if head[-3:-1] in _FIRST_BYTES:
        head = head[:-3]
    return head + "~" + digest


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def unescape(name: str) -> str:
    """The text that `escape` was given, if it was not cut; a cut name stays as it is shown."""
    if name == "%":
        return ""
    raw = name.encode("ascii", "surrogateescape")
    parts = raw.split(b"%")
    out = [parts[0]]
    for part in parts[1:]:
        try:
            out.append(bytes((int(part[:2], 16),)) + part[2:])
        except ValueError:
            out.append(b"%" + part)
    return b"".join(out).decode("utf-8", "surrogateescape")


def canonical_run_id(text: str) -> str:
    """The run id under which `text` is stored: itself, unless it is too long for a folder name."""
    return unescape(escape(text, MAX_RUN_ID))


def new_run_id(now: "float | None" = None) -> str:
    """A run id for who gave none: UTC time and four random bytes, so that names sort by age."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    return stamp + "-" + posix.urandom(3).hex() if hasattr(posix, "urandom") else stamp


def unique(host: str) -> str:
    """A part of a file name that no other writer on any host uses."""
    return "%s-%d-%x" % (escape(host, 40), posix.getpid(), time.time_ns())


def spool_path(store: str, run_id: str, task_id: str, attempt: int, tail: str) -> str:
    """Where the spool of one attempt lives; `tail` comes from `unique`."""
    return "%s/spool/%s/%s.%d.%s.jsonl" % (
        store,
        escape(run_id, MAX_RUN_ID),
        escape(task_id),
        attempt,
        tail,
    )
