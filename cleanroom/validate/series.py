"""Data points as series: what one source says of one metric under one set of attributes, and what it comes to.

A running total is judged once, by what it came to: of a monotonic sum its total, of a histogram or a summary the mean
of all its measurements. How often a service exports must not decide whether an expectation holds. A gauge, and a sum
that may fall, has no total: each of its points is judged, so that a peak cannot hide behind a later value.

- delta: the points are added up. A point that was delivered twice counts once.
- cumulative: the last point counts. Where the sender began anew (another start, or a count that fell), what it had
  reached before is added. In a shared environment what was there before the scenario began is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cleanroom.spec.operand import shown
from cleanroom.trace.metrics import Metric, Number, Point, Temporality
from cleanroom.trace.model import Attributes
from cleanroom.validate.sent import Period

Value: TypeAlias = int | float
NO_SUM = "it was sent without its sum, so it has no mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The points of one source, in order of time, each once; `head` says what they are."""

    head: Metric
    attributes: Attributes
    points: tuple[Point, ...]

    @property
    def label(self) -> str:
        """How a finding names it: attributes, service and kind."""
        pairs = ", ".join(f"{key}={shown(value)}" for key, value in sorted(self.attributes.items()))
        service = f"service {self.head.resource.service}" if self.head.resource.service else "no service.name"
        return f"{{{pairs}}} ({service}, {self.head.kind})"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value to judge; None with the reason where there is something and it has no value."""

    value: Value | None
    reason: str = ""


def series_of(metrics: Iterable[Metric]) -> tuple[Series, ...]:
    """Return the series of `metrics` in an order that arrival does not change; points without measurement are none."""
    heads: dict[str, tuple[Metric, Attributes]] = {}
    points: dict[str, dict[str, Point]] = {}
    for metric in metrics:
        source = _source(metric)
        for point in metric.points:
            if not point.recorded:
                continue
            key = f"{source}{_frozen(point.attributes)}"
            heads.setdefault(key, (metric, point.attributes))
            same = f"{point.start_ns} {point.time_ns} {point.measurement!r}"
            points.setdefault(key, {}).setdefault(same, point)
    return tuple(
        Series(head=heads[key][0], attributes=heads[key][1], points=_ordered(points[key])) for key in sorted(heads)
    )


def readings(series: Series, period: Period) -> tuple[Reading, ...]:
    """Return what `series` comes to in `period`: nothing where no point was taken in it."""
    inside = [point for point in series.points if period.holds(point.time_ns)]
    if not inside:
        return ()
    before = [point for point in series.points if point.time_ns < period.since_ns]
    head = series.head
    if head.kind in ("gauge", "sum"):
        if head.temporality is Temporality.DELTA:
            return (Reading(_sum([_number(point) for point in inside])),)
        if not head.monotonic or head.temporality is not Temporality.CUMULATIVE:
            return tuple(Reading(value) for value in dict.fromkeys(_number(point) for point in inside))
        began = _total([(p.start_ns, _number(p)) for p in before])
        reached = _total([(p.start_ns, _number(p)) for p in (*before, *inside)])
        return (Reading(reached - began if before else reached),)
    return _mean(head.temporality is Temporality.DELTA, before, inside)


def _mean(delta: bool, before: Sequence[Point], inside: Sequence[Point]) -> tuple[Reading, ...]:
    if any(_sum_of(point) is None for point in inside):
        return (Reading(None, NO_SUM),)
    if delta:
        count, total = _sum([_count(p) for p in inside]), _sum([_sum_of(p) or 0.0 for p in inside])
    else:
        first, last = _reached(before), _reached((*before, *inside))
        count, total = last[0] - first[0], last[1] - first[1]
    return (Reading(total / count),) if count > 0 else ()


def _reached(points: Sequence[Point]) -> tuple[Value, Value]:
    """Return count and sum of a running distribution; both begin anew when its count falls or its start changes."""
    count: Value = 0
    total: Value = 0.0
    previous: Point | None = None
    for point in points:
        if previous is not None and (point.start_ns != previous.start_ns or _count(point) < _count(previous)):
            count, total = count + _count(previous), total + (_sum_of(previous) or 0.0)
        previous = point
    if previous is None:
        return 0, 0.0
    return count + _count(previous), total + (_sum_of(previous) or 0.0)


def _total(points: Sequence[tuple[int, Value]]) -> Value:
    total: Value = 0
    previous: tuple[int, Value] | None = None
    for point in points:
        if previous is not None and (point[0] != previous[0] or point[1] < previous[1]):
            total += previous[1]
        previous = point
    return total + previous[1] if previous is not None else total


def _sum(values: Sequence[Value]) -> Value:
    # Integers stay exact; fsum does not let the order of floats show.
    return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)


def _number(point: Point) -> Value:
    value = point.measurement.value if isinstance(point.measurement, Number) else None
    return math.nan if value is None else value


def _count(point: Point) -> int:
    return 0 if isinstance(point.measurement, Number) else point.measurement.count


def _sum_of(point: Point) -> float | None:
    return None if isinstance(point.measurement, Number) else point.measurement.total


def _ordered(points: Mapping[str, Point]) -> tuple[Point, ...]:
    return tuple(
        point for _, point in sorted(points.items(), key=lambda item: (item[1].time_ns, item[1].start_ns, item[0]))
    )


def _source(metric: Metric) -> str:
    scope = f"{metric.scope.name}\0{metric.scope.version}"
    stream = f"{metric.name}\0{metric.unit}\0{metric.kind}\0{metric.temporality}\0{metric.monotonic}"
    return f"{stream}\0{scope}\0{_frozen(metric.resource.attributes)}\0"


def _frozen(value: object) -> str:
    """Return a text that two values share only when they are equal, types included, in whatever order keys came."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{_frozen(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, tuple):
        return "[" + ",".join(_frozen(item) for item in value) + "]"
    return repr(value)
