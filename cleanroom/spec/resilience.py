"""How well the system under test went through its faults, and what it used (spec.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.expectation import Expectation

Figure: TypeAlias = Literal[
    "success_rate", "latency.avg", "latency.p50", "latency.p95", "latency.p99", "latency.max", "throughput",
    "recovery_time", "recovery_time.avg", "recovery_time.p95", "recovery_time.max", "detection_time",
    "rto", "rpo", "unavailability", "degradation", "availability", "operations",
    "error_budget.burn", "stability.variance", "stability.last_to_first",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ResilienceExpectation(Expectation):
    """One figure of `resilience`, what of it is measured, and what it must be."""

    figure: Figure
    comparator: Comparator
    journal: str = ""
    """The workload's journal; empty: all operations of the scenario."""
    during: str = ""
    """The fault during which it is measured; empty: all the time."""
    slo: float | None = None
    """Of `error_budget.burn`: the share of operations that must succeed."""
    window: Duration = Duration(10**9)
    """Of `stability`: how long each of the windows is that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceExpectation(Expectation):
    """`resources.<service>`: what one service used, by its control group and the engine; None is not judged."""

    service: str
    memory_peak: Comparator | None = None
    cpu_time: Comparator | None = None
    open_files: Comparator | None = None
    growth: Comparator | None = None
    restarts: Comparator | None = None
    oom_killed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultExpectation(Expectation):
    """`faults.<id>`: what must be known of a fault afterwards."""

    fault: str
    verified: bool = False
    backend: Comparator | None = None
    affected: tuple[str, ...] = ()
    """Services that the fault must have harmed."""
    unaffected: tuple[str, ...] = ()
    """Services that it must not have harmed."""
