"""What is drawn: columns of equal time, each with its operations, and a band for each fault."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.run.record import ScenarioRecord
from cleanroom.validate.resilience.latency import nearest_rank
from cleanroom.validate.resilience.samples import NoBaseError
from cleanroom.validate.resilience.source import measured_in

MOST_BANDS = 20


@dataclass(frozen=True, slots=True)
class Column:
    """The operations that were due in one column: how many, how many succeeded, and the 99th percentile in ns."""

    operations: int = 0
    succeeded: int = 0
    latency: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One fault: its id, and where it stood as (begin, end), each a share of the whole time."""

    fault: str
    stretches: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One journal of one scenario in one iteration."""

    scenario: str
    iteration: int
    """From 0."""
    journal: str
    length: int
    """Nanoseconds from when the first operation was due until the last one ended."""
    columns: tuple[Column, ...]
    bands: tuple[Band, ...] = ()
    hidden: int = 0
    """Faults that are not drawn."""

    @property
    def operations(self) -> int:
        """How many operations there were."""
        return sum(column.operations for column in self.columns)

    @property
    def succeeded(self) -> int:
        """How many of them succeeded."""
        return sum(column.succeeded for column in self.columns)

    @property
    def slowest(self) -> int:
        """The highest latency that is drawn, in ns."""
        return max((column.latency for column in self.columns), default=0)


def timelines(record: ScenarioRecord, iteration: int, columns: int) -> tuple[Timeline, ...]:
    """Return the time line of each journal that has operations."""
    found = (_timeline(record, iteration, workload.name, columns) for workload in record.workloads)
    return tuple(one for one in found if one is not None)


def _timeline(record: ScenarioRecord, iteration: int, journal: str, columns: int) -> Timeline | None:
    try:
        found = measured_in(record, journal)
    except NoBaseError:
        return None
    if not found.samples:
        return None
    ((begin, end),) = found.stretches
    length = max(1, end - begin)
    parts: list[list[int]] = [[] for _ in range(columns)]
    succeeded = [0] * columns
    for sample in found.samples:
        place = min(columns - 1, (sample.due - begin) * columns // length)
        parts[place].append(sample.latency)
        succeeded[place] += sample.ok
    bands: dict[str, list[tuple[float, float]]] = {}
    for struck in found.struck:
        first, last = max(begin, struck.begin), min(end, struck.end)
        if first <= last:
            bands.setdefault(struck.fault, []).append(((first - begin) / length, (last - begin) / length))
    drawn = tuple(Band(fault=fault, stretches=tuple(where)) for fault, where in bands.items())
    return Timeline(
        scenario=record.name,
        iteration=iteration,
        journal=journal,
        length=length,
        columns=tuple(
            Column(len(part), good, nearest_rank(part, 99)) if part else Column()
            for part, good in zip(parts, succeeded, strict=True)
        ),
        bands=drawn[:MOST_BANDS],
        hidden=max(0, len(drawn) - MOST_BANDS),
    )


def title(timeline: Timeline) -> str:
    """Return what a drawing is headed with."""
    share = 100 * timeline.succeeded / timeline.operations
    count = f"{timeline.operations} operation{'s' if timeline.operations != 1 else ''}"
    where = f"{timeline.scenario}, iteration {timeline.iteration + 1}"
    return f"{timeline.journal} ({where}): {count} in {timeline.length / 10**9:.3g} s, {share:.4g} % succeeded"


def hidden_words(timeline: Timeline) -> str:
    """Return what a drawing says of the faults that are not in it, or the empty string."""
    return f"and {timeline.hidden} more faults, not drawn" if timeline.hidden else ""
