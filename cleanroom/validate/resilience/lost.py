"""How many acknowledged operations are gone, by what the `acknowledged` invariants of a scenario found."""

from __future__ import annotations

from cleanroom.drive.workload.operation import WorkloadRecord
from cleanroom.run.record import ScenarioRecord
from cleanroom.validate.invariants.content import Breach
from cleanroom.validate.invariants.operations import compare
from cleanroom.validate.resilience.samples import NoBaseError


def lost_in(record: ScenarioRecord, journal: str = "") -> int:
    """Return how many values that a journal's operations acknowledged are gone; without a name, of all journals.

    Where several invariants look at one journal, the largest number: what one of them finds may be another copy.
    Raises `NoBaseError` where nobody looked, or what was found cannot be compared.
    """
    chosen = [workload for workload in record.workloads if journal in ("", workload.name)]
    if not chosen:
        raise NoBaseError(f"there is no journal {journal}: its workload did not run" if journal else "no workload ran")
    return sum(_lost_of(record, workload) for workload in chosen)


def _lost_of(record: ScenarioRecord, workload: WorkloadRecord) -> int:
    lost = []
    for invariant in record.invariants:
        if not invariant.acknowledged or invariant.journal != workload.name:
            continue
        found = compare(workload, invariant.answers)
        if isinstance(found, Breach):
            raise NoBaseError(f'invariant "{invariant.id}" cannot tell what is lost: {found.found}')
        lost.append(found.lost.total())
    if not lost:
        raise NoBaseError(f"no invariant `acknowledged` of journal {workload.name} says which operations are lost")
    return max(lost)
