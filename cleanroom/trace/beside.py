"""Both sides around a difference, line by line, for people."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

from cleanroom.trace.difference import ABSENT, Difference, Spans, shown_text
from cleanroom.trace.forest import children_of
from cleanroom.trace.matching import flat_fields

_SAME_FIELDS = ("name", "service", "kind", "status")
_MOST_FIELDS = 8
_MOST_SIBLINGS = 40
_AROUND = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: a field, or the place of a sibling, and what each side has there."""

    what: str
    left: str
    right: str
    differs: bool


def side_by_side(left: Spans, right: Spans, found: Difference) -> tuple[Row, ...]:
    """Return the fields of the two spans that part, or their siblings where one is missing or in another place."""
    if found.attribute and found.left is not None and found.right is not None:
        return _fields(left, right, found.left, found.right)
    return _siblings(left, right, found)


def _fields(left: Spans, right: Spans, one: int, other: int) -> tuple[Row, ...]:
    sides = flat_fields(left[one]), flat_fields(right[other])
    names = [*_SAME_FIELDS, *sorted((sides[0].keys() | sides[1].keys()) - set(_SAME_FIELDS))]
    rows, differing = [], 0
    for name in names:
        texts = [shown_text(side[name]) if name in side else ABSENT for side in sides]
        differs = (name in sides[0]) != (name in sides[1]) or sides[0].get(name) != sides[1].get(name)
        differing += differs
        if name in _SAME_FIELDS or (differs and differing <= _MOST_FIELDS):
            rows.append(Row(what=name, left=texts[0], right=texts[1], differs=differs))
    if differing > _MOST_FIELDS:
        text = f"{differing - _MOST_FIELDS} more differ"
        rows.append(Row(what="…", left=text, right=text, differs=True))
    return tuple(rows)


def _siblings(left: Spans, right: Spans, found: Difference) -> tuple[Row, ...]:
    """Return the siblings around the first that are not each other's, in order, a few on each side."""
    one, other = (
        [(side[index].name, side[index].subtree) for index in children_of(side)[parent]]
        for side, parent in zip((left, right), found.parents, strict=True)
    )
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(0, start - _AROUND)
    one, other = one[start : start + _MOST_SIBLINGS], other[start : start + _MOST_SIBLINGS]
    rows: list[Row] = []
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        for number in range(max(b - a, d - c)):
            texts = [
                names[first + number][0] if first + number < last else ABSENT
                for names, first, last in ((one, a, b), (other, c, d))
            ]
            place = start + min(a, c) + number + 1
            rows.append(Row(what=f"child {place}", left=texts[0], right=texts[1], differs=tag != "equal"))
    last = next((number for number, row in enumerate(rows) if row.differs), 0) + 2 * _AROUND
    return tuple(rows[:last])
