"""OTLP requests for tests, made with the generated message classes and as hypothesis strategies."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

TRACE_ID = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
SPAN_ID = bytes.fromhex("b7ad6b7169203331")

_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_u32 = st.integers(0, 2**32 - 1)
_u64 = st.integers(0, 2**64 - 1)


def pairs(**attributes: AnyValue) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in attributes.items()]


def request(*spans: Span, resource: list[KeyValue] | None = None) -> ExportTraceServiceRequest:
    scope = InstrumentationScope(name="lib", version="1.2")
    group = ResourceSpans(
        resource=Resource(attributes=resource or []), scope_spans=[ScopeSpans(scope=scope, spans=spans)]
    )
    return ExportTraceServiceRequest(resource_spans=[group])


values = st.recursive(
    st.one_of(
        st.just(AnyValue()),
        st.builds(AnyValue, string_value=_text),
        st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, double_value=st.floats(allow_nan=False)),
        st.builds(AnyValue, bytes_value=st.binary(max_size=8)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda v: AnyValue(array_value=ArrayValue(values=v)), st.lists(inner, max_size=3)),
        st.builds(
            lambda v: AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=k, value=x) for k, x in v.items()])),
            st.dictionaries(_text, inner, max_size=3),
        ),
    ),
    max_leaves=6,
)
_attributes = st.dictionaries(_text, values, max_size=3).map(
    lambda found: [KeyValue(key=key, value=value) for key, value in found.items()]
)
_trace_ids = st.binary(min_size=16, max_size=16).filter(any)
_span_ids = st.binary(min_size=8, max_size=8).filter(any)
_events = st.builds(Span.Event, name=_text, time_unix_nano=_u64, attributes=_attributes, dropped_attributes_count=_u32)
_links = st.builds(
    Span.Link, trace_id=_trace_ids, span_id=_span_ids, trace_state=_text, attributes=_attributes, flags=_u32
)
_spans = st.builds(
    Span,
    trace_id=_trace_ids,
    span_id=_span_ids,
    parent_span_id=st.one_of(st.just(b""), _span_ids),
    trace_state=_text,
    flags=_u32,
    name=_text,
    kind=st.integers(0, 5),
    start_time_unix_nano=_u64,
    end_time_unix_nano=_u64,
    attributes=_attributes,
    dropped_attributes_count=_u32,
    events=st.lists(_events, max_size=2),
    dropped_events_count=_u32,
    links=st.lists(_links, max_size=2),
    dropped_links_count=_u32,
    status=st.builds(Status, message=_text, code=st.integers(0, 2)),
)
_scopes = st.builds(InstrumentationScope, name=_text, version=_text, attributes=_attributes)
_groups = st.builds(
    ResourceSpans,
    resource=st.builds(Resource, attributes=_attributes),
    scope_spans=st.lists(
        st.builds(ScopeSpans, scope=_scopes, spans=st.lists(_spans, max_size=2), schema_url=_text), max_size=2
    ),
    schema_url=_text,
)
requests = st.builds(ExportTraceServiceRequest, resource_spans=st.lists(_groups, max_size=2))
