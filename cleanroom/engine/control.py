"""The line between the two ends of a cell: JSON lines, control events upwards and commands downwards.

Upwards (the cell's standard error): `ready`, `images`, `note`, `finished`. Downwards (its standard input): `start`,
`images`, `interrupt`, `bye`. The end of the input is a message too: the launcher is dead.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from cleanroom.errors import EngineError

CONTROL_FD = "CLEANROOM_CONTROL_FD"
REPLY_FD = "CLEANROOM_REPLY_FD"
# A line longer than this is not ours; the longest real one names some thousand images.
MAX_LINE = 1 << 20

Message = Mapping[str, object]


def encode(message: Message) -> bytes:
    """Return one message as a line."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


@dataclass(slots=True)
class LineReader:
    """Cuts a byte stream into messages; lines that are not a JSON object come back as `{"text": …}`."""

    _rest: bytes = field(default=b"")

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes.

        Raises `EngineError` for a line beyond `MAX_LINE`: whoever sends it does not speak this protocol.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise EngineError(f"the control line of the cell sent {len(self._rest)} bytes without a line end")
        return [_decode(line) for line in lines if line.strip()]

    def rest(self) -> str:
        """Return what came after the last line end."""
        return self._rest.decode("utf-8", "replace")


def _decode(line: bytes) -> Message:
    text = line.decode("utf-8", "replace")
    try:
        message = json.loads(text)
    except ValueError:
        return {"text": text}
    return message if isinstance(message, dict) else {"text": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReply:
    """What became of the images that a cell asked for; `loaded` are in its engine now, `failed` says why not."""

    loaded: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    """Were there already, with the same content."""
    absent: tuple[str, ...] = ()
    """The outer engine has none of that name (or there is no outer engine)."""
    failed: Mapping[str, str] = field(default_factory=dict)


class WorkerLink:
    """The worker's end: events to the launcher, and images asked of it. One per process."""

    def __init__(self, control: int, reply: int) -> None:
        self._control = control
        self._reply = reply
        self._lock = threading.Lock()
        for descriptor in (control, reply):
            # Nothing that the worker starts may speak in its name.
            os.set_inheritable(descriptor, False)  # noqa: FBT003

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> WorkerLink | None:
        """Return the link that the supervisor named in the environment, None outside of a cell."""
        if CONTROL_FD not in environment:
            return None
        return cls(int(environment[CONTROL_FD]), int(environment[REPLY_FD]))

    def emit(self, message: Message) -> None:
        """Send one event to the launcher; one that is gone already is not an error (the cell dies with it)."""
        view = memoryview(encode(message))
        with self._lock:
            while view:
                view = view[os.write(self._control, view) :]

    def request_images(self, wanted: Mapping[str, str]) -> SeedReply:
        """Ask the launcher for images (reference → fingerprint of what is here, "" for none) and wait for them.

        Raises `EngineError` when the launcher goes away instead of answering.
        """
        if not wanted:
            return SeedReply()
        self.emit({"event": "images", "wanted": dict(wanted)})
        reader = LineReader()
        while data := os.read(self._reply, 1 << 16):
            for message in reader.feed(data):
                return seed_reply(message)
        raise EngineError("the launcher ended while images were being copied into the cell")


def seed_reply(message: Message) -> SeedReply:
    """Return the reply that an `images` message carries."""

    def names(key: str) -> tuple[str, ...]:
        value = message.get(key)
        return tuple(str(name) for name in value) if isinstance(value, list) else ()

    failed = message.get("failed")
    return SeedReply(
        loaded=names("loaded"),
        current=names("current"),
        absent=names("absent"),
        failed={str(k): str(v) for k, v in failed.items()} if isinstance(failed, dict) else {},
    )
