"""Who is told of alerts: a webhook, which may be away, and a mail server. Both real."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller

from tests.servers.web import Asked, answering


@dataclass
class Webhook:
    """What was posted, as titles and messages, in order."""

    port: int = 0
    posts: list[dict[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook"

    def titles(self) -> list[str]:
        return [post["title"] for post in self.posts]


@contextmanager
def hooked(hook: Webhook) -> Iterator[Webhook]:
    """Listen, at the port that it has had before if it has."""

    def answer(asked: Asked) -> tuple[int, bytes]:
        hook.posts.append(json.loads(asked.body))
        return 200, b""

    with answering(answer, hook.port) as hook.port:
        yield hook


@dataclass
class Mailbox:
    """Subjects of the mails that arrived."""

    subjects: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.subjects.append(str(message["Subject"]))
        return "250 taken"


@contextmanager
def mailed(port: int) -> Iterator[Mailbox]:
    """A mail server on a free port of loopback."""
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
