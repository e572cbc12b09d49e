"""Which operations of a scenario figures are computed from."""

from __future__ import annotations

from cleanroom.run.record import ScenarioRecord
from cleanroom.validate.resilience.samples import Measured, NoBaseError, measured, steps_as_samples, struck_by


def measured_in(record: ScenarioRecord, journal: str = "") -> Measured:
    """Return the operations of a journal; without one those of all journals, or the steps where there is no workload.

    Raises `NoBaseError` for a journal of which there is no record.
    """
    struck = struck_by(record.faults, record)
    if journal:
        raise NoBaseError(f"there is no journal {journal}: its workload did not run")
    return measured(steps_as_samples(record.steps), struck)
