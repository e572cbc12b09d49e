"""What an engine tells of a container as it happens: a thread that follows its events."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cleanroom.engine.stream import CHUNK, open_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanroom.engine.wire import Wire

_JOIN_S: Final = 5.0
_MOST: Final = 1 << 20


def follow_events(wire: Wire, container: str, sink: Callable[[str], None]) -> Callable[[], None]:
    """Call `sink` with the name of every event of a container from now on, in a thread; return what ends it.

    Raises `EngineError`; a connection that breaks later ends the thread.
    """
    what = f"follow the events of container {container}"
    chosen = quote(json.dumps({"type": ["container"], "container": [container]}))
    raw, frames = open_stream(wire, what, f"GET /events?filters={chosen}")
    raw.settimeout(None)
    thread = threading.Thread(
        target=_pump, args=(raw, frames.rest(), sink), name=f"events-{container[:12]}", daemon=True
    )
    thread.start()

    def stop() -> None:
        # OSError: the engine has ended the stream already.
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        if thread is not threading.current_thread():
            thread.join(timeout=_JOIN_S)

    return stop


def _pump(raw: socket.socket, pending: bytes, sink: Callable[[str], None]) -> None:
    with raw:
        while True:
            *lines, pending = pending.split(b"\n")
            for line in lines:
                if name := event_name(line):
                    sink(name)
            try:
                data = raw.recv(CHUNK)
            except OSError:
                # The engine died: there is nothing more to tell.
                return
            if not data or len(pending) > _MOST:
                return
            pending += data


def event_name(line: bytes) -> str:
    """Return the name of the event that a line of the stream tells, "" for what is none."""
    try:
        return str(json.loads(line)["Action"])
    except (ValueError, KeyError, TypeError):
        return ""
