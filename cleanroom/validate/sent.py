"""Metrics and logs that services sent, decoded when an expectation first asks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from cleanroom.errors import TelemetryError
from cleanroom.spec.expectation import Level
from cleanroom.spec.source import Position
from cleanroom.telemetry.ports import Payload, Signal
from cleanroom.trace.logs import LogRecord, decode_logs
from cleanroom.trace.metrics import Metric, decode_metrics
from cleanroom.trace.model import Origin
from cleanroom.validate import wording
from cleanroom.validate.model import Finding

Item = TypeVar("Item", Metric, LogRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time in nanoseconds since the epoch: from `since_ns` until before `until_ns` (None: for good)."""

    since_ns: int = 0
    until_ns: int | None = None

    def holds(self, moment_ns: int) -> bool:
        """Whether the moment lies in it."""
        return self.since_ns <= moment_ns and (self.until_ns is None or moment_ns < self.until_ns)


@dataclass(frozen=True, slots=True)
class Received(Generic[Item]):
    """What services sent of one signal in order of arrival, and what could not be decoded, one line each."""

    items: tuple[Item, ...] = ()
    malformed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """The requests of one environment (or of all of an iteration)."""

    payloads: tuple[Payload, ...] = ()

    @cached_property
    def metrics(self) -> Received[Metric]:
        """All metrics of services."""
        return self._received("metrics", decode_metrics)

    @cached_property
    def logs(self) -> Received[LogRecord]:
        """All log records of services."""
        return self._received("logs", decode_logs)

    def _received(self, signal: Signal, decode: Callable[[bytes, str, Origin], tuple[Item, ...]]) -> Received[Item]:
        items: list[Item] = []
        malformed: list[str] = []
        for number, payload in enumerate(self.payloads, start=1):
            if payload.signal != signal or payload.origin is not Origin.SERVICE:
                continue
            try:
                items.extend(decode(payload.body, payload.content_type, payload.origin))
            except TelemetryError as err:
                malformed.append(f"request {number} ({payload.content_type}, {len(payload.body)} bytes): {err.message}")
        return Received(tuple(items), tuple(malformed))


def undecodable(received: Received[Metric] | Received[LogRecord], at: Position, level: Level) -> tuple[Finding, ...]:
    """Return the finding on requests that could not be decoded: an expectation must not hold for want of them."""
    if not received.malformed:
        return ()
    return (
        Finding(
            rule="telemetry.decode",
            level=level,
            at=at,
            expected="OTLP requests that can be decoded",
            found=wording.listing(received.malformed),
            remedy="what could not be decoded was not judged: correct the exporter",
        ),
    )
