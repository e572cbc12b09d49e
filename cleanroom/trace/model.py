"""A trace as OTLP has it: spans with their resource, scope, events, links and status; frozen.

What is not as it should be has a meaning of its own, so that it can never pass unseen or decide by accident:

- A service span named `cleanroom.…`, or with the id of a runner's span, is forged: a finding, whatever the spec says.
  It stays a service span; the runner's own is the parent of what names that id. Who sent a span is decided by the path
  on which it came.
- A trace or span id of zeros or of another length is refused with its whole request: a finding that names it. A parent
  id of zeros is no parent.
- The same span twice, equal in every field, is one span that was delivered twice. Different spans with one id are all
  judged and all counted; which of them is the parent of others does not depend on arrival.
- A loop of parents ends where it began: its spans have each other as ancestors, are under no root, and none is a root.
- A span whose parent never arrived is an orphan: no root, and without an ancestor.
- A span that ends before it starts has no duration: whatever is expected of its duration is broken. Its start counts
  where spans are put in order.
- A request that arrives after its environment was closed is judged by nobody: the scenario is inconclusive.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from types import MappingProxyType
from typing import NoReturn, TypeAlias

from cleanroom.garbage import uncollected

# Integers are exact to 64 bits; bytes stay bytes; arrays are tuples; key-value lists are mappings.
AttributeValue: TypeAlias = (
    "bool | int | float | str | bytes | tuple[AttributeValue, ...] | Mapping[str, AttributeValue] | None"
)
Attributes: TypeAlias = Mapping[str, AttributeValue]
SpanId: TypeAlias = tuple[str, str]
"""Trace id and span id."""


class SentAttributes(dict[str, AttributeValue]):
    """Attributes as they were sent, which nobody can change.

    A dictionary itself, since a proxy takes twice as long to be asked and a million of them need room.
    """

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the attributes of what was sent cannot be changed")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse


NO_ATTRIBUTES: Attributes = SentAttributes()
RESERVED_PREFIX = "cleanroom."
_ID = attrgetter("trace_id", "span_id")
_SPAN_ID = attrgetter("span_id")
_START = attrgetter("start_ns")
_PLACE = attrgetter("start_ns", "trace_id", "span_id")


class SpanKind(StrEnum):
    """The OTLP span kind by its spec name."""

    UNSPECIFIED = "unspecified"
    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class StatusCode(StrEnum):
    """The OTLP status code; `unset` is not `ok` (spec.md section 6)."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


