"""What is expected of telemetry besides spans: metrics, logs, and its quality (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cleanroom.spec.comparator import Comparator, at_least_one
from cleanroom.spec.expectation import Expectation

AT_LEAST_ONE = at_least_one()
_NOTHING: Mapping[str, Comparator] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class LintExpectation(Expectation):
    """`lint`: the score of the service spans, from 0 to 100."""

    min_score: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricExpectation(Expectation):
    """One entry of `metrics`: the value of every data point that is selected."""

    name: str
    where: Mapping[str, Comparator] = field(default_factory=lambda: _NOTHING)
    value: Comparator


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExpectation(Expectation):
    """One entry of `logs`: how many lines of a service's output have a match."""

    service: str
    matches: str
    count: Comparator = AT_LEAST_ONE
