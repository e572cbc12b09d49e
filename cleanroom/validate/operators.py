"""The mutation operators: each says what may go wrong with a span (or with all spans of a service)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from cleanroom.trace.model import Attributes, AttributeValue, Resource, Span, SpanEvent, SpanKind, StatusCode
from cleanroom.trace.rules import DROPPED, matches
from cleanroom.validate.stage import Stage, moment

UNDECLARED = "mutant.undeclared"
"""The name of a span that no spec declares."""
_MS = 1_000_000
_MARK = "-mutant"
_KEPT = 32
"""How many candidates for a new parent are looked at."""

# What surrounds an operation says less of a system's behaviour than what it did: mutated when nothing else is left.
_SURROUNDINGS = (
    "client.*", "code.*", "http.flavor", "http.host", "http.scheme", "http.server_name", "http.user_agent", "net.*",
    "network.*", "otel.*", "peer.*", "process.*", "server.*", "source.*", "telemetry.*", "thread.*", "url.scheme",
    "user_agent.*",
)  # fmt: skip
_REMOVED = tuple(glob for globs in DROPPED.values() for glob in globs)
_NEXT_KIND = {
    SpanKind.SERVER: SpanKind.CLIENT,
    SpanKind.CLIENT: SpanKind.INTERNAL,
    SpanKind.INTERNAL: SpanKind.SERVER,
    SpanKind.PRODUCER: SpanKind.CONSUMER,
    SpanKind.CONSUMER: SpanKind.PRODUCER,
    SpanKind.UNSPECIFIED: SpanKind.SERVER,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What to put in the place of recorded spans, by their index: nothing, one span, or several."""

    edits: Mapping[int, tuple[Span, ...]]
    detail: str
    index: int | None = None
    """The span that the change is told of; None: `where` says what it is about."""
    where: str = ""
    key: str = ""
    """The attribute, event or fault that it is about."""


Operator = Callable[[Stage, int, random.Random], Iterator[Change]]


def _one(stage: Stage, index: int, detail: str, *, key: str = "", **fields: object) -> Change:
    changed = replace(stage.spans[index], **fields)  # type: ignore[arg-type]  # each operator names fields of Span
    return Change(edits={index: (changed,)}, detail=detail, index=index, key=key)


