"""The few C library calls that Python does not wrap.

`ctypes` costs 4 ms to import, the extension module beneath it a tenth of that. Its two functions
used here have been the same from Python 3.9 to 3.14; where they are missing, ctypes serves.
"""

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36


def _resolve(name: str) -> "object":
    import _ctypes

    call = _ctypes.call_cdeclfunction
    address = _ctypes.dlsym(_ctypes.dlopen(None, 0), name)  # type: ignore[arg-type]
    return lambda *arguments: call(address, arguments)


def _resolve_slowly(name: str) -> "object":
    import ctypes

    return getattr(ctypes.CDLL(None), name)


def function(name: str) -> "object":
    """A function of the C library, called with ints and bytes; None if it can't be had."""
    try:
        return _resolve(name)
    except (ImportError, AttributeError, OSError):
        pass
    try:
        return _resolve_slowly(name)
    except (ImportError, AttributeError, OSError):
        return None  # a static interpreter: what needs the call says that it is refused


_prctl = None


def prctl(option: int, value: "int | bytes") -> bool:
    """Call prctl(2) with one argument; True if the kernel took it. Never raises."""
    global _prctl
    if _prctl is None:
        _prctl = function("prctl")
    try:
        return _prctl is not None and _prctl(option, value, 0, 0, 0) == 0  # type: ignore[operator]
    except Exception:  # a libc that is not as expected must not reach the task
        return False
