"""OTLP requests to spans, and to the lines of OTLP/JSON that other tools read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from cleanroom.errors import TelemetryError
from cleanroom.garbage import uncollected
from cleanroom.trace.model import (
    Origin,
    Resource,
    Scope,
    Span,
    SpanEvent,
    SpanKind,
    SpanLink,
    StatusCode,
)
from cleanroom.trace.otlp_json import json_tree
from cleanroom.trace.otlp_protobuf import Node, OtlpSignal, protobuf_tree
from cleanroom.trace.otlp_spans import OddError, SpanReader
from cleanroom.trace.values import attributes_of, resource_of, scope_of

# The position of a member is its OTLP number.
_KINDS = tuple(SpanKind)
_STATUSES = tuple(StatusCode)


class TraceDecoder:
    """Decodes requests one after another; what repeats in them is read once and shared by their spans."""

    def __init__(self) -> None:
        self._reader: SpanReader | None = None

    def decode(self, body: bytes, content_type: str, origin: Origin) -> Sequence[Span]:
        """Return the spans of one request; see `decode_traces`."""
        if _media_type(content_type) == "application/x-protobuf":
            from google.protobuf.message import DecodeError  # noqa: PLC0415 -- the spec commands never load protobuf

            self._reader = self._reader or SpanReader()
            try:
                return self._reader.read(body, origin)
            except (OddError, DecodeError):
                pass  # the tree says what it is
        with uncollected():
            return list(_spans(request_tree(body, content_type), origin))


def decode_traces(body: bytes, content_type: str, origin: Origin) -> tuple[Span, ...]:
    """Return the spans of one OTLP trace request, in its order, each filed under `origin`.

    `content_type` is `application/x-protobuf` or `application/json` (parameters are ignored). Raises `TelemetryError`
    for bytes that are not such a request, for ids of the wrong length and for enumerations outside OTLP.
    """
    return tuple(TraceDecoder().decode(body, content_type, origin))


def encode_jsonl(body: bytes, content_type: str) -> str:
    """Return one OTLP/JSON line (no newline), as the collector's file exporter writes it; raises `TelemetryError`."""
    return json.dumps(request_tree(body, content_type), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def request_tree(body: bytes, content_type: str, signal: OtlpSignal = "traces") -> Node:
    """Return the OTLP/JSON tree of one request, whatever it was sent as; raises `TelemetryError`."""
    media_type = _media_type(content_type)
    if media_type == "application/json":
        return json_tree(body, signal)
    if media_type == "application/x-protobuf":
        return protobuf_tree(body, signal)
    raise TelemetryError(
        f"telemetry was sent as {media_type[:80]!r}, expected application/x-protobuf or application/json",
        remedy="set the exporter's protocol to grpc, http/protobuf or http/json",
    )


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _spans(tree: Node, origin: Origin) -> Iterator[Span]:
    for group in tree["resourceSpans"]:
        resource = resource_of(group)
        for scope_spans in group["scopeSpans"]:
            scope = scope_of(scope_spans)
            for span in scope_spans["spans"]:
                yield _span(span, resource, scope, origin)


def _span(node: Node, resource: Resource, scope: Scope, origin: Origin) -> Span:
    status = node.get("status", {})
    return Span(
        trace_id=_id(node, "traceId", 32),
        span_id=_id(node, "spanId", 16),
        parent_id=_parent_id(node),
        name=node["name"],
        kind=_KINDS[_within(node["kind"], len(_KINDS), node, "kind")],
        start_ns=int(node["startTimeUnixNano"]),
        end_ns=int(node["endTimeUnixNano"]),
        attributes=attributes_of(node),
        events=tuple(
            SpanEvent(name=event["name"], time_ns=int(event["timeUnixNano"]), attributes=attributes_of(event))
            for event in node.get("events", ())
        ),
        links=tuple(
            SpanLink(trace_id=link["traceId"], span_id=link["spanId"], attributes=attributes_of(link))
            for link in node.get("links", ())
        ),
        status=_STATUSES[_within(status.get("code", 0), len(_STATUSES), node, "status code")],
        status_message=status.get("message", ""),
        trace_state=node.get("traceState", ""),
        flags=node.get("flags", 0),
        dropped_attributes=node.get("droppedAttributesCount", 0),
        dropped_events=node.get("droppedEventsCount", 0),
        dropped_links=node.get("droppedLinksCount", 0),
        resource=resource,
        scope=scope,
        origin=origin,
    )


def _id(node: Node, key: str, length: int) -> str:
    value: str = node[key]
    # An all-zero id is the invalid id: two such spans would be taken for one.
    if len(value) != length or not value.strip("0"):
        raise TelemetryError(
            f"span {node['name'][:80]!r}: {key} is {value!r}, expected {length} hex digits that are not all zero",
            remedy="the exporter that sent this span is broken; its SDK should be updated",
        )
    return value


def _parent_id(node: Node) -> str:
    value: str = node.get("parentSpanId", "")
    return _id(node, "parentSpanId", 16) if value.strip("0") else ""


def _within(number: int, limit: int, node: Node, what: str) -> int:
    if not 0 <= number < limit:
        raise TelemetryError(
            f"span {node['name'][:80]!r}: {what} is {number}, expected a number below {limit}",
            remedy="the exporter that sent this span speaks a newer OTLP or is broken",
        )
    return number
