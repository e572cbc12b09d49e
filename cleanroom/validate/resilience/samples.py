"""What figures are made of: the operations of a scenario, the time they were measured in, and the windows of faults.

Times are nanoseconds since the epoch. An operation begins when it was *due*: at an open rate that is its intended
start, so that waiting behind a stalled one counts (coordinated omission). One that timed out counts at its limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cleanroom.run.record import FaultRecord, ScenarioRecord, StepRecord
from cleanroom.validate.occurrence import Window

ASKING: Final = frozenset({"exec", "run", "http", "sql", "redis"})
"""Actions that ask something of the system: without a workload, the steps that do are the operations."""


class NoBaseError(Exception):
    """A figure has nothing to be computed from; the text says what is missing. Never a pass."""


class NeverError(NoBaseError):
    """What a figure measures never came to pass: the system did not recover, or nothing showed a fault."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One operation: when it was due, when it ended, whether it succeeded."""

    due: int
    end: int
    ok: bool

    @property
    def latency(self) -> int:
        """Nanoseconds from when it was due to its end."""
        return max(0, self.end - self.due)


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """One occurrence of a fault that struck: its window, and what brought back what it had ended."""

    fault: str
    begin: int
    end: int
    """Where the fault was never taken away: the end of the scenario."""
    recovery_ns: int | None = None
    """From its end (of a kill: the death) to readiness, where something had to come back."""
    recovered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Operations in order of their due time, the stretches of time they were measured in, and what struck meanwhile."""

    samples: tuple[Sample, ...]
    stretches: tuple[Window, ...]
    """Disjoint, in order; empty where nothing was measured."""
    struck: tuple[Struck, ...] = ()
    """In order of begin."""

    @property
    def length(self) -> int:
        """Nanoseconds of all stretches."""
        return sum(end - begin for begin, end in self.stretches)


def steps_as_samples(steps: Iterable[StepRecord]) -> tuple[Sample, ...]:
    """Return the steps that ask something of the system; one that was skipped was no operation."""
    found = (
        Sample(step.start_ns, step.end_ns, step.outcome == "passed")
        for step in steps
        if step.type in ASKING and step.outcome != "skipped"
    )
    return in_order(found)


def in_order(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Return operations by due time, then end."""
    return tuple(sorted(samples, key=lambda s: (s.due, s.end)))


def struck_by(faults: Iterable[FaultRecord], record: ScenarioRecord) -> tuple[Struck, ...]:
    """Return the occurrences that were injected, in order of time."""
    found = [
        Struck(
            fault=fault.id,
            begin=fault.window[0],
            end=fault.window[1] or max(record.end_ns, fault.window[0]),
            recovery_ns=fault.recovery.duration_ns if fault.recovery is not None else None,
            recovered=fault.recovery.success if fault.recovery is not None else True,
        )
        for fault in faults
        if fault.drawn and fault.injected and fault.window[0] > 0
    ]
    return tuple(sorted(found, key=lambda s: (s.begin, s.end, s.fault)))


def measured(samples: tuple[Sample, ...], struck: Sequence[Struck] = ()) -> Measured:
    """Return what was measured: from when the first operation was due until the last one ended."""
    period = ((samples[0].due, max(s.end for s in samples)),) if samples else ()
    return Measured(samples=samples, stretches=period, struck=tuple(struck))


def during(whole: Measured, fault: str) -> Measured:
    """Return what was measured in the windows of one fault: the operations that overlap one, and that time alone."""
    struck = tuple(s for s in whole.struck if s.fault == fault)
    windows = joined((s.begin, s.end) for s in struck)
    return Measured(
        samples=overlapping(whole.samples, windows), stretches=common(whole.stretches, windows), struck=struck
    )


def overlapping(samples: Sequence[Sample], windows: Sequence[Window]) -> tuple[Sample, ...]:
    """Return the operations that overlap one of `windows`, which are disjoint and in order; both ends included."""
    found: list[Sample] = []
    first = 0
    for sample in samples:
        # Operations come by due time: a window that ended before this one was due is over for all that follow.
        while first < len(windows) and windows[first][1] < sample.due:
            first += 1
        if first < len(windows) and windows[first][0] <= sample.end:
            found.append(sample)
    return tuple(found)


def joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Return windows as disjoint stretches in order."""
    found: list[Window] = []
    for begin, end in sorted(windows):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return tuple(found)


def common(left: Sequence[Window], right: Sequence[Window]) -> tuple[Window, ...]:
    """Return the time that is in both; each side disjoint and in order."""
    found = []
    i = j = 0
    while i < len(left) and j < len(right):
        begin, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if begin < end:
            found.append((begin, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def asked(found: Measured) -> tuple[Sample, ...]:
    """Return the operations; raises `NoBaseError` where there is none."""
    if not found.samples:
        raise NoBaseError("there was no operation to measure")
    return found.samples
