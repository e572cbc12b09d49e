"""What is expected of time, tersely, and scenes of spans given as (name, start, end)."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from cleanroom.quantity import Duration
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.timing import (
    ConcurrencyExpectation,
    IntervalExpectation,
    OrderExpectation,
    OverlapExpectation,
    RateExpectation,
    SpanSelector,
    WindowExpectation,
)
from cleanroom.trace.model import Span
from cleanroom.validate.concurrency import judge_concurrency
from cleanroom.validate.intervals import judge_intervals
from cleanroom.validate.model import Check
from cleanroom.validate.order import judge_order
from cleanroom.validate.overlap import judge_overlap
from cleanroom.validate.rate import judge_rate
from cleanroom.validate.scene import Scene
from cleanroom.validate.windows import judge_windows
from tests.unit.validate.builders import AT, TRACE, cmp, span

OTHER = "b" * 32
JUDGES: dict[type, Any] = {
    WindowExpectation: judge_windows,
    OrderExpectation: judge_order,
    OverlapExpectation: judge_overlap,
    IntervalExpectation: judge_intervals,
    RateExpectation: judge_rate,
    ConcurrencyExpectation: judge_concurrency,
}


def judged(scene: Scene, wanted: Any) -> tuple[Check, ...]:
    return JUDGES[type(wanted)](scene, (wanted,))


def at(name: str, start: int, end: int, number: int = 0, **kw: Any) -> Span:
    """A span by its times; without a number its id is made of them."""
    of_times = crc32(repr((name, start, end, kw.get("trace", TRACE))).encode()) + 1000
    return span(number or of_times, name, start=start, end=end, **kw)


def pattern(text: str | Pattern) -> Pattern:
    return Pattern(text) if isinstance(text, str) else text


def window(outer: str | Pattern, *contains: str | Pattern, longest: int | None = None, **kw: Any) -> WindowExpectation:
    return WindowExpectation(
        outer=pattern(outer),
        contains=tuple(map(pattern, contains)),
        max_duration=None if longest is None else Duration(longest),
        at=AT,
        **kw,
    )


def order(first: str | Pattern, then: str | Pattern, **kw: Any) -> OrderExpectation:
    return OrderExpectation(first=pattern(first), then=pattern(then), at=AT, **kw)


def overlap(first: str | Pattern, second: str | Pattern, **kw: Any) -> OverlapExpectation:
    return OverlapExpectation(first=pattern(first), second=pattern(second), at=AT, **kw)


def _spans(kw: dict[str, Any]) -> SpanSelector:
    names = ("service", "scope")
    found = {key: kw.pop(key) for key in ("kind", "where", "during", "before", "after") if key in kw}
    found |= {key: Pattern(kw.pop(key)) for key in names if key in kw}
    return SpanSelector(name=pattern(kw.pop("name", "a")), **found)


def intervals(factor: float = 1.0, **kw: Any) -> IntervalExpectation:
    spans = _spans(kw)
    own = {key: kw.pop(key) for key in ("id", "description", "level") if key in kw}
    return IntervalExpectation(spans=spans, gap=cmp(**kw), factor=factor, at=AT, **own)


def rate(most: int, in_ns: int, **kw: Any) -> RateExpectation:
    return RateExpectation(spans=_spans(kw), window=Duration(in_ns), max=most, at=AT, **kw)


def concurrency(most: int, **kw: Any) -> ConcurrencyExpectation:
    return ConcurrencyExpectation(spans=_spans(kw), max=most, at=AT, **kw)
