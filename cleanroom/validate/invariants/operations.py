"""`acknowledged`, `error_classes`, `fairness`: what must hold of a workload's journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.drive.answer import Answer
from cleanroom.drive.workload.operation import Operation, WorkloadRecord
from cleanroom.spec.comparator import describe, judge
from cleanroom.spec.invariant import AcknowledgedInvariant, ErrorClassesInvariant, FairnessInvariant
from cleanroom.validate.invariants.content import QUERY_REMEDY, Breach, key, unusable

_SHOWN = 3
_BROKEN_EXPECT = "an answer that broke its expect"


def judge_journal(
    check: AcknowledgedInvariant | ErrorClassesInvariant | FairnessInvariant,
    journal: str,
    workloads: Iterable[WorkloadRecord],
    answers: tuple[Answer, ...],
) -> tuple[Breach, ...]:
    """Judge the operations of one journal; one that is not there, or has no operations, breaks it."""
    found = next((w for w in workloads if w.name == journal), None)
    if found is None:
        return (Breach(expected=f"a journal {journal!r}", found="its workload did not run"),)
    if not len(found.operations):
        why = f": {found.reason}" if found.reason else ""
        return (Breach(expected=f"operations in journal {journal!r}", found=f"there are none{why}"),)
    match check:
        case AcknowledgedInvariant():
            return _acknowledged(check, found, answers)
        case ErrorClassesInvariant():
            return _classes(check, found.operations)
        case FairnessInvariant():
            return _fairness(check, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was acknowledged against what is there: each value with how often it is missing, or there too often."""

    acknowledged: int
    """Operations that acknowledged a value."""
    lost: Counter[str]
    duplicated: Counter[str]


def compare(workload: WorkloadRecord, answers: tuple[Answer, ...]) -> Compared | Breach:
    """Compare the values that a workload's operations acknowledged with what an answer finds; else why it cannot be.

    A value that was acknowledged twice has to be there twice: after a loss a sequence may give a number once more.
    """
    if unkept := workload.operations.values_lost:
        found = f"{unkept} values were too long to be kept"
        return Breach(expected="every acknowledged value", found=found, remedy="acknowledge an id, not a document")
    confirmed = [operation for operation in workload.operations if operation.outcome == "ok"]
    values = [operation.value for operation in confirmed if operation.value is not None]
    if not values:
        remedy = "let the operation capture what is acknowledged, e.g. by `returning id`"
        found = f"{len(confirmed)} succeeded, and none has a value"
        return Breach(expected="operations with an acknowledged value", found=found, remedy=remedy)
    telling = {operation.name for operation in confirmed if operation.value is not None}
    # Operations of another kind (reads among writes) may acknowledge nothing; of one kind all do, or some went unseen.
    if silent := [operation.name for operation in confirmed if operation.value is None and operation.name in telling]:
        found = f"{len(silent)} of {len(confirmed)} succeeded without one: {', '.join(sorted(set(silent)))}"
        return Breach(expected="an acknowledged value of every operation that has one at times", found=found)
    if not answers:
        return Breach(expected="what is present in the end", found="it was never asked")
    if (broken := unusable(answers[0])) is not None:
        return broken
    wanted = Counter(map(key, values))
    present = Counter(name for name in _present(answers[0], whole=isinstance(values[0], dict)) if name in wanted)
    return Compared(acknowledged=len(values), lost=wanted - present, duplicated=present - wanted)


def _acknowledged(
    check: AcknowledgedInvariant, workload: WorkloadRecord, answers: tuple[Answer, ...]
) -> tuple[Breach, ...]:
    found = compare(workload, answers)
    if isinstance(found, Breach):
        return (found,)
    breaches = []
    for words, comparator, some, count in (
        ("lost", check.lost, found.lost, found.lost.total()),
        ("duplicated", check.duplicated, found.duplicated, len(found.duplicated)),
    ):
        if not judge(comparator, count).holds:
            breaches.append(
                Breach(
                    expected=f"{words} {describe(comparator)} of {found.acknowledged} acknowledged values",
                    found=f"{count} {words}" + (f": {_some(list(some))}" if some else ""),
                )
            )
    return tuple(breaches)


def _some(values: Sequence[str]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(value[:80] for value in values[:_SHOWN]) + more


def _present(answer: Answer, *, whole: bool) -> Iterable[str]:
    """Yield what is there: of rows the first column (`whole`: the row), the items of a list, the lines of a text."""
    if answer.rows is not None:
        for row in answer.rows:
            yield key(dict(row)) if whole else key(next(iter(row.values()), None))
        return
    found: Json = answer.value
    items: Sequence[Json] = found if isinstance(found, list) else found.splitlines() if isinstance(found, str) else []
    for item in items:
        yield key(item)


def _classes(check: ErrorClassesInvariant, operations: Iterable[Operation]) -> tuple[Breach, ...]:
    met = Counter(o.error_type or _BROKEN_EXPECT for o in operations if o.outcome != "ok")
    others = sorted(name for name in met if name not in check.only)
    if not others:
        return ()
    return (
        Breach(
            expected=f"no errors but {', '.join(check.only)}" if check.only else "no errors",
            found=", ".join(f"{name} ({met[name]} times)" for name in others),
        ),
    )


def _fairness(check: FairnessInvariant, workload: WorkloadRecord) -> tuple[Breach, ...]:
    groups: Counter[str] = Counter()
    if check.by == "worker":
        groups.update({str(worker): 0 for worker in range(workload.workers)})
    untold = 0
    for operation in workload.operations:
        name = _group(operation, check.by)
        if name is not None:
            groups[name] += operation.outcome == "ok"
        else:
            untold += 1
    total = groups.total()
    if not total:
        found = "no operation succeeded" if groups else f"no operation tells its {check.by}"
        return (Breach(expected=f"successes by {check.by}", found=found, remedy=QUERY_REMEDY if not groups else ""),)
    if untold:
        # Whoever starves has no success that could tell whose it was: a group that is not seen is not a fair share.
        found = f"{untold} of {len(workload.operations)} do not tell their {check.by}, so who got none is not known"
        remedy = f"capture {check.by} in every operation; one that fails captures nothing, so group by worker there"
        return (Breach(expected=f"the {check.by} of every operation", found=found, remedy=remedy),)
    least = check.min_share * total / len(groups)
    starved = [f"{check.by} {name}: {count}" for name, count in sorted(groups.items()) if count < least]
    if not starved:
        return ()
    expected = f"at least {least:g} of {total} successes for each of {len(groups)} ({check.by})"
    return (Breach(expected=expected, found=_some(starved)),)


def _group(operation: Operation, by: str) -> str | None:
    if by == "worker":
        return str(operation.worker)
    if isinstance(operation.value, Mapping) and by in operation.value:
        return key(operation.value[by])
    return None
