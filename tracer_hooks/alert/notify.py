"""Tells people, through Apprise: webhooks, Slack, e-mail, and a hundred services more."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING

from tracer_hooks.errors import TracerError, UsageError
from tracer_hooks.live.outbox import Outcome, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Somebody who can't be told for a day is not told any more.
_GIVE_UP_S = 86_400.0


def target_name(address: str) -> str:
    """What the queue calls an address: without the secrets in it."""
    kind = address.partition(":")[0]
    return f"notify:{kind}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"


def notify_target(address: str) -> Target:
    """Somebody to tell. Raises TracerError without Apprise, UsageError for a wrong address."""
    return Target(_teller(address), give_up_s=_GIVE_UP_S)


def _teller(address: str) -> Callable[[Sequence[str]], Outcome]:
    try:
        import apprise
    except ImportError as error:
        raise TracerError(
            "telling people needs apprise: pip install 'tracer-hooks[alerts]'"
        ) from error
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # failures are counted and retried
    service = apprise.Apprise()
    if not service.add(address):
        kind = address.partition(":")[0]
        raise UsageError(
            f"notify has an address of {kind}: that Apprise does not know or that is incomplete"
        )

    def deliver(payloads: Sequence[str]) -> Outcome:
        said = json.loads(payloads[0])
        done = service.notify(title=said["title"], body=said["body"], notify_type=said["type"])
        return "sent" if done else "later"

    return deliver
