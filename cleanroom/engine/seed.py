"""Images on their way from the outer engine into the nested one: what is missing or different, in one stream."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from cleanroom.canonical import digest
from cleanroom.engine.cell import SOCKET
from cleanroom.engine.control import SeedReply
from cleanroom.engine.unixhttp import get_json, load_images
from cleanroom.errors import EngineError

_CHUNK = 1 << 18


class Source(Protocol):
    """The outer engine, as far as seeding needs it."""

    def image(self, reference: str) -> Mapping[str, Any] | None:
        """Return what the engine knows of an image, None when it has none."""

    def save_images(self, references: tuple[str, ...]) -> Iterator[bytes]:
        """Yield an archive of images."""


class Sink(Protocol):
    """The way into the nested engine."""

    def load(self, archive: Iterable[bytes]) -> None:
        """Load an archive; raises `EngineError`."""


def fingerprint(inspected: Mapping[str, Any] | None) -> str:
    """Return a text that is equal for equal images in any two engines, "" for no image.

    Not the id: engines with another image store call the same image by another id.
    """
    if inspected is None:
        return ""
    config = inspected.get("Config") or {}
    content = {
        name: config.get(name) for name in ("Cmd", "Entrypoint", "Env", "User", "WorkingDir", "Volumes", "StopSignal")
    }
    layers = (inspected.get("RootFS") or {}).get("Layers") or []
    return digest({"layers": layers, "created": str(inspected.get("Created")), "config": content})


def nested_fingerprint(reference: str, socket: str = SOCKET) -> str:
    """Return the fingerprint of an image of the nested engine, "" when it has none of that name."""
    try:
        return fingerprint(get_json(socket, f"/images/{reference}/json"))
    except EngineError:
        return ""


def serve(wanted: Mapping[str, str], source: Source | None, sink: Sink) -> SeedReply:
    """Copy those `wanted` images (reference → fingerprint in the nested engine) that the source has and that differ."""
    absent: list[str] = []
    current: list[str] = []
    send: list[str] = []
    for reference, here in sorted(wanted.items()):
        there = fingerprint(source.image(reference)) if source else ""
        (absent if not there else current if there == here else send).append(reference)
    failed: dict[str, str] = {}
    if source and send:
        try:
            sink.load(source.save_images(tuple(send)))
        except EngineError as err:
            failed = dict.fromkeys(send, err.message)
    return SeedReply(loaded=() if failed else tuple(send), current=tuple(current), absent=tuple(absent), failed=failed)


def load_images_from_stdin(socket: str = SOCKET) -> int:
    """Load the archive on standard input into the nested engine; return 0, or 4 with the reason on standard error."""

    def chunks() -> Iterator[bytes]:
        while data := sys.stdin.buffer.read(_CHUNK):
            yield data

    try:
        load_images(socket, chunks())
    except EngineError as err:
        sys.stderr.write(f"{err.message}\n")
        return int(EngineError.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(load_images_from_stdin())
