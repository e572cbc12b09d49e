from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.engine.stream import Frames, _read_head, open_stream
from cleanroom.engine.wire import Wire
from cleanroom.errors import EngineError

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)))


def encode(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for kind, data in frames)


@given(FRAMES, st.integers(min_value=1, max_value=17))
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[tuple[int, bytes]], size: int) -> None:
    data = encode(frames)
    reader = Frames()
    seen = [frame for start in range(0, len(data), size) for frame in reader.feed(data[start : start + size])]
    assert seen == frames


def answer(text: bytes) -> socket.socket:
    ours, theirs = socket.socketpair()
    theirs.sendall(text)
    theirs.close()
    return ours


def test_bytes_that_arrive_with_the_head_are_kept() -> None:
    with answer(b"HTTP/1.1 101 UPGRADED\r\nA: b\r\n\r\n" + encode([(1, b"early")])) as raw:
        assert list(Frames(_read_head(raw, "x")).feed(b"")) == [(1, b"early")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'HTTP/1.1 409 C\r\n\r\n{"message":"Container is paused"}', "cannot look: Container is paused"),
        (b"HTTP/1.1 500 E\r\n\r\n", "cannot look: status 500"),
        (b"HTTP/1.1 200", "closed the connection before it answered"),
        (b"", "closed the connection before it answered"),
    ],
)
def test_a_refusal_is_told_in_the_engines_words(text: bytes, expected: str) -> None:
    with answer(text) as raw, pytest.raises(EngineError, match=expected):
        _read_head(raw, "look")


def test_a_connection_that_is_refused_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = answer(b"HTTP/1.1 404 N\r\n\r\n{}")
    connect: Callable[[Wire], tuple[socket.socket, str]] = lambda _wire: (ours, "/v1.44")  # noqa: E731
    monkeypatch.setattr(Wire, "connect", connect)
    with pytest.raises(EngineError, match="cannot look"):
        open_stream(Wire("unix:///x"), "look", "GET /x")
    assert ours.fileno() == -1
