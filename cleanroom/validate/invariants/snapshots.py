"""`unchanged`, `drift`, `dump_digest`, `delta`: what was found then against what is found in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cleanroom.canonical import Json
from cleanroom.drive.answer import Answer
from cleanroom.run.record import SnapshotRecord
from cleanroom.spec.comparator import describe, judge
from cleanroom.spec.invariant import DeltaInvariant, SnapshotInvariant
from cleanroom.validate.invariants.content import (
    QUERY_REMEDY,
    Breach,
    briefly,
    content,
    digest,
    lines,
    nothing,
    number,
    plain,
    unusable,
)

_SHOWN = 3


def judge_snapshot(
    check: SnapshotInvariant | DeltaInvariant, snapshots: Iterable[SnapshotRecord], answers: tuple[Answer, ...]
) -> tuple[Breach, ...]:
    """Judge one comparison with a snapshot; one that was not taken, or that holds nothing, breaks it."""
    taken = next((s for s in snapshots if s.id == check.snapshot), None)
    if taken is None:
        return (Breach(expected=f"a snapshot {check.snapshot!r}", found="the step that takes it did not"),)
    if not answers:
        return (Breach(expected="an answer in the end", found="it was never asked"),)
    for answer, of in ((taken.answer, f"snapshot {check.snapshot!r}"), (answers[0], "the same question in the end")):
        if (broken := unusable(answer, of=of)) is not None:
            return (broken,)
    before, after = content(taken.answer), content(answers[0])
    if isinstance(check, DeltaInvariant):
        return _delta(check, before, after)
    return _alike(check, taken, before, after)


def _alike(check: SnapshotInvariant, taken: SnapshotRecord, before: Json, after: Json) -> tuple[Breach, ...]:
    if nothing(before):
        found = f"the snapshot is empty: {taken.answer.question}"
        return (Breach(expected="something that could change", found=found, remedy=QUERY_REMEDY),)
    if check.kind == "dump_digest":
        return _digests(check, before, after)
    # Rows come in no order that one may rely on, unless the query says so: what is there counts.
    if before == after or (isinstance(before, list) and _tally(before) == _tally(after)):
        return ()
    return (Breach(expected=f"what snapshot {check.snapshot!r} found: {briefly(before)}", found=_told(before, after)),)


def _delta(check: DeltaInvariant, before: Json, after: Json) -> tuple[Breach, ...]:
    then, now = number(before), number(after)
    if then is None or now is None:
        found = f"{briefly(before)} then, {briefly(after)} in the end"
        return (Breach(expected="a number, then and in the end", found=found, remedy=QUERY_REMEDY),)
    judged = judge(check.value, plain(now - then))
    if judged.holds:
        return ()
    found = f"{plain(now - then)}: {plain(then)} then, {plain(now)} in the end"
    return (Breach(expected=f"a difference of {describe(check.value)}", found=found),)


def _digests(check: SnapshotInvariant, before: Json, after: Json) -> tuple[Breach, ...]:
    then, now = digest(before), digest(after)
    if then == now:
        return ()
    return (
        Breach(
            expected=f"sha256 {then} of the sorted rows of snapshot {check.snapshot!r}",
            found=f"sha256 {now}; {_told(before, after)}",
        ),
    )


def _tally(found: Json) -> Counter[str]:
    return Counter(lines(found))


def _told(before: Json, after: Json) -> str:
    """Return in words what went and what came."""
    gone, come = _tally(before) - _tally(after), _tally(after) - _tally(before)
    parts = []
    for words, tally in (("gone", gone), ("new", come)):
        if tally:
            some = ", ".join(sorted(tally.elements())[:_SHOWN])
            more = f" and {tally.total() - _SHOWN} more" if tally.total() > _SHOWN else ""
            parts.append(f"{words}: {some[:300]}{more}")
    return "; ".join(parts) or f"{briefly(after)} in another order"
