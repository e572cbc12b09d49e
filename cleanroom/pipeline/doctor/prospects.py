"""Which rung each fault would take here, from what was found of its needs."""

from __future__ import annotations

from collections.abc import Mapping

from cleanroom.faults.ladder import LADDERS
from cleanroom.faults.needs import NEEDS
from cleanroom.faults.rung import Ladder, Rung
from cleanroom.pipeline.doctor.findings import Diagnosis, Prospect, Refusal


def prospects(found: Mapping[str, Diagnosis]) -> tuple[Prospect, ...]:
    """Return what would become of every fault; `found` has what was tried, by the word of the need."""
    return tuple(_prospect(ladder, found) for ladder in LADDERS)


def _prospect(ladder: Ladder, found: Mapping[str, Diagnosis]) -> Prospect:
    refusals: list[Refusal] = []
    for rung in ladder.rungs:
        missing = [found[need] for need in rung.needs if not NEEDS[need].by_service and not found[need].works]
        if not missing:
            provided = tuple(need for need in rung.needs if NEEDS[need].by_service)
            return Prospect(kind=ladder.kind, rung=rung.name, provided=provided, refusals=tuple(refusals))
        refusals.append(_refusal(rung, missing))
    return Prospect(kind=ladder.kind, refusals=tuple(refusals), parts=not ladder.rungs)


def _refusal(rung: Rung, missing: list[Diagnosis]) -> Refusal:
    remedies = dict.fromkeys(one.remedy for one in missing)
    return Refusal(rung=rung.name, reason=f"lacks {', '.join(one.name for one in missing)}", remedy="; ".join(remedies))
