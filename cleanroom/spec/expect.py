"""What must hold of the spans (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from cleanroom.spec.attribute_schema import AttributeSchema
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.expectation import Expectation, Level
from cleanroom.spec.graph import EdgeExpectation, GraphExpectation
from cleanroom.spec.invariant import Invariant
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.resilience import FaultExpectation, ResilienceExpectation, ResourceExpectation
from cleanroom.spec.signal import LintExpectation, LogExpectation, MetricExpectation
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.spec.timing import (
    ConcurrencyExpectation,
    IntervalExpectation,
    OrderExpectation,
    OverlapExpectation,
    RateExpectation,
    SelectedExpectation,
    WindowExpectation,
)

__all__ = [
    "AttributeConditions", "CountExpectation", "EdgeExpectation", "EventConditions", "Expect", "GraphExpectation",
    "HermeticityExpectation", "Level", "OutcomeExpectation", "Pattern", "SpanExpectation", "StatusExpectation",
]  # fmt: skip

NO_COMPARATORS: Mapping[str, Comparator] = MappingProxyType({})
NO_SCHEMA: Mapping[str, AttributeSchema] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeConditions:
    """`attributes: {all, any, none}`: `none` names attribute globs that must be absent."""

    all: Mapping[str, Comparator] = field(default_factory=lambda: NO_COMPARATORS)
    any: Mapping[str, Comparator] = field(default_factory=lambda: NO_COMPARATORS)
    none: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventConditions:
    """`events: {all, any, none}`: names (globs) of span events."""

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanExpectation(Expectation):
    """One entry of `expect.spans`: selectors (conjunctive) and conditions on what was selected."""

    name: Pattern | None = None
    service: Pattern | None = None
    kind: str | None = None
    scope: Pattern | None = None
    where: Mapping[str, Comparator] = field(default_factory=lambda: NO_COMPARATORS)
    during: str = ""
    before: str = ""
    after: str = ""
    count: Comparator | None = None
    """None is the default, `{gte: 1}`."""
    parent: Pattern | None = None
    ancestor: Pattern | None = None
    root: bool | None = None
    attributes: AttributeConditions | None = None
    resource: Mapping[str, Comparator] = field(default_factory=lambda: NO_COMPARATORS)
    events: EventConditions | None = None
    links: Comparator | None = None
    status: Comparator | None = None
    duration: Comparator | None = None
    schema: Mapping[str, AttributeSchema] = field(default_factory=lambda: NO_SCHEMA)
    schema_file: str = ""
    """A file that holds the schema instead: written relative to the spec, kept relative to the repository."""
    some: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CountExpectation(Expectation):
    """One figure of `counts`; `key` is what the `by_*` ones are keyed by."""

    what: Literal["spans", "errors", "events", "by_name", "by_service", "by_kind"]
    key: str = ""
    comparator: Comparator


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusExpectation(Expectation):
    """`status.all` (name None) or one entry of `status.by_name`."""

    name: Pattern | None = None
    comparator: Comparator


@dataclass(frozen=True, slots=True, kw_only=True)
class HermeticityExpectation(Expectation):
    """`hermeticity`: facts come from the network and from inventories, never from spans alone."""

    egress_none: bool = False
    egress_declared: bool = False
    """Only what `network.egress` of the suite allows was reached."""
    leaks_none: bool = False
    resource: Mapping[str, Comparator] = field(default_factory=lambda: NO_COMPARATORS)
    forbid_attributes: tuple[str, ...] = ()
    services_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeExpectation(Expectation):
    """`outcome`: the scenario's own outcome (passed, degraded, failed, …)."""

    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """All checks of one `expect` block, never empty."""

    outcome: OutcomeExpectation | None = None
    spans: tuple[SpanExpectation, ...] = ()
    graph: GraphExpectation | None = None
    counts: tuple[CountExpectation, ...] = ()
    windows: tuple[WindowExpectation, ...] = ()
    order: tuple[OrderExpectation, ...] = ()
    overlap: tuple[OverlapExpectation, ...] = ()
    intervals: tuple[IntervalExpectation, ...] = ()
    rate: tuple[RateExpectation, ...] = ()
    concurrency: tuple[ConcurrencyExpectation, ...] = ()
    status: tuple[StatusExpectation, ...] = ()
    hermeticity: HermeticityExpectation | None = None
    resilience: tuple[ResilienceExpectation, ...] = ()
    resources: tuple[ResourceExpectation, ...] = ()
    faults: tuple[FaultExpectation, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    lint: LintExpectation | None = None
    metrics: tuple[MetricExpectation, ...] = ()
    logs: tuple[LogExpectation, ...] = ()
    at: Position = field(default=NOWHERE, compare=False)

    @property
    def selected(self) -> tuple[SelectedExpectation, ...]:
        """The expectations about the times of selected spans."""
        return (*self.intervals, *self.rate, *self.concurrency)
