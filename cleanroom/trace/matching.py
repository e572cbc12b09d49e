"""Which span of one run is which span of another, among siblings: the most alike are the same."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from cleanroom.canonical import Json
from cleanroom.trace.forest import NormalisedSpan

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
_LISTS = ("events", "links")
_NESTED = ("scope", "item")
_ATTRIBUTES = ("attributes", "resource", "dropped")


@dataclass(frozen=True, slots=True)
class Match:
    """Two spans by their indexes; None on the side where there is no counterpart."""

    left: int | None
    right: int | None


def match_siblings(
    sides: tuple[Sequence[NormalisedSpan], Sequence[NormalisedSpan]], left: list[int], right: list[int]
) -> list[Match]:
    """Return the siblings `left` and `right` (indexes into each side) in pairs, in order of the left, extra ones last.

    Spans with an equal subtree are passed over. The others pair up by the first of these that singles them out: equal
    content; same name, kind and service, with equal values in every field that is not noise; same name, kind and
    service; and, where as many are left on both sides, same kind and service (a span whose name differs). Linear.
    """
    rest = _Rest(sides, left, right)
    rest.pair(lambda span: span.subtree, keep=False)
    rest.pair(lambda span: exact_text(span.fields))
    stable = _stable_fields(rest)
    rest.pair(lambda span: (_identity(span), _values(span, stable[_identity(span)])))
    rest.pair(_identity)
    rest.pair(_role, only_if_even=True)
    found = {match.left: match for match in rest.pairs}
    found.update({index: Match(index, None) for index in rest.left})
    return [found[index] for index in left if index in found] + [Match(None, index) for index in rest.right]


class _Rest:
    """What is not paired yet, and the pairs so far."""

    def __init__(
        self, sides: tuple[Sequence[NormalisedSpan], Sequence[NormalisedSpan]], left: list[int], right: list[int]
    ) -> None:
        self.sides = sides
        self.left = list(left)
        self.right = list(right)
        self.pairs: list[Match] = []

    def pair(self, key: Callable[[NormalisedSpan], Hashable], *, keep: bool = True, only_if_even: bool = False) -> None:
        """Pair what has the same key, in order; `keep` false: equal for good, so not a pair to look at."""
        groups: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for side, indexes in enumerate((self.left, self.right)):
            for index in indexes:
                groups[key(self.sides[side][index])][side].append(index)
        done_left: set[int] = set()
        done_right: set[int] = set()
        for left, right in groups.values():
            if only_if_even and len(left) != len(right):
                continue
            for one, other in zip(left, right, strict=False):
                done_left.add(one)
                done_right.add(other)
                if keep:
                    self.pairs.append(Match(one, other))
        self.left = [index for index in self.left if index not in done_left]
        self.right = [index for index in self.right if index not in done_right]


def _stable_fields(rest: _Rest) -> dict[Hashable, list[str]]:
    """Return, for spans that may be each other, the fields that tell them apart: one side has all values of the other.

    A field with other values on each side is the difference itself, and must not decide who is compared with whom.
    """
    values: dict[Hashable, tuple[dict[str, set[str]], dict[str, set[str]]]] = defaultdict(lambda: ({}, {}))
    for side, indexes in enumerate((rest.left, rest.right)):
        for index in indexes:
            span = rest.sides[side][index]
            for name, value in flat_fields(span).items():
                values[_identity(span)][side].setdefault(name, set()).add(exact_text(value))
    return {
        identity: sorted(n for n in left if n in right and (left[n] <= right[n] or right[n] <= left[n]))
        for identity, (left, right) in values.items()
    }


def flat_fields(span: NormalisedSpan) -> dict[str, Json]:
    """Return every field of a span by its path, e.g. `attributes.order.id`, `events[0].name`, `status`."""
    flat: dict[str, Json] = {}
    for name, value in span.fields.items():
        _flatten(flat, name, name, value)
    return flat


def _flatten(flat: dict[str, Json], path: str, holder: str, value: Json) -> None:
    if holder in _LISTS and isinstance(value, list):
        for index, item in enumerate(value):
            _flatten(flat, f"{path}[{index}]", "item", item)
    elif holder in _NESTED and isinstance(value, dict):
        for name, item in value.items():
            _flatten(flat, f"{path}.{name}", name, item)
    elif holder in _ATTRIBUTES and isinstance(value, dict):
        flat.update({f"{path}.{name}": item for name, item in value.items()})
    else:
        flat[path] = value


def exact_text(value: Json) -> str:
    """Return a text that two values share only when they are equal, types included."""
    return _ENCODER.encode(value)


def _values(span: NormalisedSpan, names: list[str]) -> Hashable:
    flat = flat_fields(span)
    return tuple(exact_text(flat[name]) if name in flat else None for name in names)


def _identity(span: NormalisedSpan) -> Hashable:
    return (span.name, *_role(span))


def _role(span: NormalisedSpan) -> tuple[str, ...]:
    return tuple(str(span.fields[name]) for name in ("origin", "kind", "service"))
