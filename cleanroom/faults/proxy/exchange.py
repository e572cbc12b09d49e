"""One connection that may speak HTTP/1: requests in turn, those that a fault chooses struck, all else as it was.

TLS, HTTP/2 and whatever else it may be is passed on untouched and counted by its name: nothing in it can be struck.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass

import h11

from cleanroom.faults.proxy.message import Message, NotHttpError, keeps_alive, request_on, response_on, value_of
from cleanroom.faults.proxy.stream import CutError, Flow, Release, Untouched, relay
from cleanroom.faults.proxy.strike import Choice, Strike, answer, has_body
from cleanroom.faults.proxy.tally import Tally
from cleanroom.faults.proxy.wire import Wire, first_readable

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40} [^\r\n]* HTTP/1\.[01]\r?\n")
_BEGINNING = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}( [^\r\n]*\r?)?")
_LONGEST_LINE = 1 << 16
_TLS = re.compile(rb"\x16\x03[\x00-\x04]")
_HTTP2 = b"PRI * HTTP/2.0"


def spoken(start: bytes) -> str | None:
    """Return what a client speaks that began so: `http`, `tls`, `http2` or `other`; None: too little to say."""
    if _TLS.match(start):
        return "tls"
    if start.startswith(_HTTP2):
        return "http2"
    if _REQUEST_LINE.match(start):
        return "http"
    short = b"\x16\x03".startswith(start) or (_BEGINNING.fullmatch(start) and len(start) < _LONGEST_LINE)
    return None if short else "other"


@dataclass(slots=True)
class _Given:
    """The request that is under way."""

    message: Message
    head: h11.Request
    raw: bytes


class Exchange:
    """A connection from its first byte to its end."""

    def __init__(self, client: Wire, server: Wire, choice: Choice, tally: Tally, release: Release) -> None:
        self._client = client
        self._server = server
        self._choice = choice
        self._tally = tally
        self._release = release
        self._rest = b""
        self._watching: asyncio.Future[None] | None = None
        self.idle = True
        """Whether no request is under way."""

    async def serve(self) -> None:
        """Serve it until it ends; raises `OSError` as the sockets do."""
        try:
            if not await self._begins_as_http():
                return
            while await self._next():
                pass
        except NotHttpError as err:
            # It began as HTTP/1 and became something else: nothing of it is lost, and nothing more of it is struck.
            self._tally.passed["other"] += 1
            await self._tunnel(err.held, b"")
        except CutError as cut:
            self._server.reset()
            if cut.abrupt:
                self._client.reset()
            else:
                await self._leave()

    async def _leave(self) -> None:
        """End the client's side; nobody else may be waiting for it meanwhile."""
        await self._unwatch()
        await self._client.bow_out()

    async def _watch(self, sending: asyncio.Future[None], given: _Given) -> None:
        """Pass on the client's end while its answer is still to come: it may be what the service waits for."""
        await asyncio.wait((sending,))
        if not given.message.rest:
            await self._client.readable()
            if self._client.ended():
                self._server.finish()

    async def _unwatch(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _begins_as_http(self) -> bool:
        """Look at the first bytes; pass all of the connection on where they are not those of a request."""
        while (what := spoken(self._rest)) is None:
            if await first_readable(self._client, self._server) is self._server:
                what = "other"  # who speaks first is no server of HTTP
                break
            data = await self._client.read()
            if not data:
                what = "other" if self._rest else ""
                break
            self._rest += data
        if what == "http":
            return True
        if what:
            self._tally.passed[what] += 1
            self._tally.ingress += len(self._rest)
        await self._tunnel(self._rest, b"")
        return False

    async def _tunnel(self, to_server: bytes, to_client: bytes) -> None:
        """Pass on whatever comes, both ways, to the end."""
        await self._unwatch()
        await self._server.write(to_server)
        await self._client.write(to_client)
        plain = Untouched()
        await relay(
            (
                Flow(self._client, self._server, plain, egress=False),
                Flow(self._server, self._client, plain, egress=True),
            ),
            self._tally,
        )

    async def _drain(self, held: bytes) -> None:
        """Pass on what the service still says, to its end; the request is still on its way to it."""
        await self._client.write(held)
        while data := await self._server.read():
            self._tally.egress += len(data)
            await self._client.write(data)
        await self._leave()

    async def _next(self) -> bool:
        """Serve one request; return whether there may be another."""
        self.idle = not self._rest
        if not self._rest and await first_readable(self._client, self._server) is self._server:
            # It ends the connection while nothing is asked (or says so before): passed on as it is.
            await self._tunnel(b"", b"")
            return False
        self.idle = False
        message = request_on(self._client, self._rest)
        self._rest = b""
        found = await message.head()
        if found is None:
            self._server.finish()
            await self._tunnel(b"", b"")
            return False
        head, raw = found
        assert isinstance(head, h11.Request)  # noqa: S101 - the server's side reads requests
        self._tally.ingress += len(raw)
        given = _Given(message, head, raw)
        chosen = None
        if not self._release.given:
            chosen = self._choice.decide(head.method.decode("ascii"), head.target.decode("latin-1"))
        if chosen is not None and chosen.status is not None:
            return await self._answer(given, chosen)
        return await self._forward(given, chosen)

    async def _answer(self, given: _Given, strike: Strike) -> bool:
        """Answer in the service's place; what the request carries is read first, unless the client waits to send it."""
        waits = value_of(given.head, b"expect").lower() == b"100-continue"
        keep = keeps_alive(given.head) and not waits
        if not waits:
            async for piece in given.message.pieces():
                self._tally.ingress += len(piece.raw)
        self._tally.struck += 1
        await self._client.write(answer(strike, head_only=given.head.method == b"HEAD", close=not keep))
        self._rest = given.message.rest
        if keep:
            return True
        self._server.close()
        await self._leave()
        return False

    async def _forward(self, given: _Given, strike: Strike | None) -> bool:
        sending = asyncio.ensure_future(self._send(given))
        self._watching = asyncio.ensure_future(self._watch(sending, given))
        try:
            again = await self._receive(given, strike)
            if again and not sending.done():
                ended = asyncio.ensure_future(self._server.readable())
                await asyncio.wait((sending, ended), return_when=asyncio.FIRST_COMPLETED)
                ended.cancel()
                await asyncio.gather(ended, return_exceptions=True)
            if again and not sending.done():
                # It has answered, and wants to hear no more of this request.
                await self._leave()
                return False
            self._rest = given.message.rest
            return again
        finally:
            await self._unwatch()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, given: _Given) -> None:
        # A service may answer, and close, before it has read all of a request: its answer is still to be passed on.
        with contextlib.suppress(OSError):
            await self._server.write(given.raw)
            async for piece in given.message.pieces():
                self._tally.ingress += len(piece.raw)
                await self._server.write(piece.raw)

    async def _receive(self, given: _Given, strike: Strike | None) -> bool:
        """Pass on the response as the strike has it; return whether another request may follow."""
        message = response_on(self._server, given.head)
        while True:
            try:
                found = await message.head()
            except NotHttpError as err:
                self._tally.passed["other"] += 1
                await self._drain(err.held)
                return False
            if found is None:
                await self._leave()
                return False
            head, raw = found
            self._tally.egress += len(raw)
            if message.switched:
                self._tally.passed["upgraded"] += 1
                await self._tunnel(given.message.rest, raw + message.rest)
                return False
            if isinstance(head, h11.Response):
                break
            await self._client.write(raw)
        if strike is None:
            return await self._pass_body(message, raw, limit=None, chunked=False, abrupt=False)
        return await self._pass_struck(given, message, (head, raw), strike)

    async def _pass_struck(
        self, given: _Given, message: Message, found: tuple[h11.Response, bytes], strike: Strike
    ) -> bool:
        head, raw = found
        raw = await self._strike_head(given, head, raw, strike)
        if strike.body is not None and has_body(given.head.method.decode("ascii"), head.status_code):
            return await self._replace(message, raw, strike.body)
        chunked = b"chunked" in value_of(head, b"transfer-encoding").lower()
        return await self._pass_body(message, raw, limit=strike.cut, chunked=chunked, abrupt=strike.abrupt)

    async def _strike_head(self, given: _Given, head: h11.Response, raw: bytes, strike: Strike) -> bytes:
        """Return the head to send; waits for a delay, and cuts before it where there is no body to be cut."""
        if strike.delay:
            began = time.monotonic()
            await self._release.sleep(strike.delay)
            self._tally.measured(round((time.monotonic() - began) * 10**9))
            self._tally.struck += 1
        if strike.set or strike.remove:
            self._tally.struck += 1
            return changed_head(raw, strike)
        bodied = has_body(given.head.method.decode("ascii"), head.status_code)
        if strike.abrupt and strike.cut == 0 and (not bodied or value_of(head, b"content-length") == b"0"):
            # Its head alone would be the whole of it.
            self._tally.struck += 1
            raise CutError(abrupt=True)
        return raw

    async def _pass_body(self, message: Message, raw: bytes, *, limit: int | None, chunked: bool, abrupt: bool) -> bool:
        """Pass on a head and its body; with a limit, no more of the body than that."""
        await self._client.write(raw)
        left = limit
        # Chunks are made anew where one of them may have to be cut.
        framed = chunked and limit is not None
        try:
            async for piece in message.pieces():
                self._tally.egress += len(piece.raw)
                if left is None:
                    await self._client.write(piece.raw)
                    continue
                part = piece.body[:left]
                await self._client.write(b"%x\r\n%b\r\n" % (len(part), part) if framed and part else part)
                if len(part) < len(piece.body):
                    await self._client.settled()
                    self._tally.struck += 1
                    raise CutError(abrupt=abrupt)
                left -= len(part)
        except NotHttpError:
            # The service itself broke off: so does the connection.
            await self._leave()
            return False
        await self._client.write(b"0\r\n\r\n" if framed else b"")
        return await self._after(message)

    async def _replace(self, message: Message, raw: bytes, body: bytes) -> bool:
        try:
            async for piece in message.pieces():
                self._tally.egress += len(piece.raw)
        except NotHttpError:
            await self._leave()
            return False
        framing = frozenset({"content-length", "transfer-encoding", "content-encoding", "trailer"})
        await self._client.write(
            changed_head(raw, Strike(set=(("Content-Length", str(len(body))),), remove=framing)) + body
        )
        self._tally.struck += 1
        return await self._after(message)

    async def _after(self, message: Message) -> bool:
        if message.ended:
            await self._leave()
            return False
        if message.rest:
            # More than was asked for: whatever it is, it is the client's.
            await self._tunnel(b"", message.rest)
            return False
        return True


def changed_head(raw: bytes, strike: Strike) -> bytes:
    """Return the head with the strike's headers taken out and set; all others stay as they were written."""
    lines = raw.decode("latin-1").splitlines()
    kept, dropped = [lines[0]], False
    for line in lines[1:]:
        if not line:
            break
        if line[0] not in " \t":  # a line that goes on belongs to the one before it
            dropped = line.partition(":")[0].strip().lower() in strike.remove
        if not dropped:
            kept.append(line)
    kept += [f"{name}: {value}" for name, value in strike.set]
    return "\r\n".join((*kept, "", "")).encode("latin-1", "replace")
