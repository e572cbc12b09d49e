"""Which operations of a scenario figures are computed from."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.drive.workload.operation import OUTCOMES, WorkloadRecord
from cleanroom.run.record import ScenarioRecord
from cleanroom.validate.resilience.samples import (
    Measured,
    NoBaseError,
    Sample,
    in_order,
    measured,
    steps_as_samples,
    struck_by,
)

_OK = OUTCOMES.index("ok")


def measured_in(record: ScenarioRecord, journal: str = "") -> Measured:
    """Return the operations of a journal; without one those of all journals, or the steps where there is no workload.

    An operation succeeded when the system acknowledged it: an error that the spec allows is no success. Raises
    `NoBaseError` for a journal of which there is no record.
    """
    struck = struck_by(record.faults, record)
    if not journal and not record.workloads:
        return measured(steps_as_samples(record.steps), struck)
    chosen = [workload for workload in record.workloads if journal in ("", workload.name)]
    if not chosen:
        raise NoBaseError(f"there is no journal {journal}: its workload did not run")
    return measured(in_order(sample for workload in chosen for sample in _samples(workload)), struck)


def _samples(workload: WorkloadRecord) -> Iterator[Sample]:
    of = workload.operations
    for due, end, outcome in zip(of.intended_ns, of.end_ns, of.outcome_id, strict=True):
        yield Sample(due, end, outcome == _OK)
