"""The one table of figures: what each is computed from, its unit, and how its value compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.resilience import Figure
from cleanroom.validate.resilience import latency, outage, rates, recovery
from cleanroom.validate.resilience.samples import Measured, NoBaseError, during

Unit: TypeAlias = Literal["1", "s", "{operation}/s", "{operation}"]
"""By UCUM, as OTLP metrics give it; a time is computed in whole nanoseconds."""
OF_FAULTS = frozenset({
    "recovery_time", "recovery_time.avg", "recovery_time.p95", "recovery_time.max", "detection_time", "rto",
    "degradation",
})  # fmt: skip
"""Figures that need a fault that struck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a figure is asked of: the whole measurement, and what is particular to one expectation."""

    whole: Measured
    fault: str = ""
    """Only in the windows of this fault."""
    slo: float | None = None
    window: int = 10**9
    """Of stability, in ns."""
    lost: Callable[[], int] | None = None
    """Counts the acknowledged operations that are gone, by `acknowledged` invariants; None: nobody looked."""

    @property
    def found(self) -> Measured:
        """What was measured in the windows of the fault, or all of it."""
        return during(self.whole, self.fault) if self.fault else self.whole


@dataclass(frozen=True, slots=True)
class Rule:
    """How one figure is computed; raises `NoBaseError`."""

    unit: Unit
    compute: Callable[[Asked], float]


def _latency(percent: int) -> Rule:
    return Rule("s", lambda asked: latency.percentile(asked.found, percent))


def _recovered(asked: Asked) -> tuple[int, ...]:
    return recovery.recovery_times(asked.found, asked.whole)


def _longest(asked: Asked) -> int:
    return max(_recovered(asked))


def _burn(asked: Asked) -> float:
    if asked.slo is None:
        raise NoBaseError("there is no objective to burn")
    return rates.burn(asked.found, asked.slo)


def _rpo(asked: Asked) -> int:
    if asked.lost is None:
        raise NoBaseError("no invariant `acknowledged` of this journal says which operations are lost")
    return asked.lost()


RULES: Mapping[Figure, Rule] = MappingProxyType({
    "operations": Rule("{operation}", lambda asked: rates.operations(asked.found)),
    "success_rate": Rule("1", lambda asked: rates.success_rate(asked.found)),
    "latency.avg": Rule("s", lambda asked: latency.average(asked.found)),
    "latency.p50": _latency(50),
    "latency.p95": _latency(95),
    "latency.p99": _latency(99),
    "latency.max": _latency(100),
    "throughput": Rule("{operation}/s", lambda asked: rates.throughput(asked.found)),
    "degradation": Rule("1", lambda asked: rates.degradation(asked.whole, asked.fault)),
    "recovery_time": Rule("s", _longest),
    "recovery_time.avg": Rule("s", lambda asked: latency.mean(_recovered(asked))),
    "recovery_time.p95": Rule("s", lambda asked: latency.nearest_rank(_recovered(asked), 95)),
    "recovery_time.max": Rule("s", _longest),
    "detection_time": Rule("s", lambda asked: recovery.detection_time(asked.found, asked.whole)),
    "rto": Rule("s", lambda asked: recovery.rto(asked.found, asked.whole)),
    "rpo": Rule("{operation}", _rpo),
    "availability": Rule("1", lambda asked: outage.availability(asked.found)),
    "unavailability": Rule("s", lambda asked: outage.unavailability(asked.found)),
    "error_budget.burn": Rule("1", _burn),
    "stability.variance": Rule("1", lambda asked: rates.variance(asked.found, asked.window)),
    "stability.last_to_first": Rule("1", lambda asked: rates.last_to_first(asked.found, asked.window)),
})  # fmt: skip


def value_of(figure: Figure, number: float) -> float | Duration:
    """Return a figure as comparators take it: a time as a duration."""
    return Duration(round(number)) if RULES[figure].unit == "s" else number


def words_of(figure: Figure, number: float) -> str:
    """Return a figure for readers: `0.93`, `12.4ms`, `104/s`."""
    unit = RULES[figure].unit
    if unit == "s":
        return str(Duration(round(number)))
    return f"{number:.6g}" + ("/s" if unit.endswith("/s") else "")
