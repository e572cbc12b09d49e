"""Telemetry of a suite as a whole (spec.md section 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.source import NOWHERE, Position

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTLE_TIMEOUT = Duration(5 * 10**9)
SETTLE_QUIET = Duration(200 * 10**6)
Propagator: TypeAlias = Literal["tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace"]
Signal: TypeAlias = Literal["traces", "metrics", "logs"]
OtlpProtocol: TypeAlias = Literal["grpc", "http/protobuf", "http/json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """`otel.settle`: how long positive expectations are waited for after the steps, and the quiet time that ends it."""

    timeout: Duration = SETTLE_TIMEOUT
    quiet: Duration = SETTLE_QUIET


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorConfig:
    """`collector: {config: …}`: a configuration of its own, a path relative to the workspace root."""

    config: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """`otel.forward`: where all telemetry is sent on to."""

    endpoint: str
    protocol: OtlpProtocol = "http/protobuf"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Otel:
    """`otel` (spec.md section 3)."""

    collector: Literal["bundled", "embedded"] | CollectorConfig = "bundled"
    sample_ratio: float = 1.0
    resource: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    propagators: tuple[Propagator, ...] = ("tracecontext", "baggage")
    settle: Settle = field(default_factory=Settle)
    forward: Forward | None = None
    accept: tuple[Signal, ...] = ("traces", "metrics", "logs")
    at: Position = field(default=NOWHERE, compare=False)
