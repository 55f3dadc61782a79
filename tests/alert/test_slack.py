"""What Slack is sent, by Apprise's own plugin, and what becomes of it when Slack refuses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from apprise.plugins.slack import NotifySlack

from tests.servers.web import Asked, answering
from tracer_hooks.alert.notify import notify_target

HOOK = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
SAID = {"title": "p: a task of s is stalled", "body": "See http://h/?step=s", "type": "warning"}


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Slack's incoming web-hooks, as they answer: `ok` in plain text."""
    state = SimpleNamespace(posts=[], status=200)

    def answer(asked: Asked) -> tuple[int, bytes]:
        state.posts.append((asked.path, json.loads(asked.body)))
        return state.status, b"ok" if state.status == 200 else b"service_unavailable"

    with answering(answer) as port:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{port}/services")
        monkeypatch.setattr(NotifySlack, "request_rate_per_sec", 0)
        yield state


def test_slack_gets_title_text_and_channel(slack: Any) -> None:
    deliver = notify_target(f"slack://{HOOK}/#pipelines").deliver
    assert deliver([json.dumps(SAID)]) == "sent"
    ((path, post),) = slack.posts
    assert path == f"/services/{HOOK}"
    assert post["channel"] == "#pipelines"
    shown = json.dumps(post["attachments"])
    assert SAID["title"] in shown
    assert "http://h/?step=s" in shown


def test_what_slack_refuses_is_kept_for_later(slack: Any) -> None:
    deliver = notify_target(f"slack://{HOOK}/#pipelines").deliver
    slack.status = 503
    assert deliver([json.dumps(SAID)]) == "later"
    slack.status = 200
    assert deliver([json.dumps(SAID)]) == "sent"