class Origin(StrEnum):
    """Who sent a span: decided by the path it arrived on, never by what it says of itself."""

    SERVICE = "service"
    RUNNER = "runner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """The entity that produced spans."""

    attributes: Attributes = field(default_factory=lambda: NO_ATTRIBUTES)

    @property
    def service(self) -> str:
        """`service.name`, or the empty string."""
        name = self.attributes.get("service.name", "")
        return name if isinstance(name, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The instrumentation scope of a span."""

    name: str = ""
    version: str = ""
    attributes: Attributes = field(default_factory=lambda: NO_ATTRIBUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """A timed event on a span; time in nanoseconds since the epoch."""

    name: str
    time_ns: int
    attributes: Attributes = field(default_factory=lambda: NO_ATTRIBUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLink:
    """A link to another span; ids in lower-case hex."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=lambda: NO_ATTRIBUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span; ids in lower-case hex ("" for no parent), times in nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    name: str
    kind: SpanKind = SpanKind.UNSPECIFIED
    start_ns: int
    end_ns: int
    attributes: Attributes = field(default_factory=lambda: NO_ATTRIBUTES)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    status: StatusCode = StatusCode.UNSET
    status_message: str = ""
    trace_state: str = ""
    flags: int = 0
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0
    resource: Resource = field(default_factory=Resource)
    scope: Scope = field(default_factory=Scope)
    origin: Origin = Origin.SERVICE
    untimed: str = ""
    """Why its times say nothing, where its clock was altered so that they cannot be put right; else empty."""

    @property
    def service(self) -> str:
        """`service.name` of the span's resource, or the empty string."""
        return self.resource.service

    @property
    def duration_ns(self) -> int:
        """End minus start; negative when the sender's clock ran backwards."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True)
class Trace:
    """All spans of one iteration (any number of trace ids), ordered by (start, span id), and found by their ids."""

    spans: tuple[Span, ...] = ()
    unique: bool = field(init=False, repr=False, compare=False)
    """Whether no two spans have one id."""
    by_trace: Mapping[str, Mapping[str, Span]] = field(init=False, repr=False, compare=False)
    """Trace id → span id → the span, the first of several."""

    def __post_init__(self) -> None:
        with uncollected():
            ordered = sorted(self.spans, key=_START)
            if len(set(map(_START, ordered))) < len(ordered):
                ordered.sort(key=_PLACE)  # what is nearly in order is quickly put so
            found = _by_ids(ordered)
            unique = sum(map(len, found.values())) == len(ordered)
            if not unique:
                ordered.sort(key=place_of(ordered))
                found = _by_ids(reversed(ordered))
        object.__setattr__(self, "spans", tuple(ordered))
        object.__setattr__(self, "unique", unique)
        object.__setattr__(self, "by_trace", found)

    def find(self, trace_id: str, span_id: str) -> Span | None:
        """Return the span of these ids, the first of several, or None."""
        found = self.by_trace.get(trace_id)
        return None if found is None else found.get(span_id)

    @cached_property
    def above(self) -> array[int]:
        """Of each span the place of its parent in `spans`; -1 for none, be it that none is named or that it is lost."""
        place_of = dict(zip(map(id, self.spans), range(len(self.spans)), strict=True))
        found = array("q")
        add, by_trace = found.append, self.by_trace
        for span in self.spans:
            parent = by_trace[span.trace_id].get(span.parent_id) if span.parent_id else None
            add(-1 if parent is None else place_of[id(parent)])
        return found

    @cached_property
    def children(self) -> Mapping[SpanId, tuple[Span, ...]]:
        """The direct children of each span that has any, by its id, in order of start."""
        children: dict[SpanId, list[Span]] = {}
        for span in self.spans:
            if span.parent_id:
                children.setdefault((span.trace_id, span.parent_id), []).append(span)
        return MappingProxyType({key: tuple(found) for key, found in children.items()})

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Trace:
        """Return the trace of `spans` in any order."""
        return cls(tuple(spans))

    @property
    def service_spans(self) -> tuple[Span, ...]:
        """The spans that services sent (the runner's own are left out)."""
        found = [s for s in self.spans if s.origin is Origin.SERVICE]
        return self.spans if len(found) == len(self.spans) else tuple(found)

    def parent(self, span: Span) -> Span | None:
        """Return the parent by span id within the same trace, or None (a root, or an orphan)."""
        return self.find(span.trace_id, span.parent_id) if span.parent_id else None

    def children_of(self, span: Span) -> tuple[Span, ...]:
        """Return the direct children, in order of start."""
        return self.children.get((span.trace_id, span.span_id), ())


def _by_ids(spans: Iterable[Span]) -> dict[str, dict[str, Span]]:
    """Return trace id → span id → the last of such spans: less than half of what one mapping of pairs takes."""
    found: dict[str, dict[str, Span]] = {}
    for span in spans:
        trace = found.get(span.trace_id)
        if trace is None:
            found[span.trace_id] = {span.span_id: span}
        else:
            trace[span.span_id] = span
    return found


def place_of(spans: Iterable[Span]) -> Callable[[Span], tuple[int, str, str, str]]:
    """Return what orders spans by (start, ids); those of an id that is there twice also by all that they say.

    Which of them is the parent of others must not depend on which of them arrived first.
    """
    counts = Counter(map(_ID, spans))

    def place(span: Span) -> tuple[int, str, str, str]:
        key = (span.trace_id, span.span_id)
        return span.start_ns, *key, repr(span) if counts[key] > 1 else ""

    return place


def once(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Drop exact repetitions: an exporter that retries sends the same span twice. Linear, whatever is repeated."""
    if len(set(map(_SPAN_ID, spans))) == len(spans):
        return tuple(spans)
    first: dict[SpanId, Span] = {}
    again: dict[SpanId, set[Hashable]] = {}
    kept: list[Span] = []
    for span in spans:
        key = (span.trace_id, span.span_id)
        if key not in first:
            first[key] = span
        else:
            seen = again.setdefault(key, {_content(first[key])})
            content = _content(span)
            if content in seen:
                continue
            seen.add(content)
        kept.append(span)
    return tuple(kept)


def _content(span: Span) -> Hashable:
    """Return what two spans share exactly when they are equal."""
    return tuple(_hashed(getattr(span, each.name)) for each in fields(span))


def _hashed(value: object) -> Hashable:
    if isinstance(value, Mapping):
        return frozenset((name, _hashed(item)) for name, item in value.items())
    if isinstance(value, tuple):
        return tuple(_hashed(item) for item in value)
    if isinstance(value, (Resource, Scope, SpanEvent, SpanLink)):
        return type(value), *(_hashed(getattr(value, each.name)) for each in fields(value))
    return value
