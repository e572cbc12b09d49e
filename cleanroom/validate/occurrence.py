"""What came of each planned occurrence of a fault, and whether expectations may lean on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from cleanroom.plan.model import FaultEvent
from cleanroom.run.record import FaultRecord
from cleanroom.spec.fault import Fault

Window: TypeAlias = tuple[int, int]
"""(start, end) in nanoseconds since the epoch; end 0: it never ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """A planned occurrence with its record; None where the run never came to it."""

    event: FaultEvent
    record: FaultRecord | None
    within: str = ""
    """The composite that it is a part of."""
    leave: str = ""
    """The `allow_inconclusive` of a composite around it."""

    @property
    def unproven(self) -> str:
        """Why there is no evidence that it struck; empty when there is, or when it was not drawn.

        `verify: false` waives the measurement, never the injection.
        """
        if not self.event.drawn:
            return ""
        if self.record is None:
            return "it was planned, and the scenario ended before it struck"
        if not self.record.injected:
            return "it was not injected" + _because(self.record)
        if self.event.fault.verify and not self.record.verified:
            return "it was injected, and no effect could be measured" + _because(self.record)
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultState:
    """A fault over all its occurrences: where it stood in time, or why nothing can be said about its time."""

    windows: tuple[Window, ...] = ()
    unusable: str = ""
    allowed: str = ""
    """The fault's own `allow_inconclusive` reason."""


def _because(record: FaultRecord) -> str:
    return f": {record.reason}" if record.reason else ""


def occurrences(events: Iterable[FaultEvent], records: Iterable[FaultRecord]) -> tuple[Occurrence, ...]:
    """Return every planned occurrence in the order of the plan, with its record where there is one.

    The parts of a composite follow on it. A part that it did not come to before its end is none: the composite's own
    evidence says what it came to.
    """
    by_key = {(record.within, record.id, record.occurrence): record for record in records}
    return tuple(_flat(events, by_key, ""))


def _flat(
    events: Iterable[FaultEvent], records: Mapping[tuple[str, str, int], FaultRecord], within: str, leave: str = ""
) -> Iterator[Occurrence]:
    for event in events:
        record = records.get((within, event.fault.id, event.occurrence))
        if within and event.drawn and record is None:
            continue
        yield Occurrence(event=event, record=record, within=within, leave=leave)
        if event.inner:
            path = f"{within}/{event.key}" if within else event.key
            yield from _flat(event.inner, records, path, event.fault.allow_inconclusive or leave)


def states(found: Iterable[Occurrence]) -> Mapping[str, FaultState]:
    """Return the state of each fault by its id; one occurrence without evidence makes the whole fault unusable."""
    grouped: dict[str, list[Occurrence]] = {}
    for occurrence in found:
        grouped.setdefault(occurrence.event.fault.id, []).append(occurrence)
    return MappingProxyType({fault_id: _state(group) for fault_id, group in grouped.items()})


def _state(group: list[Occurrence]) -> FaultState:
    fault: Fault = group[0].event.fault
    if not any(o.event.drawn for o in group):
        why = f"no occurrence of fault {fault.id} was drawn (probability {fault.probability:g})"
        return FaultState(unusable=why, allowed=fault.allow_inconclusive)
    for occurrence in group:
        if occurrence.unproven:
            why = f"fault {fault.id} (occurrence {occurrence.event.occurrence + 1}): {occurrence.unproven}"
            return FaultState(unusable=why, allowed=fault.allow_inconclusive)
        if occurrence.record is not None and occurrence.event.drawn and occurrence.record.window[0] <= 0:
            # A window from 0 to "never ended" would hold every span there is.
            why = f"fault {fault.id} (occurrence {occurrence.event.occurrence + 1}): its window was not recorded"
            return FaultState(unusable=why, allowed=fault.allow_inconclusive)
    windows = tuple(sorted(o.record.window for o in group if o.record is not None and o.event.drawn))
    return FaultState(windows=windows, allowed=fault.allow_inconclusive)


def merged(parts: Iterable[Mapping[str, FaultState]]) -> Mapping[str, FaultState]:
    """Return the states over several scenarios: all windows of an id; unusable where it is so in any of them."""
    result: dict[str, FaultState] = {}
    for part in parts:
        for fault_id, state in part.items():
            known = result.get(fault_id, FaultState())
            result[fault_id] = FaultState(
                windows=tuple(sorted((*known.windows, *state.windows))),
                unusable=known.unusable or state.unusable,
                allowed=known.allowed or state.allowed,
            )
    return MappingProxyType(result)
