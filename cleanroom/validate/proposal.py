"""Expectations that would catch a mutant: what a recording shows, written in the spec language and tried out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cleanroom.spec.document import UnreadableError, read_document
from cleanroom.spec.expect import Expect
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.expect import scenario_expect
from cleanroom.spec.shapes.place import Place, RefusedError
from cleanroom.spec.shapes.suite import belongs
from cleanroom.spec.writing import block
from cleanroom.trace.model import AttributeValue, Span, SpanKind, StatusCode, Trace
from cleanroom.validate.mutation import Mutant
from cleanroom.validate.stage import moment

Written = Mapping[str, Any]
"""An `expect` block as plain values."""
_MS = 1_000_000
_LISTS = ("all", "none", "edges", "order")
"""Keys whose lists say more the longer they are."""
_SELECTORS = ("name", "service", "kind", "where", "during", "before", "after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An expectation as YAML (what stands below `expect:`) and as judging takes it."""

    written: Written
    expect: Expect

    @property
    def text(self) -> str:
        """The YAML, `expect:` included."""
        return block({"expect": self.written})


def parse(written: Written) -> Expect | None:
    """Return the `expect` that the language makes of it; None where it refuses it, or cannot judge it yet."""
    log = ProblemLog("proposal.cleanroom.yaml")
    text = block({"expect": written})
    if "{{" in text:  # what a template would read is escaped there, and stays escaped here
        return None
    try:
        node = read_document(text, log).get("expect")
        found = scenario_expect(node, Place(log, "expect", belongs())) if node is not None else None
    except (UnreadableError, RefusedError):
        return None
    return None if log.found or log.deferred else found


def candidates(mutant: Mutant, trace: Trace, noise: frozenset[str] = frozenset()) -> Iterator[Written]:
    """Return what might catch `mutant` of a recording whose whole trace is `trace`, the most readable first.

    `noise` are the traces whose amount depends on timing: no figure that counts spans of theirs is written down.
    """
    view = _View(mutant=mutant, trace=trace, noise=noise)
    for span in mutant.subjects[:2]:
        for family in _FAMILIES.get(mutant.operator, ()):
            yield from family(view, span)
    yield from _totals(view)


def merged(proposals: Sequence[Written]) -> Written | None:
    """Return one `expect` block that says all of it; None where two of them say different things of the same key.

    What speaks of the same spans becomes one entry, so that the block is no weaker than its parts.
    """
    spans: dict[str, Written] = {}
    rest: Written = {}
    try:
        for written in proposals:
            for entry in written.get("spans", ()):
                key = _selected(entry)
                spans[key] = _joined(spans.get(key, {}), entry)
            rest = _joined(rest, {key: value for key, value in written.items() if key != "spans"})
    except _AgainstError:
        return None
    return {**({"spans": [*spans.values()]} if spans else {}), **rest}


def together(one: Written, other: Written) -> bool:
    """Whether both have an entry on the same spans, or the same other key of `expect`: then they become one."""
    same = {_selected(entry) for entry in one.get("spans", ())} & {_selected(entry) for entry in other.get("spans", ())}
    return bool(same) or bool((one.keys() & other.keys()) - {"spans"})


def _selected(entry: Written) -> str:
    return json.dumps({name: entry[name] for name in _SELECTORS if name in entry}, sort_keys=True)


class _AgainstError(Exception):
    """Two proposals want different things of one key."""


def _joined(one: Written, other: Written) -> Written:
    """Return both mappings in one, joined in depth; raises `_AgainstError` where both hold a key differently."""
    found = dict(one)
    for key, value in other.items():
        known = found.get(key, value)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            found[key] = _joined(known, value)
        elif key in _LISTS and isinstance(value, list) and isinstance(known, list):
            found[key] = [*known, *(item for item in value if item not in known)]
        elif known != value or type(known) is not type(value):
            raise _AgainstError
        else:
            found[key] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    mutant: Mutant
    trace: Trace
    noise: frozenset[str]

    @property
    def spans(self) -> tuple[Span, ...]:
        return self.trace.service_spans

    def like(self, span: Span) -> tuple[Span, ...]:
        """Return the spans of the same name and service."""
        return tuple(s for s in self.spans if (s.name, s.service) == (span.name, span.service))

    def counts(self, counts: Callable[[Span], bool], *keys: str) -> Iterator[Written]:
        """Propose the figure of `expect.counts` below `keys`, unless timing has a part in it."""
        counted = [s for s in self.spans if counts(s)]
        if not any(s.trace_id in self.noise for s in counted):
            figure: Any = len(counted)
            for key in reversed(keys):
                figure = {key: figure}
            yield {"counts": figure}

    def entry(self, span: Span, spans: Sequence[Span], **conditions: Any) -> Iterator[Written]:  # noqa: ANN401 -- JSON-like
        """Propose an entry of `expect.spans` with the count of `spans`, unless timing has a part in it."""
        if not any(s.trace_id in self.noise for s in spans):
            yield _entry(span, **conditions, count=len(spans))


def _entry(span: Span, **conditions: Any) -> Written:  # noqa: ANN401 -- JSON-like
    who = {"name": span.name} | ({"service": span.service} if span.service else {})
    return {"spans": [{**who, **conditions}]}


def _count(view: _View, span: Span) -> Iterator[Written]:
    yield from view.entry(span, view.like(span))
    yield from view.counts(lambda s: s.name == span.name, "by_name", span.name)


def _kind(view: _View, span: Span) -> Iterator[Written]:
    same = [s for s in view.like(span) if s.kind is span.kind]
    if span.kind is not SpanKind.UNSPECIFIED:
        yield from view.entry(span, same, kind=span.kind.value)
    yield from view.counts(lambda s: s.kind is span.kind, "by_kind", span.kind.value)


