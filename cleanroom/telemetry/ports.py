"""What the rest of the program may ask of telemetry; `session` implements it, tests use a fake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.trace.model import Origin

Signal: TypeAlias = Literal["traces", "metrics", "logs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One OTLP request as it arrived: which environment's path, who may use that path, the signal, raw bytes."""

    environment: str
    origin: Origin
    signal: Signal
    content_type: Literal["application/x-protobuf", "application/json"]
    body: bytes
    received_ns: int


class Telemetry(Protocol):
    """The collector and the receiver of one run; every method raises `TelemetryError`."""

    def open(self, slot: int, environment: str) -> None:
        """File everything that arrives on `slot` under `environment` from now on."""

    def endpoint(self, slot: int, protocol: str) -> str:
        """Return OTEL_EXPORTER_OTLP_ENDPOINT for services of `slot` (`grpc`, `http/protobuf`, `http/json`)."""

    def runner_endpoint(self, environment: str) -> str:
        """Return the OTLP/HTTP base endpoint for the runner's own spans, which services cannot reach."""

    def payloads(self, environment: str) -> tuple[Payload, ...]:
        """Return what has arrived for `environment` so far, in order of arrival; the barrier is `drain`."""

    def drain(self, slot: int, timeout: Duration) -> None:
        """Return when everything the slot's receiver accepted has reached us: the barrier (design section 4)."""

    def close(self, slot: int, environment: str) -> tuple[Payload, ...]:
        """Stop filing under `environment` and return all of it; what arrives on the slot later is counted as late."""

    def late(self, environment: str) -> int:
        """Return how many requests arrived on the environment's slot after it was closed, outside any open one."""

    def check(self) -> None:
        """Raise `TelemetryError` when the collector has died (with the end of its log)."""
