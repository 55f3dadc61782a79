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
    "private", "eyj", "sk-",
)  # fmt: skip
# Options whose value is the next word.
_NAME = (
    r"[\w.\-]*(?:pass(?:word|wd|phrase)?|pwd|token|secret|api[_\-]?key|access[_\-]?key"
    r"|account[_\-]?key|private[_\-]?key|credentials?|signature|authorization|session[_\-]?key"
    r"|auth[_\-]?(?:key|token|header)?|cookie)"
)
_PATTERNS = (
    # first: the next would take the word "Bearer" for the secret
    (r"(?i)\b(bearer|basic)(\s+)[\w\-.~+/]{8,}=*", r"\1\2" + MASK),
    # --password=x  PGPASSWORD=x  "token": "x"  password: x
    (r"(?i)\b(" + _NAME + r"""["']?\s*[=:]\s*["']?)([^\s"'&;,|]+)""", r"\1" + MASK),
    # --token x, inside one word that is a whole script
    (r"(?i)(?<!\S)(--?" + _NAME + r"""\s+["']?)([^\s"'&;|\-][^\s"'&;|]*)""", r"\1" + MASK),
    # scheme://user:secret@host
    (r"([a-zA-Z][\w+.\-]*://[^\s/:@]*:)([^\s/@]+)(?=@)", r"\1" + MASK),
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
    mask_next = False
    for word in argv:
        lowered = word.lower()
        if mask_next and not word.startswith("-"):
            out.append(MASK)
            mask_next = False
            continue
        mask_next = False
        if extra or any(hint in lowered for hint in _MIGHT):
            mask_next = _names_a_secret(word)
            word = _mask(word, extra)
        out.append(word)
    return out


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
