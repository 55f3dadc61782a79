"""Whether exit records are wanted and permitted; asked at every task's start, so cheap."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer_hooks.supervisor.taskstats_open import ExitMessages


def open_exits(capture: str, refusal: str = "") -> "tuple[ExitMessages | None, str]":
    """Listen to exit records where `capture` wants them; or what to say of why not.

    With `auto` they are an addition: where they are not permitted, `refusal` stays as it was.
    """
    alone = capture == "taskstats"
    if not alone and (capture != "auto" or not _is_net_admin()):
        return None, refusal
    try:
        from tracer_hooks.supervisor.quick_import import EXITS, load

        load(EXITS)
        from tracer_hooks.supervisor.taskstats_open import ExitMessages

        return ExitMessages(), refusal
    except Exception as error:
        return None, (str(error) or type(error).__name__) if alone else refusal


def _is_net_admin() -> bool:
    """Whether this process has CAP_NET_ADMIN, without which it is not worth trying."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            _, _, rest = file.read(4096).partition(b"\nCapEff:")
        return bool(int(rest.split(None, 1)[0], 16) >> 12 & 1)
    except (OSError, ValueError, IndexError):
        return False
