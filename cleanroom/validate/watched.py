"""What the expectations of a spec look at, so that no normalisation rule is proposed that would hide it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from cleanroom.spec.expect import Expect, Pattern, SpanExpectation
from cleanroom.spec.source import Position
from cleanroom.spec.suite import Suite


@dataclass(frozen=True, slots=True)
class _Looked:
    """One name or pattern, and the expectation in which it stands."""

    pattern: Pattern
    words: str


class Watched:
    """The names and attributes that the expectations of a suite and of its scenarios select by or judge."""

    def __init__(self, suite: Suite) -> None:
        every = [expect for expect in (suite.expect, *(s.expect for s in suite.scenarios)) if expect is not None]
        self._attributes = [looked for expect in every for looked in _attributes(expect)]
        self._names = [looked for expect in every for looked in _names(expect)]
        self._spans = [*self._names, *(looked for expect in every for looked in _any_span(expect))]
        self._events = [looked for expect in every for looked in _events(expect)]
        self._order = [looked for expect in every for looked in _order(expect)]

    def attribute(self, name: str) -> str:
        """Return the expectation that selects by the attribute or judges it, in words; empty for none."""
        return next((looked.words for looked in self._attributes if looked.pattern.matches(name)), "")

    def names(self, names: Collection[str]) -> str:
        """Return the expectation that selects some of these span names and not the others."""
        return _parting(self._names, names)

    def spans(self, name: str) -> str:
        """Return the expectation that selects or counts spans of this name."""
        return next((looked.words for looked in self._spans if looked.pattern.matches(name)), "")

    def events(self, names: Collection[str]) -> str:
        """Return the expectation that selects some of these event names and not the others."""
        return _parting(self._events, names)

    def order(self, names: Collection[str]) -> str:
        """Return the expectation that judges when spans of these names begin."""
        return next((o.words for o in self._order if any(o.pattern.matches(name) for name in names)), "")


def _parting(looked: Iterable[_Looked], names: Collection[str]) -> str:
    for each in looked:
        hits = sum(each.pattern.matches(name) for name in names)
        # A pattern without wildcards that hits names one: the others are a difference to it even when none is here.
        if hits > 0 and (hits < len(set(names)) or each.pattern.is_literal):
            return each.words
    return ""


def _words(key: str, at: Position) -> str:
    return f"expect.{key}" + (f" ({at})" if at.line else "")


def _attributes(expect: Expect) -> Iterator[_Looked]:
    for span in expect.spans:
        yield from (_Looked(Pattern(glob), _words("spans", span.at)) for glob in _of_span(span))
    for selected in expect.selected:
        names = selected.spans.where
        yield from (_Looked(_exact(name), _words("intervals, rate or concurrency", selected.at)) for name in names)
    hermeticity = expect.hermeticity
    if hermeticity is not None:
        words = _words("hermeticity", hermeticity.at)
        yield from (_Looked(_exact(name), words) for name in hermeticity.resource)
        yield from (_Looked(Pattern(glob), words) for glob in hermeticity.forbid_attributes)


def _of_span(span: SpanExpectation) -> Iterator[str]:
    """Yield the attributes as globs; those of a schema file are in the file, so it looks at every attribute."""
    conditions = span.attributes
    named = [*span.where, *span.resource, *span.schema]
    named += [*conditions.all, *conditions.any] if conditions is not None else []
    yield from (_escaped(name) for name in named)
    yield from conditions.none if conditions is not None else ()
    if span.schema_file:
        yield "*"


def _names(expect: Expect) -> Iterator[_Looked]:
    for span in expect.spans:
        yield from _each("spans", span.at, span.name, span.parent, span.ancestor)
    if expect.graph is not None:
        graph = expect.graph
        for pair in (*graph.edges, *graph.no_edges, *graph.paths, *graph.no_paths):
            yield from _each("graph", pair.at, pair.parent, pair.child)
    for count in expect.counts:
        if count.what == "by_name":
            yield from _each("counts.by_name", count.at, Pattern(count.key))
    for status in expect.status:
        yield from _each("status.by_name", status.at, status.name)
    yield from _order(expect)
    for window in expect.windows:
        yield from _each("windows", window.at, window.outer, *window.contains)
    for overlap in expect.overlap:
        yield from _each("overlap", overlap.at, overlap.first, overlap.second)
    for selected in expect.selected:
        yield from _each("intervals, rate or concurrency", selected.at, selected.spans.name)


def _any_span(expect: Expect) -> Iterator[_Looked]:
    """Yield what looks at spans whatever their name."""
    unnamed = [("spans", span.at) for span in expect.spans if span.name is None]
    unnamed += [("counts", count.at) for count in expect.counts if count.what != "by_name"]
    unnamed += [("status.all", status.at) for status in expect.status if status.name is None]
    unnamed += [
        ("intervals, rate or concurrency", selected.at) for selected in expect.selected if selected.spans.name is None
    ]
    if expect.graph is not None:
        unnamed.append(("graph", expect.graph.at))
    yield from (_Looked(Pattern("*"), _words(key, at)) for key, at in unnamed)


def _each(key: str, at: Position, *patterns: Pattern | None) -> Iterator[_Looked]:
    yield from (_Looked(pattern, _words(key, at)) for pattern in patterns if pattern is not None)


def _events(expect: Expect) -> Iterator[_Looked]:
    for span in expect.spans:
        if span.events is not None:
            globs = (*span.events.all, *span.events.any, *span.events.none)
            yield from (_Looked(Pattern(glob), _words("spans", span.at)) for glob in globs)


def _order(expect: Expect) -> Iterator[_Looked]:
    for order in expect.order:
        yield from _each("order", order.at, order.first, order.then)


def _exact(name: str) -> Pattern:
    return Pattern(_escaped(name))


def _escaped(name: str) -> str:
    """Return a glob for one name."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
