"""The output of a container: its bounded end, and a thread that follows it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final

from cleanroom.engine.ports import Output
from cleanroom.engine.stream import CHUNK, STDERR, Frames, open_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanroom.engine.wire import Wire

_JOIN_S: Final = 5.0
_MOST_READ: Final = 64 << 20


def read_tail(wire: Wire, container: str, max_bytes: int) -> bytes:
    """Return the last `max_bytes` of a container's output, both streams in the order the engine received them."""
    kept = bytearray()
    what = f"read the log of container {container}"
    # A line has at least one byte: this many lines hold the bytes that are wanted, and the engine skips the rest.
    raw, frames = open_stream(wire, what, _request(container, f"tail={max(1, max_bytes)}"))
    with raw, wire.translated(what):
        data = b""
        while True:
            for _, payload in frames.feed(data):
                kept += payload
                del kept[: max(0, len(kept) - max_bytes)]
            data = raw.recv(CHUNK)
            if not data:
                return bytes(kept)


def read_streams(wire: Wire, container: str, max_bytes: int) -> Output:
    """Return the beginning of each stream of an ended container; of an output without measure not all is read."""
    kept, seen = {1: bytearray(), STDERR: bytearray()}, {1: 0, STDERR: 0}
    raw, frames = open_stream(wire, f"read the output of container {container}", _request(container, "tail=all"))
    with raw, wire.translated(f"read the output of container {container}"):
        data, total = b"", 0
        while total <= _MOST_READ:
            for stream, payload in frames.feed(data):
                which = STDERR if stream == STDERR else 1
                kept[which] += payload[: max_bytes - len(kept[which])]
                seen[which] += len(payload)
            data = raw.recv(CHUNK)
            total += len(data)
            if not data:
                break
    names = {1: "stdout", STDERR: "stderr"}
    cut = tuple(name for number, name in names.items() if seen[number] > len(kept[number]) or total > _MOST_READ)
    return Output(stdout=bytes(kept[1]), stderr=bytes(kept[STDERR]), truncated=cut)


def follow(wire: Wire, container: str, sink: Callable[[bytes], None]) -> Callable[[], None]:
    """Call `sink` with a container's output from its start, in a thread, until it ends; return what ends it sooner.

    Raises `EngineError` when the container does not exist; a connection that breaks later ends the thread.
    """
    raw, frames = open_stream(wire, f"follow the log of container {container}", _request(container, "follow=1"))
    raw.settimeout(None)
    thread = threading.Thread(target=_pump, args=(raw, frames, sink), name=f"log-{container[:12]}", daemon=True)
    thread.start()

    def stop() -> None:
        # OSError: the engine has ended the stream already.
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        if thread is not threading.current_thread():
            thread.join(timeout=_JOIN_S)

    return stop


def _request(container: str, option: str) -> str:
    return f"GET /containers/{container}/logs?stdout=1&stderr=1&{option}"


def _pump(raw: socket.socket, frames: Frames, sink: Callable[[bytes], None]) -> None:
    data = b""
    with raw:
        while True:
            for _, payload in frames.feed(data):
                sink(payload)
            try:
                data = raw.recv(CHUNK)
            except OSError:
                # The engine died or the container was removed: there is no more output either way.
                return
            if not data:
                return