def _lineage(view: _View, span: Span) -> Iterator[Written]:
    parent = view.trace.parent(span)
    if parent is None:
        yield _entry(span, root=True)
        return
    yield _entry(span, parent=parent.name)
    yield {"graph": {"edges": [[parent.name, span.name]]}}
    # Spans of one name below different parents are told apart by an attribute.
    for key, value in sorted(span.attributes.items()):
        if isinstance(value, (str, int)):
            same = [s for s in view.like(span) if s.attributes.get(key) == value]
            yield from view.entry(span, same, where={key: value}, parent=parent.name)
    above = view.trace.parent(parent)
    if above is not None:
        yield _entry(span, ancestor=above.name)


def _status(view: _View, span: Span) -> Iterator[Written]:
    held = Counter(s.status for s in view.like(span))
    yield _entry(span, status=span.status.value)
    yield _entry(span, status={"in": sorted(status.value for status in held)})
    yield from view.counts(lambda s: s.status is StatusCode.ERROR, "errors")


def _attribute(view: _View, span: Span) -> Iterator[Written]:
    key = view.mutant.key
    value = _literal(span.attributes.get(key))
    if value is not None:
        yield _entry(span, attributes={"all": {key: value}})
        yield _entry(span, attributes={"all": {key: {"eq": value}}})
        same = [s for s in view.like(span) if _literal(s.attributes.get(key)) == value]
        yield from view.entry(span, same, where={key: value})
        yield from view.entry(span, same, where={key: {"eq": value}})
    yield _entry(span, attributes={"all": {key: {"type": _type(span.attributes.get(key))}}})
    yield _entry(span, attributes={"all": {key: {"exists": True}}})


def _resource(view: _View, span: Span) -> Iterator[Written]:
    value = _literal(span.resource.attributes.get(view.mutant.key))
    if value is not None:
        yield {"hermeticity": {"resource": {view.mutant.key: value}}}
        yield _entry(span, resource={view.mutant.key: {"eq": value}})


def _events(view: _View, span: Span) -> Iterator[Written]:
    names = sorted({event.name for event in span.events})
    if names:
        yield _entry(span, events={"all": names})
    yield from _number_of_events(view)


def _no_event(view: _View, span: Span) -> Iterator[Written]:
    yield _entry(span, events={"none": [view.mutant.key]})
    yield from _number_of_events(view)


def _number_of_events(view: _View) -> Iterator[Written]:
    with_events = [s for s in view.spans if s.events]
    if not any(s.trace_id in view.noise for s in with_events):
        yield {"counts": {"events": sum(len(s.events) for s in with_events)}}


def _links(_view: _View, span: Span) -> Iterator[Written]:
    yield _entry(span, links={"count": len(span.links)})


def _no_stranger(view: _View, span: Span) -> Iterator[Written]:
    yield from _totals(view)
    yield from view.counts(lambda s: s.service == span.service, "by_service", span.service)
    yield from view.counts(lambda s: s.kind is SpanKind.INTERNAL, "by_kind", SpanKind.INTERNAL.value)
    edges = {(p.name, s.name) for s in view.spans if (p := view.trace.parent(s)) is not None}
    yield {"graph": {"edges": [list(edge) for edge in sorted(edges)], "closed": True}}


def _window(view: _View, span: Span) -> Iterator[Written]:
    fault = view.mutant.key
    word = moment(span, view.mutant.windows.get(fault, ()))
    if word:
        same = [s for s in view.like(span) if moment(s, view.mutant.windows[fault]) == word]
        yield from view.entry(span, same, **{word: fault})
    inside = [s for s in view.like(span) if moment(s, view.mutant.windows.get(fault, ())) == "during"]
    yield from view.entry(span, inside, during=fault)


def _duration(view: _View, span: Span) -> Iterator[Written]:
    longest = max(s.duration_ns for s in view.like(span))
    # Room for a slower machine, and still well below what the mutant took.
    yield _entry(span, duration={"lte": f"{max(longest // _MS, 1) * 5 + 100}ms"})


def _order(view: _View, span: Span) -> Iterator[Written]:
    other = next((s for s in view.mutant.subjects if s is not span), None)
    if other is not None:
        first, then = sorted((span, other), key=lambda s: s.start_ns)
        yield {"order": [{"first": first.name, "then": then.name}]}


def _totals(view: _View) -> Iterator[Written]:
    yield from view.counts(lambda _: True, "spans")


_FAMILIES: Mapping[str, tuple[Callable[[_View, Span], Iterator[Written]], ...]] = MappingProxyType(
    {
        "drop-span": (_count,),
        "rename": (_count,),
        "duplicate": (_count,),
        "change-service": (_count,),
        "lose-service": (_count,),
        "empty-trace": (_count,),
        "re-parent": (_lineage,),
        "detach": (_lineage,),
        "swap-edges": (_lineage,),
        "swap-order": (_order,),
        "leave-window": (_window,),
        "enter-window": (_window,),
        "flip-status": (_status,),
        "flip-kind": (_kind,),
        "drop-attribute": (_attribute,),
        "change-attribute": (_attribute,),
        "retype-attribute": (_attribute,),
        "change-resource": (_resource,),
        "lose-events": (_events,),
        "lose-links": (_links,),
        "add-span": (_no_stranger,),
        "add-error-event": (_no_event,),
        "stretch": (_duration,),
    }
)


def _literal(value: AttributeValue) -> Any:  # noqa: ANN401 -- JSON-like, or None
    """Return the value as the language writes it; None where it has no way to."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, tuple) and all(isinstance(item, (bool, int, float, str)) for item in value):
        return list(value)
    return None


def _type(value: AttributeValue) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case _:
            return "array"
