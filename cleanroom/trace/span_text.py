"""One span as canonical JSON: what is left of it under the rules, its members in order of name (RFC 8785).

Written directly, and remembered by what repeats: a mapping for each span, encoded as a whole, takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cleanroom.canonical import Json, canonical_text
from cleanroom.trace.model import Attributes, Origin, Resource, Scope, Span, SpanKind, SpanLink, Trace
from cleanroom.trace.rules import RUNNER_ATTRIBUTES, NormaliseOptions
from cleanroom.trace.scrub import Scrubber, as_json

_REMEMBERED = 65536  # what more than so many spans differ in is worth no memory
_NO_EVENTS = ',"events":[]'
_MILLISECOND, _MICROSECOND = 10**6, 10**3


class Columns(NamedTuple):
    """Of every span its name and its canonical JSON: what is its own, and from `kind` on what it shares with others.

    The second part is most of it, and there is one of it for all that share it.
    """

    names: list[str]
    heads: list[bytes]
    tails: list[bytes]


class SpanTexts:
    """Writes the spans of one iteration."""

    def __init__(self, trace: Trace, options: NormaliseOptions) -> None:
        """Read the ids of `trace`; raises `SpecError` for a broken pattern of `options.replace`."""
        self._scrub = Scrubber(options, trace.spans)
        self._trace = trace
        self._bucket = options.bucket_ns
        # By identity, since attributes have no hash; the values hold what the ids are of, so that none is used twice.
        self._resources: dict[tuple[int, SpanKind], tuple[Resource, str]] = {}
        self._scopes: dict[tuple[int, SpanKind], tuple[Scope, str]] = {}
        self._tails: dict[tuple[str | int, ...], tuple[str, bytes]] = {}

    def columns(self, spans: Sequence[Span], detached: Mapping[int, str]) -> Columns:
        """Return the spans as they are under the rules.

        `detached` says of some, by index, why they are roots and not where they claim to be.
        """
        names, heads, tails = [], [], []
        attributes, runner = self._scrub.attributes, Origin.RUNNER
        for index, span in enumerate(spans):
            odd = detached.get(index, "") if detached else ""
            if span.origin is runner:  # its own names are its own affair
                names.append(span.name)
                heads.append(canonical_text(_runner_fields(span, odd)).encode())
                tails.append(b"")
                continue
            name, tail = self._tail(span)
            text = attributes(span.attributes, span.kind)
            if odd or span.dropped_attributes or span.dropped_events or span.dropped_links or self._bucket:
                text += self._oddities(span, odd)
            if span.events:
                text = f'{text},"events":{self._events(span)}'
            names.append(name)
            heads.append(f'{{"attributes":{text}'.encode())
            tails.append(tail)
        return Columns(names, heads, tails)

    def _oddities(self, span: Span, detached: str) -> str:
        """Return the members between `attributes` and `events`, which most spans have none of."""
        found = f',"detached":{canonical_text(detached)}' if detached else ""
        if span.dropped_attributes or span.dropped_events or span.dropped_links:
            dropped: dict[str, Json] = {
                "attributes": span.dropped_attributes,
                "events": span.dropped_events,
                "links": span.dropped_links,
            }
            found += f',"dropped":{canonical_text({what: count for what, count in dropped.items() if count})}'
        if self._bucket:
            found += f',"duration":"{in_bucket(span.duration_ns, self._bucket)}"'
        return found

    def _events(self, span: Span) -> str:
        scrub = self._scrub
        found = [
            f'{{"attributes":{scrub.attributes(event.attributes, span.kind)},"name":{_quoted(scrub, event.name)}}}'
            for event in span.events
        ]
        return "[" + ",".join(found) + "]"

    def _links(self, span: Span) -> str:
        return "[" + ",".join(sorted(self._link(link, span) for link in span.links)) + "]"

    def _link(self, link: SpanLink, span: Span) -> str:
        """Return whither a link points, as far as that does not depend on ids."""
        target = self._trace.find(link.trace_id, link.span_id)
        if target is not None:
            role = f"{self._scrub.text(target.service)}: {self._scrub.text(target.name)}"
        else:
            role = "same trace" if link.trace_id == span.trace_id else "another trace"
        return f'{{"attributes":{self._scrub.attributes(link.attributes, span.kind)},"to":{canonical_text(role)}}}'

    def _tail(self, span: Span) -> tuple[str, bytes]:
        """Return the name under the rules, and the members from `kind` on, or from `events` where there are none.

        There are few different ones in any trace.
        """
        links = self._links(span) if span.links else "[]"
        resource, scope, kind, status = span.resource, span.scope, span.kind, span.status
        # Members of an enumeration by identity too: their hash is slow.
        key = (
            span.name, id(resource), id(scope), id(kind), id(status), span.status_message, links, span.trace_state,
            not span.events,
        )  # fmt: skip
        found = self._tails.get(key)
        if found is None:
            scrub = self._scrub
            states = [member.partition("=")[0].strip() for member in span.trace_state.split(",") if member.strip()]
            text = (
                f'{"" if span.events else _NO_EVENTS},"kind":"{kind.value}","links":{links},'
                f'"name":{_quoted(scrub, span.name)},"origin":"service",'
                f'"resource":{self._resource(resource, kind)},"scope":{self._scope(scope, kind)},'
                f'"service":{_quoted(scrub, span.service)},"status":"{status.value}",'
                f'"status_message":{_quoted(scrub, span.status_message)}'
            )
            text += f',"trace_state":{canonical_text([*states])}}}' if states else "}"
            found = scrub.text(span.name), text.encode()
            if len(self._tails) < _REMEMBERED:
                self._tails[key] = found
        return found

    def _resource(self, resource: Resource, kind: SpanKind) -> str:
        known = self._resources.get((id(resource), kind))
        if known is None:
            text = self._scrub.attributes(resource.attributes, kind)
            known = self._resources[id(resource), kind] = (resource, text)
        return known[1]

    def _scope(self, scope: Scope, kind: SpanKind) -> str:
        known = self._scopes.get((id(scope), kind))
        if known is None:
            attributes = self._scrub.attributes(scope.attributes, kind)
            first = f'"attributes":{attributes},' if attributes != "{}" else ""
            name, version = _quoted(self._scrub, scope.name), canonical_text(scope.version)
            known = self._scopes[id(scope), kind] = (scope, f'{{{first}"name":{name},"version":{version}}}')
        return known[1]


def in_bucket(duration_ns: int, bucket_ns: int) -> str:
    """Return the step of `bucket_ns` that a duration falls into, e.g. `100ms..200ms` (the upper bound is outside)."""
    unit, divisor = "ns", 1
    if bucket_ns % _MILLISECOND == 0:
        unit, divisor = "ms", _MILLISECOND
    elif bucket_ns % _MICROSECOND == 0:
        unit, divisor = "us", _MICROSECOND
    low = duration_ns // bucket_ns * bucket_ns
    return f"{low // divisor}{unit}..{(low + bucket_ns) // divisor}{unit}"


def _quoted(scrub: Scrubber, text: str) -> str:
    return canonical_text(scrub.text(text))


def _runner_fields(span: Span, detached: str) -> dict[str, Json]:
    """Return name, status, event names and the allowed attributes; messages and events' attributes are measured."""
    names = next((names for start, names in RUNNER_ATTRIBUTES.items() if span.name.startswith(start)), ())
    fields: dict[str, Json] = {
        "name": span.name,
        "origin": span.origin.value,
        "service": "",
        "kind": span.kind.value,
        "status": span.status.value,
        "attributes": _plain(span.attributes, names),
        "events": [{"name": event.name} for event in span.events],
    }
    return {**fields, "detached": detached} if detached else fields


def _plain(attributes: Attributes, names: tuple[str, ...]) -> dict[str, Json]:
    return {name: as_json(attributes[name], str) for name in names if name in attributes}
