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

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

# Integers are exact to 64 bits; bytes stay bytes; arrays are tuples; key-value lists are mappings.
AttributeValue: TypeAlias = (
    "bool | int | float | str | bytes | tuple[AttributeValue, ...] | Mapping[str, AttributeValue] | None"
)
Attributes: TypeAlias = Mapping[str, AttributeValue]

NO_ATTRIBUTES: Attributes = MappingProxyType({})
RESERVED_PREFIX = "cleanroom."


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

    @property
    def service(self) -> str:
        """`service.name` of the span's resource, or the empty string."""
        return self.resource.service

    @property
    def duration_ns(self) -> int:
        """End minus start; negative when the sender's clock ran backwards."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Trace:
    """All spans of one iteration (any number of trace ids), ordered by (start, span id), with indexes by id."""

    spans: tuple[Span, ...] = ()
    by_id: Mapping[tuple[str, str], Span] = field(init=False, repr=False, compare=False)
    children: Mapping[tuple[str, str], tuple[Span, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = _ordered(self.spans)
        by_id: dict[tuple[str, str], Span] = {}
        children: dict[tuple[str, str], list[Span]] = {}
        for span in ordered:
            by_id.setdefault((span.trace_id, span.span_id), span)
            if span.parent_id:
                children.setdefault((span.trace_id, span.parent_id), []).append(span)
        object.__setattr__(self, "spans", ordered)
        object.__setattr__(self, "by_id", MappingProxyType(by_id))
        object.__setattr__(self, "children", MappingProxyType({k: tuple(v) for k, v in children.items()}))

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Trace:
        """Return the trace of `spans` in any order."""
        return cls(tuple(spans))

    @property
    def service_spans(self) -> tuple[Span, ...]:
        """The spans that services sent (the runner's own are left out)."""
        return tuple(s for s in self.spans if s.origin is Origin.SERVICE)

    def parent(self, span: Span) -> Span | None:
        """Return the parent by span id within the same trace, or None (a root, or an orphan)."""
        return self.by_id.get((span.trace_id, span.parent_id)) if span.parent_id else None

    def children_of(self, span: Span) -> tuple[Span, ...]:
        """Return the direct children, in order of start."""
        return self.children.get((span.trace_id, span.span_id), ())


def _ordered(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return the spans by (start, ids); those that share an id also by all that they say, whatever came first."""
    ordered = sorted(spans, key=lambda s: (s.start_ns, s.trace_id, s.span_id))
    counts = Counter((s.trace_id, s.span_id) for s in ordered)
    if len(counts) < len(ordered):
        shared = {key for key, count in counts.items() if count > 1}
        ordered.sort(
            key=lambda s: (s.start_ns, s.trace_id, s.span_id, repr(s) if (s.trace_id, s.span_id) in shared else "")
        )
    return tuple(ordered)
