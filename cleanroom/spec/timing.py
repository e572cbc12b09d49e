"""When spans happen: inside, before, beside and after each other, and how many at a time (spec.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.expectation import Expectation
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.selector import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanSelector(Selector):
    """Selectors, with the windows of faults by their ids."""

    during: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowExpectation(Expectation):
    """One entry of `windows`: every contained span lies inside an outer span of its trace."""

    outer: Pattern
    contains: tuple[Pattern, ...] = ()
    strict: bool = False
    max_duration: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExpectation(Expectation):
    """One entry of `order`: in every group, each `first` precedes each `then`."""

    first: Pattern
    then: Pattern
    by: Literal["start", "end_start"] = "start"
    within: Literal["iteration", "trace", "step", "parent"] = "iteration"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapExpectation(Expectation):
    """One pair of `overlap`: some span of the one and some of the other run at the same time."""

    first: Pattern
    second: Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedExpectation(Expectation):
    """The part of expectations about selected spans."""

    spans: SpanSelector


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalExpectation(SelectedExpectation):
    """One entry of `intervals`: the gaps between successive starts."""

    gap: Comparator
    factor: float = 1.0
    """Each gap is divided by it as often as there are gaps before it, and then judged by `gap`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateExpectation(SelectedExpectation):
    """One entry of `rate`: no `window` has more than `max` starts."""

    window: Duration
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyExpectation(SelectedExpectation):
    """One entry of `concurrency`: at no instant more than `max` of the spans run."""

    max: int
