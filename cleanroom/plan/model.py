"""A plan: everything that will be done, fixed before anything starts (design: plan first, then run)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cleanroom.spec.fault import Fault, Moment, ParameterValue
from cleanroom.spec.service import Service
from cleanroom.spec.suite import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """One occurrence of a fault, drawn: whom it strikes, when, how long, with which parameters."""

    fault: Fault
    scenario: str
    occurrence: int
    """0-based."""
    stream: str
    """Hex SHA-256 of (seed / scenario / fault id / occurrence): the seed of every draw inside the fault's mechanism."""
    drawn: bool
    """False: `probability` decided against this occurrence; it is reported, and nothing is injected."""
    targets: tuple[str, ...]
    """Names of containers."""
    moment: Moment
    parameters: Mapping[str, ParameterValue] = field(default_factory=lambda: MappingProxyType({}))
    inner: tuple[FaultEvent, ...] = ()
    """What a composite fault does: events whose moments count from the begin of this one."""

    @property
    def key(self) -> str:
        """`<fault id>#<occurrence>`, unique within a scenario."""
        return f"{self.fault.id}#{self.occurrence}"

    def walk(self) -> Iterator[FaultEvent]:
        """Yield this event and all that it is made of."""
        yield self
        for part in self.inner:
            yield from part.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioPlan:
    """The timeline of one scenario, the same in every iteration."""

    scenario: str
    events: tuple[FaultEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A suite with its seed, the order of its services and the whole fault timeline."""

    suite: Suite
    seed: int
    iterations: int
    start_order: tuple[tuple[str, ...], ...]
    """Names of containers in waves: each wave depends only on earlier ones; sorted by name within a wave."""
    addresses: Mapping[str, int]
    """Host number of each container in its environment's subnet, in order of name, from 10."""
    scenarios: tuple[ScenarioPlan, ...]
    schedule_digest: str
    plan_digest: str
    services: tuple[Service, ...] = ()
    """One for each container, in the order of the file: replicas have names and templates of their own."""

    def timeline(self, scenario: str) -> tuple[FaultEvent, ...]:
        """Return the drawn events of `scenario`; raises StopIteration for a name that is not planned."""
        return next(s.events for s in self.scenarios if s.scenario == scenario)
