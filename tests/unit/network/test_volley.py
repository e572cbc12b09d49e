from __future__ import annotations

import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import NetworkError
from cleanroom.network import volley as module
from cleanroom.network.volley import Arrival, Volley, checksum, volley
from cleanroom.quantity import Duration

PATIENCE = Duration(50 * 10**6)


def came(*numbers: int, sent: int = 5, damaged: tuple[int, ...] = ()) -> Volley:
    return Volley(sent=sent, arrivals=tuple(Arrival(n, i not in damaged) for i, n in enumerate(numbers)))


def test_what_came_back_is_counted():
    clean = came(0, 1, 2, 3, 4)
    assert (clean.lost, clean.damaged, clean.duplicated, clean.overtaken) == (0, 0, 0, 0)
    assert (came(0, 3).lost, came(0, 3).answered) == (3, 2)
    spoilt = came(0, 1, 2, 3, 4, damaged=(2,))
    assert (spoilt.lost, spoilt.damaged) == (1, 1)
    assert came(0, 0, 1, 2, 2, 2, 3, 4).duplicated == 2
    assert came(1, 0, 2, 4, 3).overtaken == 2
    assert came(4, 0, 1, 2, 3).overtaken == 1
    assert came().answered == 0


@given(st.permutations(range(8)))
def test_whoever_comes_before_an_earlier_one_has_overtaken_it(order):
    expected = sum(any(later < number for later in order[place:]) for place, number in enumerate(order))
    assert came(*order, sent=8).overtaken == expected


@given(st.binary(max_size=80).filter(lambda data: len(data) % 2 == 0))
def test_data_with_its_checksum_has_none(data):
    assert checksum(data + struct.pack("!H", checksum(data))) == 0


class Wire:
    """A raw socket whose other side answers as `reply` says."""

    def __init__(self, reply) -> None:
        self.reply = reply
        self.read, self.write = os.pipe()
        self.waiting: list[bytes] = []

    def setsockopt(self, *_: object) -> None:
        """Take any option."""

    def connect(self, _: object) -> None:
        """Reach anybody."""

    def settimeout(self, _: object) -> None:
        """Never wait."""

    def getsockname(self) -> tuple[str, int]:
        return "10.0.0.1", 0

    def fileno(self) -> int:
        return self.read

    def send(self, data: bytes) -> None:
        for one in self.reply(data):
            self.waiting.append(bytes([0x45]) + bytes(19) + one)
            os.write(self.write, b".")

    def recv(self, _: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        os.read(self.read, 1)
        return self.waiting.pop(0)

    def close(self) -> None:
        os.close(self.read)
        os.close(self.write)


def echoed(question: bytes) -> bytes:
    bare = b"\0" + question[1:2] + b"\0\0" + question[4:]
    return bare[:2] + struct.pack("!H", checksum(bare)) + bare[4:]


def reset(question: bytes) -> bytes:
    ours, theirs, sequence = struct.unpack_from("!HHI", question)
    body = struct.pack("!HHIIBBHHH", theirs, ours, 0, sequence + 1, 5 << 4, 20, 0, 0, 0)
    pseudo = socket.inet_aton("10.0.0.2") + socket.inet_aton("10.0.0.1") + struct.pack("!BBH", 0, 6, len(body))
    return body[:16] + struct.pack("!H", checksum(pseudo + body)) + body[18:]


def spoilt(answer: bytes) -> bytes:
    return answer[:-1] + bytes([answer[-1] ^ 4])


def fired(monkeypatch, reply, port: int | None = None, count: int = 40) -> Volley:
    monkeypatch.setattr(module.socket, "socket", lambda *_: Wire(reply))
    return volley(None, "10.0.0.2", count, PATIENCE, port=port)


@pytest.mark.parametrize(("port", "answer"), [(None, echoed), (0, reset), (8080, reset)])
def test_each_question_is_told_from_the_others_and_a_wrong_bit_is_seen(monkeypatch, port, answer):
    assert fired(monkeypatch, lambda q: [answer(q)], port).answered == 40
    assert fired(monkeypatch, lambda q: [answer(q)] * 2, port).duplicated == 40
    assert fired(monkeypatch, lambda _: [], port).lost == 40
    found = fired(monkeypatch, lambda q: [spoilt(answer(q))], port)
    assert (found.lost, found.damaged) == (40, 40)
    assert fired(monkeypatch, lambda q: [q, bytes(60), b"short"], port).arrivals == ()


def test_what_cannot_be_sent_is_an_error(monkeypatch):
    def refuse(_: bytes) -> list[bytes]:
        raise OSError("no route")

    with pytest.raises(NetworkError, match="no route"):
        fired(monkeypatch, refuse)
