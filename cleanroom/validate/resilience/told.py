"""All figures of a scenario's workloads, for reports, spans and metrics: told whether or not a spec judges them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.resilience import Figure
from cleanroom.validate.occurrence import Window
from cleanroom.validate.resilience.figures import RULES, Asked, Unit, words_of
from cleanroom.validate.resilience.outage import windows
from cleanroom.validate.resilience.samples import NoBaseError
from cleanroom.validate.resilience.source import measured_in

_SECOND: Final = 10**9
_MOST_WINDOWS: Final = 100
# The same under another name, or of what only a spec says.
_UNTOLD: Final = frozenset({"recovery_time", "rpo", "error_budget.burn"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One figure of one journal; `value` is in `unit`, times in seconds."""

    journal: str
    figure: Figure
    value: float
    unit: Unit
    words: str


def told(record: ScenarioRecord) -> tuple[Told, ...]:
    """Return every figure that has a base, journal by journal in the order of the record."""
    return tuple(figure for workload in record.workloads for figure in _of_journal(record, workload.name))


def _of_journal(record: ScenarioRecord, journal: str) -> Iterator[Told]:
    asked = Asked(whole=measured_in(record, journal))
    for figure, rule in RULES.items():
        if figure in _UNTOLD:
            continue
        try:
            number = rule.compute(asked)
        except NoBaseError:
            continue
        value = number / _SECOND if rule.unit == "s" else number
        yield Told(journal=journal, figure=figure, value=value, unit=rule.unit, words=words_of(figure, number))


def unavailable(record: ScenarioRecord) -> tuple[tuple[str, Window], ...]:
    """Return the windows of unavailability as (journal, window in ns), in order: of each journal the longest 100."""
    found: list[tuple[str, Window]] = []
    for workload in record.workloads:
        try:
            every = windows(measured_in(record, workload.name))
        except NoBaseError:
            continue
        longest = sorted(sorted(every, key=lambda window: window[0] - window[1])[:_MOST_WINDOWS])
        found += [(workload.name, window) for window in longest]
    return tuple(found)
