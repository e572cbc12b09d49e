"""Whether every planned fault bit, was taken back, and what it had ended came back (spec.md section 8)."""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.plan.model import FaultEvent
from cleanroom.run.record import FaultRecord
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.occurrence import Occurrence, occurrences


def judge_faults(events: Iterable[FaultEvent], records: Iterable[FaultRecord]) -> tuple[Check, ...]:
    """Return the checks of each planned occurrence: its effect, its reversal, its recovery.

    No evidence is inconclusive, never a pass; an occurrence that was not drawn is reported as such.
    """
    found = (o for o in occurrences(events, records) if o.event.drawn or not o.within)
    return tuple(check for occurrence in found for check in _judge_one(occurrence))


def unreverted(records: Iterable[FaultRecord]) -> tuple[FaultRecord, ...]:
    """Return the faults that could not be taken back: the run cannot vouch for what came after.

    An injection that was tried and failed half-way counts as well: what it had done by then is there all the same.
    """
    return tuple(r for r in records if r.drawn and (r.injected or r.window[0]) and not r.reverted)


def _judge_one(occurrence: Occurrence) -> tuple[Check, ...]:
    event, record = occurrence.event, occurrence.record
    fault = event.fault
    name = f"fault {fault.id}" + (f" occurrence {event.occurrence + 1}" if fault.repeat or occurrence.within else "")
    name += f" of {occurrence.within}" if occurrence.within else ""
    if not event.drawn:
        note = f"not drawn (probability {fault.probability:g}): nothing was injected"
        return (Check(rule="fault.verified", name=f"{name} bit", at=fault.at, note=note),)
    effect = Check(
        rule="fault.verified",
        name=f"{name} bit",
        at=fault.at,
        inconclusive=occurrence.unproven,
        allowed=(fault.allow_inconclusive or occurrence.leave) if occurrence.unproven else "",
        note="" if fault.verify else f"not measured, by the spec: {fault.verify_reason or 'verify: false'}",
    )
    if record is None or not (record.injected or unreverted((record,))):
        return (effect,)
    return (effect, _reversal(record, name, effect), *_recovery(record, name, effect))


def _reversal(record: FaultRecord, name: str, effect: Check) -> Check:
    findings: tuple[Finding, ...] = ()
    if not record.reverted:
        findings = (
            Finding(
                rule="fault.reverted",
                at=effect.at,
                expected=f"{record.kind} on {_targets(record)} is taken back, and nothing of it is left",
                found=record.reason or "its reversal could not be measured",
            ),
        )
    return Check(rule="fault.reverted", name=f"{name} was taken back", at=effect.at, findings=findings)


def _recovery(record: FaultRecord, name: str, effect: Check) -> tuple[Check, ...]:
    recovery = record.recovery
    if recovery is None:
        return ()
    findings: tuple[Finding, ...] = ()
    if not recovery.success:
        findings = (
            Finding(
                rule="fault.recovery",
                at=effect.at,
                expected=f"{_targets(record)} comes back after {record.kind} (by {recovery.strategy})",
                found=f"not back after {recovery.duration_ns / 10**9:.1f} s"
                + (f": {record.reason}" if record.reason else ""),
            ),
        )
    return (Check(rule="fault.recovery", name=f"{name} recovery", at=effect.at, findings=findings),)


def _targets(record: FaultRecord) -> str:
    return ", ".join(record.targets) or "its target"
