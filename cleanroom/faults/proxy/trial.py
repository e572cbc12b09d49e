"""What answers a connection of ours in the service's place: the fault is proven, and the service not disturbed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence

from cleanroom.canonical import Json
from cleanroom.faults.proxy.wire import Wire

SPARE = 1000
"""Bytes that a stand-in sends beyond what a fault lets pass."""
PIECES = 4
BODY = b"x" * 100
_REQUESTS = 16


def sent_in_trial(kind: str, parameters: Mapping[str, Json]) -> int:
    """Return how many bytes the stand-in of a stream sends before it ends."""
    sizes = {
        "network.reset": (parameters.get("after"), 1, SPARE),
        "network.limit_data": (parameters.get("bytes"), 1, SPARE),
        "network.slice": (parameters.get("size"), PIECES, 0),
    }
    size, times, spare = sizes.get(kind, (0, 1, 1))
    assert isinstance(size, int)  # noqa: S101 - a job is written by this program
    return size * times + spare


def stand_in(kind: str, parameters: Mapping[str, Json]) -> tuple[Wire, asyncio.Task[None]]:
    """Return a connection to a service that lives here, and the task that serves it."""
    ours, its = socket.socketpair()
    wire = Wire(its)
    if kind.startswith("http."):
        removed = parameters.get("remove")
        names = removed if isinstance(removed, Sequence) and not isinstance(removed, str) else ()
        work = _serve_http(wire, tuple(str(name) for name in names))
    else:
        work = _serve_stream(wire, sent_in_trial(kind, parameters))
    return Wire(ours), asyncio.ensure_future(work)


async def _serve_stream(wire: Wire, size: int) -> None:
    try:
        if not await wire.read():
            return
        await wire.write(b"x" * size)
        wire.finish()
        while await wire.read():
            pass
    except OSError:
        return  # cut, as is to be shown
    finally:
        wire.close()


async def _serve_http(wire: Wire, extra: tuple[str, ...]) -> None:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(BODY), *(f"{name}: original".encode() for name in extra)]
    held = b""
    try:
        for _ in range(_REQUESTS):
            while b"\r\n\r\n" not in held:
                data = await wire.read()
                if not data:
                    return
                held += data
            held = held.partition(b"\r\n\r\n")[2]
            await wire.write(b"\r\n".join((*lines, b"", BODY)))
    except OSError:
        return
    finally:
        wire.close()
