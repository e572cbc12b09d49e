"""OTLP protobuf to the tree that OTLP/JSON spells, walked by hand.

`MessageToDict` is ten times slower and corrupts ids.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cleanroom.errors import TelemetryError

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

Node: TypeAlias = dict[str, Any]
"""An object of OTLP/JSON: hex ids, 64-bit integers as decimal strings, bytes in base64, defaults left out."""


OtlpSignal: TypeAlias = Literal["traces", "metrics", "logs"]


def protobuf_tree(body: bytes, signal: OtlpSignal = "traces") -> Node:
    """Return the OTLP/JSON tree of an export request of the signal; raises `TelemetryError` for broken bytes."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 -- the spec commands never load protobuf

    require_fast_backend()
    kind = request_class(signal)
    try:
        request = kind.FromString(body)
    except DecodeError as err:
        raise TelemetryError(
            f"{len(body)} bytes sent as OTLP protobuf are not an {kind.__name__}: {err}",
            remedy="check that the exporter's protocol matches the endpoint it sends to (OTEL_EXPORTER_OTLP_PROTOCOL)",
        ) from err
    if signal == "traces":
        return {"resourceSpans": [_resource_spans(group) for group in request.resource_spans]}
    return _message(request)


def request_class(signal: OtlpSignal) -> Any:  # noqa: ANN401 -- three generated classes with nothing in common
    """Return the class of an export request of the signal."""
    if signal == "metrics":
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2  # noqa: PLC0415 -- as above

        return metrics_service_pb2.ExportMetricsServiceRequest
    if signal == "logs":
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2  # noqa: PLC0415 -- as above

        return logs_service_pb2.ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: PLC0415 -- as above

    return trace_service_pb2.ExportTraceServiceRequest


def _message(message: Any) -> Node:  # noqa: ANN401 -- any generated class
    """Return any message as OTLP/JSON spells it: the fields that are set, by the names of their descriptors.

    Slower than the walk of spans by hand; there are far fewer points and records.
    """
    return {field.json_name: _field(field, value) for field, value in message.ListFields()}


def _field(field: Any, value: Any) -> object:  # noqa: ANN401 -- a descriptor and what it describes
    kind = field.message_type.name if field.message_type is not None else ""
    if kind == "KeyValue":
        return _key_values(value)
    if kind == "AnyValue":
        return any_value(value)
    if kind:
        return _message(value) if hasattr(value, "ListFields") else [_message(item) for item in value]
    if field.name in _IDS:
        return value.hex()
    if isinstance(value, bool | str):
        return value
    read = double_text if field.cpp_type in _FLOATING else str if field.cpp_type in _WIDE else int
    return read(value) if isinstance(value, int | float) else [read(item) for item in value]


_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})
_WIDE = frozenset({2, 4})  # FieldDescriptor.CPPTYPE_INT64 and CPPTYPE_UINT64
_FLOATING = frozenset({5, 6})  # CPPTYPE_DOUBLE and CPPTYPE_FLOAT


def require_fast_backend() -> None:
    """Raise `TelemetryError` unless protobuf runs on `upb`: the pure Python backend is 160 times slower."""
    from google.protobuf.internal import api_implementation  # noqa: PLC0415

    backend = api_implementation.Type()
    if backend != "upb":
        raise TelemetryError(
            f"protobuf runs on its {backend!r} backend, and decoding needs 'upb'",
            remedy="install a protobuf wheel for this platform (glibc, not musl) and unset "
            "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION",
        )


def _resource_spans(group: ResourceSpans) -> Node:
    node: Node = {
        "resource": _resource(group.resource),
        "scopeSpans": [_scope_spans(scope_spans) for scope_spans in group.scope_spans],
    }
    return _with(node, schemaUrl=group.schema_url)


def _scope_spans(group: ScopeSpans) -> Node:
    node: Node = {"scope": _scope(group.scope), "spans": [_span(span) for span in group.spans]}
    return _with(node, schemaUrl=group.schema_url)


def resource_node(data: bytes) -> Node:
    """Return the OTLP/JSON of a resource; raises `DecodeError`."""
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource  # noqa: PLC0415 -- as above

    return _resource(Resource.FromString(data))


def scope_node(data: bytes) -> Node:
    """Return the OTLP/JSON of an instrumentation scope; raises `DecodeError`."""
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope  # noqa: PLC0415 -- as above

    return _scope(InstrumentationScope.FromString(data))


def _resource(resource: Resource) -> Node:
    return _with(
        {}, attributes=_key_values(resource.attributes), droppedAttributesCount=resource.dropped_attributes_count
    )


def _scope(scope: InstrumentationScope) -> Node:
    return _with(
        {},
        name=scope.name,
        version=scope.version,
        attributes=_key_values(scope.attributes),
        droppedAttributesCount=scope.dropped_attributes_count,
    )


def _span(span: Span) -> Node:
    node: Node = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "kind": int(span.kind),
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
    }
    return _with(
        node,
        traceState=span.trace_state,
        parentSpanId=span.parent_span_id.hex(),
        flags=span.flags,
        attributes=_key_values(span.attributes),
        droppedAttributesCount=span.dropped_attributes_count,
        events=[_event(event) for event in span.events],
        droppedEventsCount=span.dropped_events_count,
        links=[_link(link) for link in span.links],
        droppedLinksCount=span.dropped_links_count,
        status=_with({}, message=span.status.message, code=int(span.status.code)),
    )


def _event(event: Span.Event) -> Node:
    return _with(
        {"timeUnixNano": str(event.time_unix_nano), "name": event.name},
        attributes=_key_values(event.attributes),
        droppedAttributesCount=event.dropped_attributes_count,
    )


def _link(link: Span.Link) -> Node:
    return _with(
        {"traceId": link.trace_id.hex(), "spanId": link.span_id.hex()},
        traceState=link.trace_state,
        attributes=_key_values(link.attributes),
        droppedAttributesCount=link.dropped_attributes_count,
        flags=link.flags,
    )


def _key_values(pairs: Iterable[KeyValue]) -> list[Node]:
    return [{"key": pair.key, "value": any_value(pair.value)} for pair in pairs]


def any_value(value: AnyValue) -> Node:
    """Return an any-value as OTLP/JSON spells it; raises `TelemetryError` for a kind of value without a meaning."""
    which = value.WhichOneof("value")
    if which is None:
        return {}
    if which not in _VALUES:
        raise TelemetryError(f"an attribute value of the kind {which!r} has no meaning in a trace")
    name, read = _VALUES[which]
    return {name: read(value)}


_VALUES: dict[str, tuple[str, Callable[[AnyValue], object]]] = {
    "string_value": ("stringValue", lambda value: value.string_value),
    "int_value": ("intValue", lambda value: str(value.int_value)),
    "bool_value": ("boolValue", lambda value: value.bool_value),
    "double_value": ("doubleValue", lambda value: double_text(value.double_value)),
    "bytes_value": ("bytesValue", lambda value: base64.b64encode(value.bytes_value).decode("ascii")),
    "array_value": ("arrayValue", lambda value: {"values": [any_value(item) for item in value.array_value.values]}),
    "kvlist_value": ("kvlistValue", lambda value: {"values": _key_values(value.kvlist_value.values)}),
}


def double_text(value: float) -> float | str:
    """Return `value` as JSON carries it: NaN and infinities by their proto3 JSON names."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _with(node: Node, **fields: object) -> Node:
    """Add the fields that are not at their default, as proto3 JSON leaves defaults out."""
    node.update({name: value for name, value in fields.items() if value})
    return node
