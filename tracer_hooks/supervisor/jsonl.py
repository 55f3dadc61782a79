"""JSON lines without the json package, whose import costs more than the rest of the start."""

_INFINITY = float("inf")


class Raw(str):
    """Text that is JSON already and goes in as it is."""

    __slots__ = ()


def _string(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return '"' + text + '"'
    return _escaped(text)


def _escaped(text: str) -> str:
    try:
        from _json import encode_basestring_ascii
    except ImportError:  # an interpreter without the accelerator
        from json.encoder import py_encode_basestring_ascii as encode_basestring_ascii
    return str(encode_basestring_ascii(text))


def encode(value: object) -> str:
    """`value` as one line of ASCII JSON; a float that is not finite becomes null (unknown).

    Takes dicts with string keys, lists, tuples, strings, ints, floats, bools and None.
    """
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    kind = type(value)
    if kind is str:
        return _string(value)  # type: ignore[arg-type]
    if kind is int:
        return repr(value)
    if kind is float:
        return repr(value) if -_INFINITY < value < _INFINITY else "null"  # type: ignore[operator]
    if kind is Raw:
        return str(value)
    if kind is dict:
        return (
            "{"
            + ",".join([_string(k) + ":" + encode(v) for k, v in value.items()])  # type: ignore[attr-defined]
            + "}"
        )
    if kind is list or kind is tuple:
        return "[" + ",".join([encode(v) for v in value]) + "]"  # type: ignore[attr-defined]
    return _string(str(value))
