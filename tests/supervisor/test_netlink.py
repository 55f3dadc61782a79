"""The wire format of generic netlink."""

from __future__ import annotations

from typing import Any

from tracer_hooks.supervisor import netlink


class Answering:
    """A socket at which these messages wait."""

    def __init__(self, *messages: bytes) -> None:
        self.messages = list(messages)

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, _: int) -> bytes:
        return self.messages.pop(0)


def family(*messages: bytes) -> int | None:
    sock: Any = Answering(*messages)
    return netlink.family_id(sock, b"TASKSTATS")


def test_a_record_that_an_earlier_socket_asked_for_is_no_answer() -> None:
    record = netlink.generic(23, 2, netlink.attribute(4, b"\0" * 400), 0)
    answer = netlink.generic(16, 1, netlink.attribute(1, b"\x17\0"), 0)
    assert family(answer) == 23
    assert family(record, record, answer) == 23


def test_a_family_that_the_kernel_does_not_know() -> None:
    error = netlink.message(netlink.ERROR, 0, (-2).to_bytes(4, "little", signed=True) + bytes(16))
    assert family(error) is None
