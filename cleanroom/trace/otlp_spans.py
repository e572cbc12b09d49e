"""OTLP protobuf straight to spans: what most spans are made of, several times faster than by way of the tree.

Three things make it fast. Attributes stay bytes until one is met that was not met before: the request is read as the
same messages with `bytes` in the place of key-value pairs, resources and scopes (they look the same on the wire), and
what these bytes say is remembered. A span is filled in as a draft that is not frozen. And whatever is odd is left to
the tree, so that an error has one wording.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from cleanroom.garbage import uncollected
from cleanroom.trace import otlp_protobuf
from cleanroom.trace.model import (
    NO_ATTRIBUTES,
    Attributes,
    AttributeValue,
    Origin,
    Resource,
    Scope,
    SentAttributes,
    Span,
    SpanEvent,
    SpanKind,
    SpanLink,
    StatusCode,
)
from cleanroom.trace.values import resource_of, scope_of, value_of

_KINDS = dict(enumerate(SpanKind))  # the position of a member is its OTLP number
_STATUSES = dict(enumerate(StatusCode))
_SCALARS = frozenset({"string_value", "int_value", "bool_value", "double_value", "bytes_value"})
_REMEMBERED = 65536  # texts, ids and attributes; more are measurements, and come once
_PACKAGE = ".opentelemetry.proto.trace.v1."
_NO_SPAN_ID = bytes(8)


class OddError(Exception):
    """The request has something in it that the tree has to say what it means."""


_Draft: Any = type("_Draft", (), {"__slots__": Span.__slots__})
"""A span whose fields can be set. Python lets it become a `Span`, since they have the same slots; to set twenty fields
of a frozen one takes longer than all the rest."""


class _Pairs(dict[bytes, tuple[str, AttributeValue]]):
    """The bytes of an attribute → its key and value, read when they are first asked for."""

    def __init__(self) -> None:
        from opentelemetry.proto.common.v1.common_pb2 import KeyValue  # noqa: PLC0415 -- as in `otlp_protobuf`

        super().__init__()
        self._read = KeyValue.FromString
        self.nested = False
        """Whether a value with others in it was met."""

    def __missing__(self, data: bytes) -> tuple[str, AttributeValue]:
        found = _short(data) or self._any(data)
        if found is None:
            pair = self._read(data)
            self.nested = True
            return pair.key, value_of(otlp_protobuf.any_value(pair.value))
        self[data] = found
        if len(self) > _REMEMBERED:
            self.clear()
        return found

    def _any(self, data: bytes) -> tuple[str, AttributeValue] | None:
        """Return the key and value, or None where the value has others in it, or none."""
        pair = self._read(data)
        value = pair.value
        which = value.WhichOneof("value")
        return (sys.intern(pair.key), getattr(value, which)) if which in _SCALARS else None


def _short(data: bytes) -> tuple[str, str | int] | None:
    """Return the key and value of an attribute that is a short text or number as everybody writes it; else None.

    Most that come once are such, and it takes a third of the time of making messages of them. On the wire: 10, length,
    key; 18, length; then 10, length, text, or 24 and the number by seven bits, the lowest first, a bit set but in the
    last byte. A length below 128 is one byte.
    """
    size = len(data)
    if size > 129 or size < 6 or data[0] != 10:  # noqa: PLR2004 -- as above
        return None
    end = data[1] + 2
    if end + 4 > size or data[end] != 18 or data[end + 1] != size - end - 2:  # noqa: PLR2004
        return None
    try:
        if data[end + 2] == 10 and data[end + 3] == size - end - 4:  # noqa: PLR2004
            return sys.intern(data[2:end].decode()), data[end + 4 :].decode()
        if data[end + 2] == 24 and size - end == 6 and data[-3] > 127 and data[-2] > 127 and data[-1] < 128:  # noqa: PLR2004
            number = (data[-3] & 127) | (data[-2] & 127) << 7 | data[-1] << 14
            return sys.intern(data[2:end].decode()), number
    except UnicodeDecodeError:
        pass
    return None


class _TraceIds(dict[bytes, str]):
    """Trace ids as hexadecimal digits."""

    def __missing__(self, data: bytes) -> str:
        if len(data) != 16 or not any(data):  # noqa: PLR2004 -- OTLP's length
            raise OddError
        if len(self) > _REMEMBERED:
            self.clear()
        found = self[data] = data.hex()
        return found


class SpanReader:
    """Reads requests; remembers what repeats, from one request to the next."""

    def __init__(self) -> None:
        """Raise `TelemetryError` where protobuf is slow."""
        otlp_protobuf.require_fast_backend()
        self._request = _request_class()
        self._pairs = _Pairs()
        self._trace_ids = _TraceIds()
        self._resources: dict[bytes, Resource] = {}
        self._scopes: dict[bytes, Scope] = {}

    def read(self, body: bytes, origin: Origin) -> list[Span]:
        """Return the spans of one request in its order.

        Raises `OddError` where the tree has to decide, and `DecodeError` for bytes that are no such request.
        """
        found: list[Span] = []
        self._pairs.nested = False
        with uncollected():
            for group in self._request.FromString(body).resource_spans:
                resource = self._resource(b"".join(group.resource))
                for scope_spans in group.scope_spans:
                    self._spans(scope_spans.spans, resource, self._scope(b"".join(scope_spans.scope)), origin, found)
        if self._pairs.nested:
            # Bytes in the place of messages hide how deep values lie within one another.
            otlp_protobuf.request_class("traces").FromString(body)
        return found

    def _spans(self, spans: Any, resource: Resource, scope: Scope, origin: Origin, found: list[Span]) -> None:  # noqa: ANN401 -- a class made at run time
        pair, trace_ids, intern = self._pairs.__getitem__, self._trace_ids, sys.intern
        draft, kinds, statuses, add = _Draft, _KINDS, _STATUSES, found.append
        for sent in spans:
            span = draft()
            span.trace_id = trace_ids[sent.trace_id]
            own, above = sent.span_id, sent.parent_span_id
            if len(own) != 8 or own == _NO_SPAN_ID or (above and len(above) != 8):  # noqa: PLR2004 -- OTLP's length
                raise OddError
            span.span_id = own.hex()
            span.parent_id = intern(above.hex()) if above and above != _NO_SPAN_ID else ""
            span.name = intern(sent.name)
            span.start_ns, span.end_ns = sent.start_time_unix_nano, sent.end_time_unix_nano
            pairs, events, links, status = sent.attributes, sent.events, sent.links, sent.status
            span.attributes = SentAttributes(map(pair, pairs)) if pairs else NO_ATTRIBUTES
            span.events = tuple(map(self._event, events)) if events else ()
            span.links = tuple(map(self._link, links)) if links else ()
            try:
                span.kind, span.status = kinds[sent.kind], statuses[status.code]
            except KeyError as err:
                raise OddError from err
            span.status_message, span.trace_state, span.flags = status.message, sent.trace_state, sent.flags
            span.dropped_attributes, span.dropped_events = sent.dropped_attributes_count, sent.dropped_events_count
            span.dropped_links = sent.dropped_links_count
            span.resource, span.scope, span.origin, span.untimed = resource, scope, origin, ""
            span.__class__ = Span
            add(span)

    def _attributes(self, sent: Any) -> Attributes:  # noqa: ANN401 -- as above
        return SentAttributes(map(self._pairs.__getitem__, sent)) if sent else NO_ATTRIBUTES

    def _event(self, sent: Any) -> SpanEvent:  # noqa: ANN401 -- as above
        return SpanEvent(
            name=sys.intern(sent.name), time_ns=sent.time_unix_nano, attributes=self._attributes(sent.attributes)
        )

    def _link(self, sent: Any) -> SpanLink:  # noqa: ANN401 -- as above
        return SpanLink(
            trace_id=sent.trace_id.hex(), span_id=sent.span_id.hex(), attributes=self._attributes(sent.attributes)
        )

    def _resource(self, data: bytes) -> Resource:
        found = self._resources.get(data)
        if found is None:
            found = resource_of({"resource": otlp_protobuf.resource_node(data)})
            if len(self._resources) < _REMEMBERED:
                self._resources[data] = found
        return found

    def _scope(self, data: bytes) -> Scope:
        found = self._scopes.get(data)
        if found is None:
            found = scope_of({"scope": otlp_protobuf.scope_node(data)})
            if len(self._scopes) < _REMEMBERED:
                self._scopes[data] = found
        return found


@cache
def _request_class() -> Any:  # noqa: ANN401 -- a class made at run time
    """Return the class of a trace request whose attributes, resources and scopes are bytes.

    Made from OTLP's own description. A message that is sent in parts is the same as its parts one after another, so
    single ones are a list of bytes too.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: PLC0415 -- as above
    from opentelemetry.proto.trace.v1 import trace_pb2  # noqa: PLC0415 -- as above

    described = descriptor_pb2.FileDescriptorProto()
    trace_pb2.DESCRIPTOR.CopyToProto(described)
    described.ClearField("dependency")
    waiting = list(described.message_type)
    while waiting:
        message = waiting.pop()
        waiting += message.nested_type
        for field in message.field:
            if field.type == field.TYPE_MESSAGE and not field.type_name.startswith(_PACKAGE):
                field.type, field.label = field.TYPE_BYTES, field.LABEL_REPEATED
                field.ClearField("type_name")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    # A request has the one field of `TracesData`, which is described beside spans.
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE[1:]}TracesData"))
