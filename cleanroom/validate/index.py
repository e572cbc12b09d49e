"""Spans by what selectors ask of them, so that an expectation looks only at those that it may mean.

Spans that agree in name, service, kind and scope are one shape: what a pattern says of one it says of all of them. A
selector is asked once a shape, and of the names only those that begin as the pattern does are tried.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property
from typing import NamedTuple

from cleanroom.spec.pattern import Pattern
from cleanroom.trace.model import Origin, Span

_REMEMBERED = 16  # selections: expectations often speak of the same spans, and each is as long as they are many
_SPECIAL = re.compile(r"[*?\[]")


class Shape(NamedTuple):
    """What spans of one kind have in common."""

    name: str
    service: str
    kind: str
    scope: str


def matcher(pattern: Pattern) -> Callable[[str], bool]:
    """Return what says whether `pattern` names a text: its exact text, its glob (case counts) or its expression."""
    if pattern.regex:
        search = re.compile(pattern.text).search
        return lambda text: search(text) is not None
    if pattern.is_literal:
        return pattern.text.__eq__
    return named_by(pattern.text)


def named_by(glob: str) -> Callable[[str], bool]:
    """Return what says whether a glob, or the same text, names a text."""
    if not _SPECIAL.search(glob):
        return glob.__eq__
    match = re.compile(translate(glob)).match
    return lambda text: text == glob or match(text) is not None


def naming(pattern: Pattern) -> Callable[[Span], bool]:
    """Return what says whether `pattern` names a span, population included; of each name it is asked once."""
    matches, of_runner = matcher(pattern), pattern.of_runner
    known: dict[str, bool] = {}

    def names(span: Span) -> bool:
        if (span.origin is Origin.RUNNER) is not of_runner:
            return False
        found = known.get(span.name)
        if found is None:
            found = known[span.name] = matches(span.name)
        return found

    return names


@dataclass(frozen=True)
class SpanIndex:
    """One population in its order, and for each shape the places in it where its spans stand."""

    spans: tuple[Span, ...]
    places: dict[Shape, list[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places: dict[Shape, list[int]] = {}
        found: dict[tuple[str, int, int, int], list[int]] = {}  # by identity: all but the name are slow to hash
        for place, span in enumerate(self.spans):
            # What holds these is held by the span, so that their ids stay their own.
            key = (span.name, id(span.resource), id(span.kind), id(span.scope))
            try:
                found[key].append(place)
            except KeyError:
                shape = Shape(span.name, span.service, span.kind.value, span.scope.name)
                found[key] = places.setdefault(shape, [])
                found[key].append(place)
        if len(found) > len(places):
            for of_shape in places.values():
                of_shape.sort()
        object.__setattr__(self, "places", places)

    @cached_property
    def _by_name(self) -> dict[str, list[Shape]]:
        found: dict[str, list[Shape]] = {}
        for shape in self.places:
            found.setdefault(shape.name, []).append(shape)
        return found

    @cached_property
    def _by_service(self) -> dict[str, list[Shape]]:
        found: dict[str, list[Shape]] = {}
        for shape in self.places:
            found.setdefault(shape.service, []).append(shape)
        return found

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self._by_name)

    def shapes(self, name: Pattern | None = None, service: Pattern | None = None) -> list[Shape]:
        """Return the shapes that both patterns name; None names all."""
        if name is None:
            if service is None:
                return list(self.places)
            of_service = matcher(service)
            return [shape for text, shapes in self._by_service.items() if of_service(text) for shape in shapes]
        found = [shape for text in self.named(name) for shape in self._by_name[text]]
        if service is None:
            return found
        of_service = matcher(service)
        return [shape for shape in found if of_service(shape.service)]

    @cached_property
    def families(self) -> dict[tuple[str, str, str], list[str]]:
        """What shapes are besides their names (service, kind, scope) → the names, in order."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for shape in self.places:
            found.setdefault(shape[1:], []).append(shape.name)
        for names in found.values():
            names.sort()
        return found

    @cached_property
    def folded(self) -> dict[str, str]:
        """A name without regard to case → the first name that is so."""
        return {name.casefold(): name for name in reversed(self._names)}

    @cached_property
    def _asked(self) -> dict[Pattern, Collection[str]]:
        return {}

    def named(self, pattern: Pattern) -> Collection[str]:
        """Return the names that a pattern names."""
        found = self._asked.get(pattern)
        if found is None:
            found = self._asked[pattern] = dict.fromkeys(self._named(pattern))
        return found

    def _named(self, pattern: Pattern) -> Iterable[str]:
        if pattern.regex:
            return filter(matcher(pattern), self._names)
        if pattern.is_literal:
            return (pattern.text,) if pattern.text in self._by_name else ()
        special = _SPECIAL.search(pattern.text)
        prefix = pattern.text[: special.start()] if special else pattern.text
        start = bisect_left(self._names, prefix)
        end = bisect_left(self._names, True, lo=start, key=lambda text: not text.startswith(prefix))  # noqa: FBT003 -- the first that does not
        return filter(matcher(pattern), self._names[start:end])

    @cached_property
    def _selected(self) -> dict[frozenset[Shape], tuple[Span, ...]]:
        return {}

    def of(self, shapes: Sequence[Shape]) -> tuple[Span, ...]:
        """Return the spans of the shapes in the order of the population."""
        if len(shapes) == len(self.places):
            return self.spans
        key = frozenset(shapes)
        known = self._selected.get(key)
        if known is None:
            places = [place for shape in shapes for place in self.places[shape]]
            # The places of a shape ascend, and sorting finds such runs by itself.
            places.sort()
            known = tuple(map(self.spans.__getitem__, places))
            if len(self._selected) < _REMEMBERED:
                self._selected[key] = known
        return known

    def number(self, shapes: Iterable[Shape]) -> int:
        """Return how many spans the shapes have."""
        return sum(len(self.places[shape]) for shape in shapes)
