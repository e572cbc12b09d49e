"""Raw streams of the Engine API (exec, logs).

Our own connection: docker-py may lose bytes that arrive together with the response's head, and leaves sockets open.
"""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Final

from cleanroom.engine.wire import remedy_for
from cleanroom.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cleanroom.engine.wire import Wire

STDERR: Final = 2
CHUNK: Final = 64 * 1024
_HEADER: Final = 8
_MAX_HEAD: Final = 64 * 1024
_REFUSAL_S: Final = 0.5
_FOLLOWS: Final = frozenset({101, 200})


class Frames:
    """Cuts a multiplexed stream into frames: type, 3 zeros, big-endian length, payload (Engine API, "attach")."""

    def __init__(self, data: bytes = b"") -> None:
        self._pending = bytearray(data)

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (stream, payload) of each frame that `data` completes."""
        self._pending += data
        while len(self._pending) >= _HEADER:
            end = _HEADER + int.from_bytes(self._pending[4:_HEADER], "big")
            if end > len(self._pending):
                return
            frame = self._pending[0], bytes(self._pending[_HEADER:end])
            del self._pending[:end]
            yield frame

    def rest(self) -> bytes:
        """Return and forget what has arrived of no whole frame: all there is of a stream that has none."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest


def open_stream(
    wire: Wire, what: str, request: str, body: dict[str, object] | None = None
) -> tuple[socket.socket, Frames]:
    """Send `request` (`GET /containers/…`) and return the connection after the response's head, with what came with it.

    Raises `EngineError("cannot <what>: …")` with the engine's words.
    """
    with wire.translated(what):
        raw, prefix = wire.connect()
        try:
            raw.sendall(_head(request, prefix, body))
            rest = _read_head(raw, what)
        except BaseException:
            raw.close()
            raise
    return raw, Frames(rest)


def _head(request: str, prefix: str, body: dict[str, object] | None) -> bytes:
    method, path = request.split(" ", 1)
    lines = ["Host: docker"]
    content = b""
    if body is not None:
        content = json.dumps(body).encode()
        lines += [
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            "Connection: Upgrade",
            "Upgrade: tcp",
        ]
    # Version 1.0 where nothing is upgraded: its responses come unchunked and end with the connection.
    version = "1.0" if body is None else "1.1"
    return "\r\n".join([f"{method} {prefix}{path} HTTP/{version}", *lines, "", ""]).encode() + content


def _read_head(raw: socket.socket, what: str) -> bytes:
    received = bytearray()
    while b"\r\n\r\n" not in received:
        data = raw.recv(CHUNK)
        if not data or len(received) > _MAX_HEAD:
            raise EngineError(f"cannot {what}: the engine closed the connection before it answered")
        received += data
    head, _, rest = bytes(received).partition(b"\r\n\r\n")
    status = int(head.split(None, 2)[1])
    if status in _FOLLOWS:
        return rest
    raw.settimeout(_REFUSAL_S)
    # TimeoutError: the engine keeps the connection of a refusal open, and what it says has been read by then.
    with contextlib.suppress(TimeoutError):
        while len(rest) < _MAX_HEAD and (data := raw.recv(CHUNK)):
            rest += data
    words = rest.decode("utf-8", "replace").strip()
    with contextlib.suppress(ValueError, KeyError, TypeError):
        words = str(json.loads(words)["message"])
    raise EngineError(f"cannot {what}: {words or f'status {status}'}", remedy=remedy_for(words))
