"""Secrets leave command lines before they touch the disk.

A word is looked at closely only if it might hold a secret: the patterns need `re`, whose import
costs more than a whole short task does.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MASK = "***"
_MIGHT = (
    "pass", "pwd", "token", "secret", "key", "auth", "cred", "://", "bearer", "akia", "asia",
    "ghp_", "gho_", "ghs_", "github_pat", "glpat", "xox", "sig=", "signature", "session", "cookie",
    "private", "eyj", "sk-", "curl", "redis-cli", "mysql", "mariadb",
)  # fmt: skip
# Options that tell nothing by their name: those whose value is or may be the next word, and those
# whose value follows in the same word. Of `user:secret` the user stays.
_OWN = {
    "curl": (("-u", "--user", "-U", "--proxy-user"), ("-u", "-U", "--user=", "--proxy-user=")),
    "sshpass": (("-p",), ("-p",)),
    "redis-cli": (("-a",), ()),
    "mysql": ((), ("-p",)),
    "mysqldump": ((), ("-p",)),
    "mariadb": ((), ("-p",)),
    "mariadb-dump": ((), ("-p",)),
}
_NONE = ((), ())  # type: tuple[tuple[str, ...], tuple[str, ...]]
# Options whose value is the next word.
_NAME = (
    r"[\w.\-]*(?:pass(?:word|wd|phrase)?|pwd|token|secret|api[_\-]?key|access[_\-]?key"
    r"|account[_\-]?key|private[_\-]?key|credentials?|signature|authorization|session[_\-]?key"
    r"|auth[_\-]?(?:key|token|header)?|cookie)"
)
_THEN = r"[^\n|;]{0,2000}?"  # what stands between a program's name and its option
_CURL = r"\b(curl\b" + _THEN + r"""\s(?:-[a-zA-Z]*[uU]|--(?:proxy-)?user)[\s=]*["']?[^\s:"']+:)"""
_PATTERNS = (
    # first: the next would take the word "Bearer" for the secret
    (r"(?i)\b(bearer|basic)(\s+)[\w\-.~+/]{8,}=*", r"\1\2" + MASK),
    # --password=x  PGPASSWORD=x  "token": "x"  password: x
    (r"(?i)\b(" + _NAME + r"""["']?\s*[=:]\s*["']?)([^\s"'&;,|]+)""", r"\1" + MASK),
    # --token x, inside one word that is a whole script
    (r"(?i)(?<!\S)(--?" + _NAME + r"""\s+["']?)(?!--)([^\s"'&;|]+)""", r"\1" + MASK),
    # the same of options in _OWN
    (_CURL + r"""([^\s"'&;|]+)""", r"\1" + MASK),
    (r"\b(sshpass\s" + _THEN + r"-p\s*[\"']?)([^\s\"'&;|]+)", r"\1" + MASK),
    (r"\b(redis-cli\s" + _THEN + r"-a\s+[\"']?)([^\s\"'&;|]+)", r"\1" + MASK),
    (
        r"\b((?:mysql|mariadb)(?:-?dump)?\s" + _THEN + r"(?<=\s)-p[\"']?)([^\s\"'&;|]+)",
        r"\1" + MASK,
    ),
    # scheme://user:secret@host; a number and a slash are a port and a path
    (
        r"([a-zA-Z][\w+.\-]*://[^\s/:@]*:)(?:[^\s/]+|(?!\d{1,5}/)[^\s@]+)(?=@)",
        r"\1" + MASK,
    ),
    # https://token@host, https://token:x-oauth-basic@host
    (r"(?i)\b(https?://)[\w\-.~%]{20,}(?=(?::[^\s/@]*)?@)", r"\1" + MASK),
    # well-known shapes of keys
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b", MASK),
    (r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk-)[\w\-]{10,}", MASK),
    (r"\beyJ[\w\-]+\.[\w\-]+\.[\w\-]*", MASK),
)
_compiled = None


def redact_argv(argv: "Sequence[str]", extra: "Sequence[str]" = ()) -> "list[str]":
    """`argv` with what looks like a secret masked; `extra` are further patterns, masked whole.

    If one of them is no regular expression nobody knows what it was to hide: all words but the
    first are masked.
    """
    if extra and not _are_patterns(extra):
        return [*argv[:1], *[MASK for _ in argv[1:]]]
    out = []
    mask_next = own_next = False
    own = _NONE
    for word in argv:
        lowered = word.lower()
        if own_next or (mask_next and not word.startswith("--")):
            out.append(_but_the_user(word) if own_next else MASK)
            mask_next = own_next = False
            own = _NONE if own is _OWN["sshpass"] else own  # what it runs has options of its own
            continue
        mask_next = False
        if own is not _NONE:
            own_next = word in own[0] or (own is _OWN["curl"] and _bundle(word))
            for option in own[1]:
                if word.startswith(option) and word != option:
                    word = option + _but_the_user(word[len(option) :])
                    break
        own = _OWN.get(word.rpartition("/")[2], own)
        if extra or any(hint in lowered for hint in _MIGHT):
            mask_next = _names_a_secret(word)
            word = _mask(word, extra)
        out.append(word)
    return out


def _but_the_user(value: str) -> str:
    user, colon, _ = value.partition(":")
    return user + colon + MASK if colon else MASK


def _bundle(word: str) -> bool:
    """Whether a word is several of curl's options in one, the last of which is -u: `-sSu`."""
    return word[:1] == "-" and word[1:].isalpha() and word[-1:] in "uU"


def _names_a_secret(word: str) -> bool:
    if not word.startswith("-") or "=" in word or len(word) > 60:
        return False
    import re

    return re.fullmatch(r"(?i)--?" + _NAME, word) is not None


def _mask(word: str, extra: "Sequence[str]") -> str:
    global _compiled
    import re

    if _compiled is None:
        _compiled = [(re.compile(pattern), mask) for pattern, mask in _PATTERNS]
    for pattern, mask in _compiled:
        word = pattern.sub(mask, word)
    for text in extra:
        word = re.sub(text, MASK, word)
    return word


def _are_patterns(extra: "Sequence[str]") -> bool:
    import re

    try:
        for text in extra:
            re.compile(text)
    except re.error:
        return False
    return True
