"""Telemetry that was recorded anywhere, read from files as the requests it consists of.

Forms: OTLP/JSON lines as the collector's file exporter writes them, one OTLP/JSON document, an OTLP protobuf message,
and the exporter's `format: proto` (each message behind its length in four bytes, big-endian).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from cleanroom.errors import TelemetryError, UsageError
from cleanroom.telemetry.ports import Payload, Signal
from cleanroom.text import one_line
from cleanroom.trace.decode import TraceDecoder
from cleanroom.trace.model import Origin, Trace

_SIGNALS: tuple[tuple[str, Signal], ...] = (
    ("resourceSpans", "traces"),
    ("resourceMetrics", "metrics"),
    ("resourceLogs", "logs"),
)
_PACKED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_BOM = b"\xef\xbb\xbf"
_LENGTH = 4
_REMEDY = "give OTLP/JSON lines, one OTLP/JSON document, or OTLP protobuf, as the collector's file exporter writes them"


def read_recorded(paths: Iterable[str], origin: Origin = Origin.SERVICE) -> tuple[Payload, ...]:
    """Return the requests in all files, in order, filed under `origin`; the spans of each have been decoded once.

    Raises `UsageError` for a file that cannot be read, `TelemetryError` naming file and line of what is no OTLP.
    """
    return tuple(payload for path in paths for payload in _read(path, origin))


def read_trace(paths: Iterable[str]) -> Trace:
    """Return all spans in the files as one trace, each once; raises as `read_recorded`, and where there is no span."""
    names = tuple(paths)
    decoder = TraceDecoder()
    spans = [
        span
        for payload in read_recorded(names)
        if payload.signal == "traces"
        for span in decoder.decode(payload.body, payload.content_type, payload.origin)
    ]
    if not spans:
        raise TelemetryError(f"there is no span in {', '.join(one_line(name) for name in names)}", remedy=_REMEDY)
    kept = {(s.trace_id, s.span_id, s.name, s.start_ns, s.end_ns): s for s in reversed(spans)}
    return Trace.of(kept.values())


def _read(text: str, origin: Origin) -> Iterator[Payload]:
    name = one_line(text)
    try:
        data = Path(text).read_bytes()
    except (OSError, ValueError) as err:
        raise UsageError(f"{name} cannot be read: {getattr(err, 'strerror', None) or err}") from err
    for magic, packing in _PACKED:
        if data.startswith(magic):
            raise TelemetryError(f"{name} is packed with {packing}", remedy=f"unpack it first ({packing} -d)")
    plain = data.removeprefix(_BOM)
    bodies = _json(plain, name) if plain.lstrip()[:1] in {b"{", b"["} else _protobuf(data, name)
    decoder = TraceDecoder()
    for where, signal, body, content_type in bodies:
        payload = Payload(
            environment="recorded", origin=origin, signal=signal, content_type=content_type, body=body, received_ns=0
        )
        if signal == "traces":
            try:
                decoder.decode(body, content_type, origin)
            except TelemetryError as err:
                raise TelemetryError(f"{where}: {one_line(err.message, 500)}", remedy=_REMEDY) from err
        yield payload


_Body = tuple[str, Signal, bytes, Literal["application/x-protobuf", "application/json"]]


def _json(data: bytes, name: str) -> Iterator[_Body]:
    """Yield the document, or each line of documents: a document may be spread over lines, one of several may not."""
    try:
        yield name, _signal(json.loads(data), name), data, "application/json"
    except (ValueError, RecursionError) as err:
        lines = data.splitlines()
        if len(lines) <= 1 or not (isinstance(err, json.JSONDecodeError) and err.msg == "Extra data"):
            raise TelemetryError(f"{name}: no JSON: {one_line(str(err))}", remedy=_REMEDY) from err
    else:
        return
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            signal = _signal(json.loads(line), where)
        except (ValueError, RecursionError) as err:
            raise TelemetryError(f"{where}: no JSON: {one_line(str(err))}", remedy=_REMEDY) from err
        yield where, signal, line, "application/json"


def _signal(document: object, where: str) -> Signal:
    for key, signal in _SIGNALS:
        if isinstance(document, dict) and key in document:
            return signal
    raise TelemetryError(
        f"{where}: no OTLP/JSON: there is no resourceSpans, resourceMetrics or resourceLogs", remedy=_REMEDY
    )


def _protobuf(data: bytes, name: str) -> Iterator[_Body]:
    for number, message in enumerate(_messages(data), start=1):
        yield f"{name} (message {number})", "traces", message, "application/x-protobuf"


def _messages(data: bytes) -> tuple[bytes, ...]:
    """Return the messages of a file: a message begins with a tag, which is never 0, a length below 16 MiB does."""
    if data[:1] != b"\0":
        return (data,) if data else ()
    found: list[bytes] = []
    offset = 0
    while offset < len(data):
        start = offset + _LENGTH
        end = start + int.from_bytes(data[offset:start], "big")
        if start > len(data) or end > len(data):
            return (data,)  # no such framing: what it is instead, decoding says
        found.append(data[start:end])
        offset = end
    return tuple(found)
