"""One check for each invariant of an `expect` block."""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.run.record import InvariantRecord, ScenarioRecord
from cleanroom.spec.invariant import (
    AcknowledgedInvariant,
    ColumnInvariant,
    DeltaInvariant,
    ErrorClassesInvariant,
    FairnessInvariant,
    HoldsInvariant,
    Invariant,
    OrphansInvariant,
    ReconcileInvariant,
    RowOrderInvariant,
    SingleLeaderInvariant,
    SnapshotInvariant,
)
from cleanroom.validate.invariants.answers import judge_holds, judge_leaders, judge_reconcile
from cleanroom.validate.invariants.content import Breach
from cleanroom.validate.invariants.operations import judge_journal
from cleanroom.validate.invariants.rows import judge_rows
from cleanroom.validate.invariants.snapshots import judge_snapshot
from cleanroom.validate.model import Check, Finding


def judge_invariants(
    wanted: Iterable[Invariant], scenarios: tuple[ScenarioRecord, ...], *, of_suite: bool = False
) -> tuple[Check, ...]:
    """Judge each invariant on every one of `scenarios`; one that was not asked breaks, unless trouble explains it."""
    return tuple(_check(invariant, scenarios, of_suite=of_suite) for invariant in wanted)


def _check(invariant: Invariant, scenarios: tuple[ScenarioRecord, ...], *, of_suite: bool) -> Check:
    rule = f"invariants.{kind_of(invariant)}"
    name = f'invariant "{invariant.id}"'
    findings: list[Finding] = []
    open_because = ""
    for record in scenarios:
        where = f"scenario {record.name}: " if len(scenarios) > 1 else ""
        asked = next((r for r in record.invariants if (r.id, r.of_suite) == (invariant.id, of_suite)), None)
        if asked is None:
            # What kept it from being asked is told elsewhere, and is no pass there either.
            open_because = open_because or _why_unasked(record)
            if _why_unasked(record):
                continue
        breaches = (
            judge_one(invariant, record, asked)
            if asked is not None
            else (Breach(expected="an answer when the steps have ended", found="it was never asked"),)
        )
        findings += [
            Finding(
                rule=rule, level=invariant.level, at=invariant.at, expected=breach.expected,
                found=where + breach.found, remedy=breach.remedy,
            )
            for breach in breaches
        ]  # fmt: skip
    if not scenarios:
        open_because = "no scenario ran"
    why = open_because if not findings else ""
    return Check(rule=rule, name=name, at=invariant.at, findings=tuple(findings), inconclusive=why)


def _why_unasked(record: ScenarioRecord) -> str:
    if record.trouble is not None:
        return f"it was not asked: {record.trouble.message}"
    if any(steady.phase == "before" and steady.broken for steady in record.steady):
        return "it was not asked: the steady state was broken before the steps"
    return ""


def judge_one(invariant: Invariant, record: ScenarioRecord, asked: InvariantRecord) -> tuple[Breach, ...]:
    """Return how the invariant is broken in one scenario; empty: it holds."""
    match invariant.check:
        case SnapshotInvariant() | DeltaInvariant() as check:
            return judge_snapshot(check, record.snapshots, asked.answers)
        case ColumnInvariant() | RowOrderInvariant() | OrphansInvariant() as check:
            return judge_rows(check, asked.answers)
        case AcknowledgedInvariant() | ErrorClassesInvariant() | FairnessInvariant() as check:
            return judge_journal(check, asked.journal or str(check.journal), record.workloads, asked.answers)
        case ReconcileInvariant():
            return judge_reconcile(asked.answers)
        case HoldsInvariant():
            return judge_holds(asked.answers)
        case SingleLeaderInvariant() as check:
            return judge_leaders(check, asked.leaders)


_KINDS = {
    DeltaInvariant: "delta",
    OrphansInvariant: "orphans",
    RowOrderInvariant: "order",
    AcknowledgedInvariant: "acknowledged",
    ErrorClassesInvariant: "error_classes",
    FairnessInvariant: "fairness",
    ReconcileInvariant: "reconcile",
    HoldsInvariant: "holds",
    SingleLeaderInvariant: "single_leader",
}


def kind_of(invariant: Invariant) -> str:
    """Return the key of the invariant's kind in a spec."""
    check = invariant.check
    return check.kind if isinstance(check, SnapshotInvariant | ColumnInvariant) else _KINDS[type(check)]
