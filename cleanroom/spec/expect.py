"""What must hold of the spans (spec.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from cleanroom.spec.pattern import Pattern
from cleanroom.spec.source import NOWHERE, Position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.comparator import Comparator

Level: TypeAlias = Literal["error", "warning"]
NO_COMPARATORS: Mapping[str, Comparator] = MappingProxyType({})


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
class SpanExpectation:
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
    some: bool = False
    id: str = ""
    description: str = ""
    level: Level = "error"
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeExpectation:
    """One pair of `graph.edges`: [parent, child] patterns."""

    parent: Pattern
    child: Pattern
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountExpectation:
    """One figure of `counts`; `key` is what the `by_*` ones are keyed by."""

    what: Literal["spans", "errors", "events", "by_name", "by_service", "by_kind"]
    key: str = ""
    comparator: Comparator
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusExpectation:
    """`status.all` (name None) or one entry of `status.by_name`."""

    name: Pattern | None = None
    comparator: Comparator
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HermeticityExpectation:
    """`hermeticity`: facts come from the network and from inventories, never from spans alone."""

    egress_none: bool = False
    leaks_none: bool = False
    resource: Mapping[str, Comparator] = field(default_factory=lambda: NO_COMPARATORS)
    forbid_attributes: tuple[str, ...] = ()
    services_closed: bool = False
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeExpectation:
    """`outcome`: the scenario's own outcome (passed, degraded, failed, …)."""

    outcome: str
    at: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """All checks of one `expect` block, never empty."""

    outcome: OutcomeExpectation | None = None
    spans: tuple[SpanExpectation, ...] = ()
    edges: tuple[EdgeExpectation, ...] = ()
    counts: tuple[CountExpectation, ...] = ()
    status: tuple[StatusExpectation, ...] = ()
    hermeticity: HermeticityExpectation | None = None
    at: Position = field(default=NOWHERE, compare=False)