def _drop(_stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    yield Change(edits={index: ()}, detail="the span is not there", index=index)


def _rename(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    name = stage.spans[index].name + _MARK
    yield _one(stage, index, f'renamed to "{name}"', name=name)


def _reparent(stage: Stage, index: int, rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    parent = stage.trace.parent(span)
    every = [s for name, s in stage.by_name[span.trace_id].items() if parent is None or name != parent.name]
    for other in rng.sample(every, min(len(every), _KEPT)):
        if other.span_id and not stage.hangs_below(other, span):
            yield _one(stage, index, f'moved below "{other.name}"', parent_id=other.span_id)


def _detach(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    if stage.spans[index].parent_id:
        yield _one(stage, index, "made a root: its context was lost", parent_id="")


def _duplicate(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    twin = replace(span, span_id=_new_id(span, "duplicate"))
    yield Change(edits={index: (span, twin)}, detail="there twice", index=index)


def _swap_order(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    near = stage.siblings[span.trace_id, span.parent_id]
    for other in near[near.index(index) + 1 :]:
        sibling = stage.spans[other]
        if sibling.name != span.name and sibling.start_ns != span.start_ns:
            first = replace(span, start_ns=sibling.start_ns, end_ns=sibling.start_ns + span.duration_ns)
            second = replace(sibling, start_ns=span.start_ns, end_ns=span.start_ns + sibling.duration_ns)
            detail = f'changed places in time with "{sibling.name}"'
            yield Change(edits={index: (first,), other: (second,)}, detail=detail, index=index)
            return


def _leave_window(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    for fault, windows in stage.windows.items():
        if moment(span, windows) == "during":
            ended = all(end for _, end in windows)
            before = min(start for start, _ in windows) - _MS - max(span.duration_ns, 0)
            start = max(end for _, end in windows) + _MS if ended else before
            word = "after" if ended else "before"
            yield _shifted(stage, index, start, f"moved out of fault {fault}, to {word} it", fault)


def _enter_window(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    for fault, windows in stage.windows.items():
        if windows and moment(stage.spans[index], windows) != "during":
            yield _shifted(stage, index, windows[0][0], f"moved into fault {fault}", fault)


def _shifted(stage: Stage, index: int, start: int, detail: str, fault: str) -> Change:
    end = start + stage.spans[index].duration_ns
    return _one(stage, index, detail, key=fault, start_ns=start, end_ns=end)


def _status(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    status = stage.spans[index].status
    for other in (StatusCode.ERROR, StatusCode.UNSET, StatusCode.OK):
        if other is not status:
            yield _one(stage, index, f"status {other.value} instead of {status.value}", status=other)


def _kind(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    kind = stage.spans[index].kind
    yield _one(stage, index, f"kind {_NEXT_KIND[kind].value} instead of {kind.value}", kind=_NEXT_KIND[kind])


def _drop_attribute(stage: Stage, index: int, rng: random.Random) -> Iterator[Change]:
    held = stage.spans[index].attributes
    for name in _ranked(held, rng):
        less = MappingProxyType({key: value for key, value in held.items() if key != name})
        yield _one(stage, index, f"without attribute {name}", key=name, attributes=less)


def _change_attribute(stage: Stage, index: int, rng: random.Random) -> Iterator[Change]:
    held = stage.spans[index].attributes
    for name in _ranked(held, rng):
        other = MappingProxyType({**held, name: _other(held[name])})
        yield _one(stage, index, f"another value of attribute {name}", key=name, attributes=other)


def _retype_attribute(stage: Stage, index: int, rng: random.Random) -> Iterator[Change]:
    held = stage.spans[index].attributes
    for name in _ranked(held, rng):
        other = MappingProxyType({**held, name: _retyped(held[name])})
        yield _one(stage, index, f"another type of attribute {name}", key=name, attributes=other)


def _change_resource(stage: Stage, index: int, rng: random.Random) -> Iterator[Change]:
    held = stage.spans[index].resource.attributes
    # `service.name` has an operator of its own, and how an SDK describes itself is nothing that a system does.
    told = {key: value for key, value in held.items() if key != "service.name" and not key.startswith("telemetry.")}
    for name in _ranked(told, rng):
        other = Resource(attributes=MappingProxyType({**held, name: _other(held[name])}))
        yield _one(stage, index, f"another value of resource attribute {name}", key=name, resource=other)


def _change_service(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    name = span.service + _MARK
    other = Resource(attributes=MappingProxyType({**span.resource.attributes, "service.name": name}))
    yield _one(stage, index, f'sent by service "{name}"', resource=other)


def _lose_events(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    if stage.spans[index].events:
        yield _one(stage, index, "without its events", events=())


def _lose_links(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    if stage.spans[index].links:
        yield _one(stage, index, "without its links", links=())


def _stretch(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    longer = 10 * max(span.duration_ns, 0) + 1000 * _MS
    yield _one(stage, index, "ten times and a second longer", end_ns=span.start_ns + longer)


def _add_span(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    stranger = Span(
        trace_id=span.trace_id, span_id=_new_id(span, "stranger"), parent_id=span.span_id, name=UNDECLARED,
        kind=SpanKind.INTERNAL, start_ns=span.start_ns, end_ns=span.end_ns, resource=span.resource, scope=span.scope,
    )  # fmt: skip
    yield Change(edits={index: (span, stranger)}, detail="with a child that nobody declared", index=index)


def _add_error_event(stage: Stage, index: int, _rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    event = SpanEvent(
        name="exception", time_ns=span.start_ns, attributes=MappingProxyType({"exception.type": "MutantError"})
    )
    yield _one(stage, index, "with an event `exception` more", key=event.name, events=(*span.events, event))


def _swap_edges(stage: Stage, index: int, rng: random.Random) -> Iterator[Change]:
    span = stage.spans[index]
    if not span.parent_id:
        return
    firsts = [indexes[0] for (_, name), indexes in stage.groups.items() if name != span.name]
    for other in rng.sample(firsts, min(len(firsts), _KEPT)):
        partner = stage.spans[other]
        apart = partner.trace_id == span.trace_id and partner.parent_id not in ("", span.parent_id)
        # Of two spans on one line an exchange would make a loop.
        if apart and not stage.hangs_below(span, partner) and not stage.hangs_below(partner, span):
            edits = {
                index: (replace(span, parent_id=partner.parent_id),),
                other: (replace(partner, parent_id=span.parent_id),),
            }
            yield Change(edits=edits, detail=f'exchanged parents with "{partner.name}"', index=index)
            return


def _lose_service(stage: Stage) -> Iterator[Change]:
    for service, indexes in stage.services.items():
        what = f"service {service}" if service else "what has no service.name"
        yield Change(edits=dict.fromkeys(indexes, ()), detail="nothing of it arrived", where=what)


def _empty(stage: Stage) -> Iterator[Change]:
    if stage.spans:
        every = dict.fromkeys(range(len(stage.spans)), ())
        yield Change(edits=every, detail="no service span arrived", where="all services")


OF_SPAN: Mapping[str, Operator] = MappingProxyType(
    {
        "drop-span": _drop,
        "rename": _rename,
        "re-parent": _reparent,
        "detach": _detach,
        "duplicate": _duplicate,
        "swap-order": _swap_order,
        "leave-window": _leave_window,
        "enter-window": _enter_window,
        "flip-status": _status,
        "flip-kind": _kind,
        "drop-attribute": _drop_attribute,
        "change-attribute": _change_attribute,
        "retype-attribute": _retype_attribute,
        "change-resource": _change_resource,
        "change-service": _change_service,
        "lose-events": _lose_events,
        "lose-links": _lose_links,
        "stretch": _stretch,
        "add-span": _add_span,
        "add-error-event": _add_error_event,
        "swap-edges": _swap_edges,
    }
)
"""Operators of single spans, by name: each yields its changes, the most telling first."""
OF_ALL: Mapping[str, Callable[[Stage], Iterator[Change]]] = MappingProxyType(
    {"lose-service": _lose_service, "empty-trace": _empty}
)
"""Operators that take a group of spans away."""


def _new_id(span: Span, why: str) -> str:
    return hashlib.sha256(f"{span.trace_id}:{span.span_id}:{why}".encode()).hexdigest()[:16]


def _ranked(attributes: Attributes, rng: random.Random) -> Sequence[str]:
    """Return the names: what a system did first, then what surrounded it, last what no digest looks at."""

    def rank(name: str) -> int:
        return 2 if matches(name, _REMOVED) else int(matches(name, _SURROUNDINGS))

    names = sorted(attributes)
    rng.shuffle(names)
    return sorted(names, key=rank)


def _other(value: AttributeValue) -> AttributeValue:  # noqa: PLR0911 -- one for each type
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1 if value < 2**62 else value - 1
        case float():
            return value + 1.0 if value + 1.0 != value else 0.5
        case str():
            return value + _MARK
        case bytes():
            return value + b"\0"
        case tuple():
            return (*value, "mutant")
        case Mapping():
            return MappingProxyType({**value, "mutant": True})
        case _:
            return "mutant"


def _retyped(value: AttributeValue) -> AttributeValue:
    """Return the value as another type: what is no text becomes text, a text becomes a list of it."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return (value,)
        case bytes():
            return value.hex()
        case None:
            return ""
        case _:
            return str(value)
