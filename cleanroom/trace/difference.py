"""Every difference between two normalised traces, in canonical order of the left one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.canonical import Json
from cleanroom.text import truncate
from cleanroom.trace.forest import ROOT, NormalisedSpan, children_of
from cleanroom.trace.matching import Match, exact_text, flat_fields, match_siblings
from cleanroom.trace.tree import SEPARATOR

Classification: TypeAlias = Literal[
    "value", "missing span", "extra span", "order", "status", "step", "step output", "verdict"
]  # fmt: skip
Spans: TypeAlias = Sequence[NormalisedSpan]

ABSENT = "(absent)"
_MAX_SHOWN = 500
_MAX_PATH = 32
_FIRST_FIELDS = ("name", "status", "status_message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: two spans that are each other's counterpart and part in one field, or a span without one."""

    left: int | None
    """Index of the span on the left; None for an extra one on the right."""
    right: int | None
    path: str
    attribute: str = ""
    """The field, e.g. `attributes.order.id`; empty for a missing or extra span and for an order."""
    values: tuple[str, str]
    """Both sides as people read them."""
    exact: tuple[Json, Json] = (None, None)
    classification: Classification
    name: str = ""
    """The name under the rules of a missing or extra span."""
    of_runner: bool = False
    """Whether a missing or extra span is the runner's."""
    parents: tuple[int, int] = (ROOT, ROOT)
    """Indexes of the spans above on both sides, of a missing or extra span and of an order."""

    @property
    def exact_are_texts(self) -> bool:
        """Whether both sides have a text there."""
        return all(isinstance(value, str) for value in self.exact)


def differences(left: Spans, right: Spans) -> Iterator[Difference]:
    """Yield what differs, walking both forests side by side; equal subtrees are passed over whole."""
    below = children_of(left), children_of(right)
    waiting: list[tuple[Match, tuple[str, ...], tuple[int, int]]] = [(Match(ROOT, ROOT), (), (ROOT, ROOT))]
    while waiting:
        match, above, parents = waiting.pop()
        if match.left is None or match.right is None:
            yield _one_sided(left, right, match, above, parents)
            continue
        path = above
        if match.left != ROOT:
            path = _below(above, left[match.left])
            yield from _own(left[match.left], right[match.right], match, path)
        here = below[0][match.left], below[1][match.right]
        found = match_siblings((left, right), *here)
        if not found and [left[i].subtree for i in here[0]] != [right[i].subtree for i in here[1]]:
            yield _order(left, right, here, path, (match.left, match.right))
        waiting.extend((each, path, (match.left, match.right)) for each in reversed(found))


def shown_text(value: Json) -> str:
    """Return a value as people write it: text bare, a number without its wrapping, the rest as JSON; bounded."""
    if isinstance(value, dict) and len(value) == 1 and {"int", "float", "bytes"}.issuperset(value):
        value = next(iter(value.values()))
    return truncate(value if isinstance(value, str) else exact_text(value), _MAX_SHOWN)


def _one_sided(left: Spans, right: Spans, match: Match, above: tuple[str, ...], parents: tuple[int, int]) -> Difference:
    missing = match.left is not None
    span = left[match.left] if match.left is not None else right[match.right or 0]
    return Difference(
        left=match.left,
        right=match.right,
        path=_words(_below(above, span)),
        values=(span.name, ABSENT) if missing else (ABSENT, span.name),
        classification="missing span" if missing else "extra span",
        name=span.name,
        of_runner=span.of_runner,
        parents=parents,
    )


def _own(one: NormalisedSpan, other: NormalisedSpan, match: Match, path: tuple[str, ...]) -> Iterator[Difference]:
    """Compare two spans without what is below them."""
    if one.fields == other.fields and exact_text(one.fields) == exact_text(other.fields):
        return
    left, right = flat_fields(one), flat_fields(other)
    differing = (name for name in left.keys() | right.keys() if _at(left, name) != _at(right, name))
    for name in sorted(differing, key=lambda name: (name not in _FIRST_FIELDS, name)):
        shown = (
            shown_text(left[name]) if name in left else ABSENT,
            shown_text(right[name]) if name in right else ABSENT,
        )
        if shown[0] == shown[1]:  # 5 and "5"
            shown = _at(left, name), _at(right, name)
        yield Difference(
            left=match.left,
            right=match.right,
            path=_words(path),
            attribute=name,
            values=shown,
            exact=(left.get(name), right.get(name)),
            classification="status" if name == "status" else "value",
        )


def _at(flat: dict[str, Json], name: str) -> str:
    return exact_text(flat[name]) if name in flat else ABSENT


def _order(
    left: Spans, right: Spans, here: tuple[list[int], list[int]], path: tuple[str, ...], parents: tuple[int, int]
) -> Difference:
    """Return the first place where the same siblings stand in another order."""
    pairs = zip(here[0], here[1], strict=True)
    one, other = next((i, k) for i, k in pairs if left[i].subtree != right[k].subtree)
    return Difference(
        left=one,
        right=other,
        path=_words(_below(path, left[one])),
        values=(left[one].name, right[other].name),
        classification="order",
        parents=parents,
    )


def _below(above: tuple[str, ...], span: NormalisedSpan) -> tuple[str, ...]:
    # Bounded, so that a path costs the same however deep the trace is.
    names = (*above, span.name)
    return names if len(names) <= _MAX_PATH + 1 else ("…", *names[-_MAX_PATH:])


def _words(path: tuple[str, ...]) -> str:
    return SEPARATOR.join(path)
