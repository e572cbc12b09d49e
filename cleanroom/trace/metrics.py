"""Metrics as OTLP has them: sums, gauges, both histograms and summaries; integers exact to 64 bits.

Exemplars and descriptions are not kept: nothing is judged by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from cleanroom.errors import TelemetryError
from cleanroom.trace.decode import request_tree
from cleanroom.trace.model import NO_ATTRIBUTES, Attributes, Origin, Resource, Scope
from cleanroom.trace.otlp_protobuf import Node
from cleanroom.trace.values import attributes_of, resource_of, scope_of

_NO_RECORDED_VALUE = 1  # DataPointFlags: the stream has ended; the point holds no measurement


class Temporality(StrEnum):
    """Whether a point tells what came since the one before it, or since its stream began."""

    UNSPECIFIED = "unspecified"
    DELTA = "delta"
    CUMULATIVE = "cumulative"


_TEMPORALITIES = tuple(Temporality)  # the position of a member is its OTLP number


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A measurement of a gauge or a sum; None: the point has none."""

    value: int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Buckets with explicit bounds; `total` (OTLP's sum), `low` and `high` are None where the SDK sent none."""

    count: int
    total: float | None = None
    low: float | None = None
    high: float | None = None
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """One side of an exponential histogram: the index of the first bucket and the counts from there."""

    offset: int = 0
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentialHistogram:
    """Buckets whose bounds grow by a factor of 2^(2^-scale)."""

    count: int
    total: float | None = None
    low: float | None = None
    high: float | None = None
    scale: int = 0
    zero_count: int = 0
    zero_threshold: float = 0.0
    positive: Buckets = field(default_factory=Buckets)
    negative: Buckets = field(default_factory=Buckets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Quantiles that the sender computed, as (quantile, value)."""

    count: int
    total: float = 0.0
    quantiles: tuple[tuple[float, float], ...] = ()


Measurement: TypeAlias = Number | Histogram | ExponentialHistogram | Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One data point; times in nanoseconds since the epoch, `start_ns` 0 where the sender gave none."""

    attributes: Attributes = field(default_factory=lambda: NO_ATTRIBUTES)
    start_ns: int = 0
    time_ns: int = 0
    flags: int = 0
    measurement: Measurement

    @property
    def recorded(self) -> bool:
        """Whether the point holds a measurement at all."""
        empty = isinstance(self.measurement, Number) and self.measurement.value is None
        return not empty and not self.flags & _NO_RECORDED_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of one request with its points."""

    name: str
    unit: str = ""
    kind: str
    """`gauge`, `sum`, `histogram`, `exponential histogram`, `summary`; empty when it was sent without data."""
    temporality: Temporality = Temporality.UNSPECIFIED
    monotonic: bool = False
    points: tuple[Point, ...] = ()
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)
    origin: Origin = Origin.SERVICE


def decode_metrics(body: bytes, content_type: str, origin: Origin) -> tuple[Metric, ...]:
    """Return the metrics of one OTLP request in its order; raises `TelemetryError` for what is none."""
    return tuple(_metrics(request_tree(body, content_type, "metrics"), origin))


def _metrics(tree: Node, origin: Origin) -> Iterator[Metric]:
    for group in tree.get("resourceMetrics", ()):
        resource = resource_of(group)
        for scope_metrics in group.get("scopeMetrics", ()):
            scope = scope_of(scope_metrics)
            for node in scope_metrics.get("metrics", ()):
                yield _metric(node, resource, scope, origin)


def _metric(node: Node, resource: Resource, scope: Scope, origin: Origin) -> Metric:
    name = node.get("name", "")
    key = next((key for key in _KINDS if key in node), "")
    data = node.get(key, {})
    kind, read = _KINDS.get(key, ("", _number))
    temporality = data.get("aggregationTemporality", 0)
    if not 0 <= temporality < len(_TEMPORALITIES):
        raise TelemetryError(
            f"metric {name[:80]!r}: aggregation temporality is {temporality}, expected 0, 1 or 2",
            remedy="the exporter that sent this metric speaks a newer OTLP or is broken",
        )
    return Metric(
        name=name,
        unit=node.get("unit", ""),
        kind=kind,
        temporality=_TEMPORALITIES[temporality],
        monotonic=data.get("isMonotonic", False),
        points=tuple(
            Point(
                attributes=attributes_of(point),
                start_ns=int(point.get("startTimeUnixNano", 0)),
                time_ns=int(point.get("timeUnixNano", 0)),
                flags=point.get("flags", 0),
                measurement=read(point),
            )
            for point in data.get("dataPoints", ())
        ),
        resource=resource,
        scope=scope,
        origin=origin,
    )


def _number(point: Node) -> Number:
    if "asInt" in point:
        return Number(value=int(point["asInt"]))
    return Number(value=float(point["asDouble"]) if "asDouble" in point else None)


def _histogram(point: Node) -> Histogram:
    return Histogram(
        count=int(point.get("count", 0)),
        total=_optional(point, "sum"),
        low=_optional(point, "min"),
        high=_optional(point, "max"),
        bounds=tuple(float(bound) for bound in point.get("explicitBounds", ())),
        buckets=tuple(int(count) for count in point.get("bucketCounts", ())),
    )


def _exponential(point: Node) -> ExponentialHistogram:
    return ExponentialHistogram(
        count=int(point.get("count", 0)),
        total=_optional(point, "sum"),
        low=_optional(point, "min"),
        high=_optional(point, "max"),
        scale=point.get("scale", 0),
        zero_count=int(point.get("zeroCount", 0)),
        zero_threshold=float(point.get("zeroThreshold", 0.0)),
        positive=_buckets(point.get("positive", {})),
        negative=_buckets(point.get("negative", {})),
    )


def _buckets(node: Node) -> Buckets:
    return Buckets(offset=node.get("offset", 0), counts=tuple(int(count) for count in node.get("bucketCounts", ())))


def _summary(point: Node) -> Summary:
    pairs = point.get("quantileValues", ())
    return Summary(
        count=int(point.get("count", 0)),
        total=float(point.get("sum", 0.0)),
        quantiles=tuple((float(pair.get("quantile", 0.0)), float(pair.get("value", 0.0))) for pair in pairs),
    )


def _optional(point: Node, key: str) -> float | None:
    return float(point[key]) if key in point else None


_KINDS: dict[str, tuple[str, Callable[[Node], Measurement]]] = {
    "gauge": ("gauge", _number),
    "sum": ("sum", _number),
    "histogram": ("histogram", _histogram),
    "exponentialHistogram": ("exponential histogram", _exponential),
    "summary": ("summary", _summary),
}
