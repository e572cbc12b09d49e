"""Times of services whose clocks were altered: corrected by what was measured, or marked as saying nothing.

An offset is one number for as long as a clock has it, so a span's times less that number are the machine's. A clock
that stood still or ran at another rate says nothing that could be put right (spec.md section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cleanroom.plan.model import Plan
from cleanroom.plan.surroundings import clock_faults, clock_of
from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.clock_setting import RealClock
from cleanroom.trace.model import Span

STRUCK = "a fault altered its clock"
UNKNOWN = "its clock was altered, and by how much is known to the run only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What is to be done with times, by `service.name`; a service that is in neither has the machine's own clock."""

    offsets: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Nanoseconds by which a clock was ahead."""
    untimed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Why a clock says nothing."""

    def corrected(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        """Return the spans with the machine's times, and those that have none marked so."""
        if not self.offsets and not self.untimed:
            return tuple(spans)
        return tuple(self._corrected(span) for span in spans)

    def _corrected(self, span: Span) -> Span:
        ahead = self.offsets.get(span.service)
        if ahead is not None:
            events = tuple(replace(event, time_ns=event.time_ns - ahead) for event in span.events)
            return replace(span, start_ns=span.start_ns - ahead, end_ns=span.end_ns - ahead, events=events)
        why = self.untimed.get(span.service)
        return replace(span, untimed=why) if why else span


def clocks_of(plan: Plan, record: ScenarioRecord, names: Mapping[str, str]) -> Clocks:
    """Return the clocks of a scenario's services; `names` leads from a service of the spec to its `service.name`."""
    measured = {service.name: service.clock for service in record.services}
    offsets: dict[str, int] = {}
    untimed: dict[str, str] = {}
    struck = clock_faults(plan, record.name)
    for service in plan.suite.services:
        if service.name in struck:
            untimed[names[service.name]] = STRUCK
            continue
        if isinstance(clock_of(plan.suite, service), RealClock):
            continue
        found = measured.get(service.name)
        if found is None or found.untimed:
            untimed[names[service.name]] = found.untimed if found is not None else UNKNOWN
        else:
            offsets[names[service.name]] = found.offset_ns
    return Clocks(offsets=offsets, untimed=untimed)
