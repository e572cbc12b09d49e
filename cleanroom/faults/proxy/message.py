"""One HTTP/1 message on its way through: h11 says where it ends and what it means, its bytes stay as they came."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11

from cleanroom.faults.proxy.wire import Wire

_LARGEST_HEAD = 1 << 18
_BLANK_LINE = re.compile(rb"\n\r?\n")
Head = h11.Request | h11.Response | h11.InformationalResponse


class NotHttpError(Exception):
    """What came is no HTTP/1 message; `held` are the bytes that were read and not passed on."""

    def __init__(self, held: bytes, why: str) -> None:
        super().__init__(why)
        self.held = held


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a body: the bytes as they came, and what of the body itself is in them."""

    raw: bytes
    body: bytes


class Message:
    """A message read from one side; `rest` is what came after it."""

    def __init__(self, connection: h11.Connection, wire: Wire, rest: bytes) -> None:
        self._h11 = connection
        self._wire = wire
        self._buffer = b""
        self._waiting = rest
        self._complete = False
        self.rest = b""
        self.ended = False
        """Whether the other side has ended the stream."""

    @property
    def switched(self) -> bool:
        """Whether what follows is another protocol (an upgrade, a tunnel)."""
        return self._h11.their_state is h11.SWITCHED_PROTOCOL

    async def head(self) -> tuple[Head, bytes] | None:
        """Return the next head with its bytes; None at the end of the stream before it; raises `NotHttpError`."""
        while True:
            event = self._next()
            if isinstance(event, Head):
                found = _BLANK_LINE.search(self._buffer)
                end = found.end() if found else len(self._buffer)
                head, self._buffer = self._buffer[:end], self._buffer[end:]
                if self.switched:
                    self.rest, self._buffer = self._buffer, b""
                return event, head
            if isinstance(event, h11.ConnectionClosed):
                return None
            if event is not h11.NEED_DATA:
                raise NotHttpError(self._buffer, f"{event} where a head was to be")
            if not await self._more() and not self._buffer:
                return None

    async def pieces(self) -> AsyncIterator[Piece]:
        """Yield the body as it comes; raises `NotHttpError` when it breaks its own framing or ends too early."""
        while not self._complete:
            body = bytearray()
            needed = False
            while not self._complete and not needed:
                event = self._next()
                if isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    self._complete = True
                elif event is h11.NEED_DATA:
                    needed = True
                else:
                    raise NotHttpError(self._buffer, f"{event} where a body was to be")
            raw, self._buffer = self._buffer, b""
            if self._complete:
                self.rest = self._h11.trailing_data[0]
                raw = raw[: len(raw) - len(self.rest)]
            if raw or body:
                yield Piece(raw, bytes(body))
            if needed:
                await self._more()

    def _next(self) -> object:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as err:
            raise NotHttpError(self._buffer, str(err)) from err

    async def _more(self) -> bool:
        """Read more; return whether anything came."""
        data, self._waiting = self._waiting, b""
        data = data or await self._wire.read()
        self._buffer += data
        self._h11.receive_data(data)
        self.ended = not data
        return not self.ended


def request_on(wire: Wire, rest: bytes) -> Message:
    """Return the next request that comes over `wire`, of which `rest` has been read already."""
    return Message(h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST_HEAD), wire, rest)


def response_on(wire: Wire, request: h11.Request) -> Message:
    """Return the response to `request` that comes over `wire`: its method says whether there is a body."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
    upgrade = value_of(request, b"upgrade")
    headers: list[tuple[bytes, bytes]] = [(b"host", b"x")]
    headers += [(b"upgrade", upgrade), (b"connection", b"upgrade")] if upgrade else []
    connection.send(h11.Request(method=request.method, target=b"/", headers=headers))
    connection.send(h11.EndOfMessage())
    return Message(connection, wire, b"")


def value_of(head: Head, name: bytes) -> bytes:
    """Return the values of a header, joined as lists are; empty without any."""
    return b",".join(value for key, value in head.headers if key == name)


def keeps_alive(head: h11.Request) -> bool:
    """Whether the client means to send another request over the connection."""
    words = {word.strip().lower() for word in value_of(head, b"connection").split(b",")}
    return b"close" not in words and (head.http_version >= b"1.1" or b"keep-alive" in words)
