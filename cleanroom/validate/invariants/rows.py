"""`unique`, `monotonic`, `order`, `orphans`: what must hold of the rows of one query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise

from cleanroom.canonical import Json
from cleanroom.drive.answer import Answer
from cleanroom.spec.invariant import ColumnInvariant, OrphansInvariant, RowOrderInvariant
from cleanroom.spec.operand import IncomparableError, order, shown
from cleanroom.validate.invariants.content import QUERY_REMEDY, Breach, briefly, key, unusable

Rows = tuple[Mapping[str, Json], ...]
_SHOWN = 3


def judge_rows(
    check: ColumnInvariant | RowOrderInvariant | OrphansInvariant, answers: tuple[Answer, ...]
) -> tuple[Breach, ...]:
    """Judge the rows; no answer breaks any of them, and no rows all but `orphans`."""
    if not answers:
        return (Breach(expected="the rows of the query", found="it was never asked"),)
    answer = answers[0]
    if (broken := unusable(answer)) is not None:
        return (broken,)
    if answer.rows is None:
        return (Breach(expected="rows", found=f"{answer.question} has no rows", remedy=QUERY_REMEDY),)
    return _orphans(answer.rows) if isinstance(check, OrphansInvariant) else _columnwise(check, answer.rows)


def _columnwise(check: ColumnInvariant | RowOrderInvariant, rows: Rows) -> tuple[Breach, ...]:
    if not rows:
        return (Breach(expected="rows to look at", found="the query found none", remedy=QUERY_REMEDY),)
    if isinstance(check, RowOrderInvariant):
        return _columns(rows, check.by, *([check.per] if check.per else [])) or _order(rows, check)
    missing = _columns(rows, check.column)
    if missing:
        return missing
    values = [row[check.column] for row in rows]
    return _unique(values, check) if check.kind == "unique" else _rising(values, check)


def _columns(rows: Rows, *names: str) -> tuple[Breach, ...]:
    missing = next((name for name in names if name not in rows[0]), None)
    if missing is None:
        return ()
    return (Breach(expected=f"a column {missing!r}", found=f"the query has {', '.join(rows[0])}", remedy=QUERY_REMEDY),)


def _orphans(rows: Rows) -> tuple[Breach, ...]:
    if not rows:
        return ()
    return (Breach(expected="no row without the one it refers to", found=briefly([dict(row) for row in rows])),)


def _unique(values: list[Json], check: ColumnInvariant) -> tuple[Breach, ...]:
    # As in SQL, a null is no value and equal to nothing.
    there = [value for value in values if value is not None]
    if not there:
        return (Breach(expected=f"values of {check.column}", found=f"{len(values)} rows, all null"),)
    twice = [(value, count) for value, count in Counter(map(key, there)).items() if count > 1]
    if not twice:
        return ()
    some = ", ".join(f"{value} ({count} times)" for value, count in twice[:_SHOWN])
    return (
        Breach(
            expected=f"each value of {check.column} once in {len(values)} rows",
            found=f"{len(twice)} of them more than once: {some[:300]}",
        ),
    )


def _rising(values: list[Json], check: ColumnInvariant) -> tuple[Breach, ...]:
    return _stepwise(values, lambda way: way > 0, f"{check.column} to rise from row to row")


def _order(rows: Rows, check: RowOrderInvariant) -> tuple[Breach, ...]:
    groups: dict[str, list[Json]] = {}
    for row in rows:
        groups.setdefault(key(row[check.per]) if check.per else "", []).append(row[check.by])
    for name, values in groups.items():
        of = f" for {check.per} {name}" if check.per else ""
        if broken := _stepwise(values, lambda way: way >= 0, f"{check.by} never to fall from row to row{of}"):
            return broken
    return ()


def _stepwise(values: list[Json], holds: Callable[[int], bool], wanted: str) -> tuple[Breach, ...]:
    if None in values:
        return (Breach(expected=wanted, found=f"row {values.index(None) + 1} has no value"),)
    for number, (left, right) in enumerate(pairwise(values), start=2):
        try:
            way = order(right, left)  # type: ignore[arg-type]  # a value of a row is a scalar, a list is refused
        except IncomparableError as err:
            return (Breach(expected=wanted, found=f"row {number}: {err}"),)
        if not holds(way):
            return (Breach(expected=wanted, found=f"row {number} has {shown(right)} after {shown(left)}"),)
    return ()
