"""Spans read straight from protobuf are what the tree says of the same bytes (by way of its JSON)."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from cleanroom.errors import TelemetryError
from cleanroom.trace import otlp_spans
from cleanroom.trace.decode import TraceDecoder, decode_traces, encode_jsonl
from cleanroom.trace.model import Origin
from tests.unit.trace.otlp import SPAN_ID, TRACE_ID, pairs, request, requests

PROTOBUF = "application/x-protobuf"


def by_tree(body):
    return decode_traces(encode_jsonl(body, PROTOBUF).encode(), "application/json", Origin.SERVICE)


def sent(**fields):
    return Span(trace_id=TRACE_ID, span_id=SPAN_ID, name="s", **fields)


def field(number, data):
    """A message or text as it stands in another; the library writes none so deep."""
    size, length = len(data), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def nested(depth):
    value = AnyValue(int_value=1).SerializeToString()
    for _ in range(depth):
        value = field(5, field(1, value))
    attribute = field(9, field(1, b"deep") + field(2, value))
    return field(1, field(2, field(2, sent().SerializeToString() + attribute)))


@given(st.lists(requests, max_size=4), st.sampled_from([0, 1, 65536]))
def test_requests_one_after_another_are_read_as_each_alone_however_little_is_remembered(messages, remembered):
    decoder = TraceDecoder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(otlp_spans, "_REMEMBERED", remembered)
        for message in messages:
            body = message.SerializeToString()
            assert tuple(decoder.decode(body, PROTOBUF, Origin.SERVICE)) == by_tree(body)


def test_what_is_equal_is_one_value():
    body = request(sent(attributes=pairs(k=AnyValue(string_value="v")), parent_span_id=b"\1" * 8)).SerializeToString()
    decoder = TraceDecoder()
    (one,), (other,) = (decoder.decode(body, PROTOBUF, Origin.SERVICE) for _ in range(2))
    assert one == other
    for name in ("resource", "scope", "trace_id", "parent_id", "name"):
        assert getattr(one, name) is getattr(other, name)
    assert one.attributes["k"] is other.attributes["k"]


def test_a_message_that_is_sent_in_parts_is_whole():
    parts = [
        ResourceSpans(resource=Resource(attributes=pairs(a=AnyValue(string_value="x")))),
        ResourceSpans(resource=Resource(attributes=pairs(b=AnyValue(string_value="y")))),
        ResourceSpans(
            scope_spans=[
                ScopeSpans(spans=[Span.FromString(sent(status=Status(code=2)).SerializeToString())]),
            ]
        ),
    ]
    inner = b"".join(part.SerializeToString() for part in parts)
    body = field(1, inner)
    (span,) = decode_traces(body, PROTOBUF, Origin.SERVICE)
    assert dict(span.resource.attributes) == {"a": "x", "b": "y"}
    assert (span,) == by_tree(body)


def test_spans_cannot_be_changed():
    (span,) = decode_traces(request(sent()).SerializeToString(), PROTOBUF, Origin.SERVICE)
    with pytest.raises(FrozenInstanceError):
        span.name = "other"
    with pytest.raises(TypeError):
        span.attributes["k"] = 1
    assert replace(span, name="other").name == "other"


def test_of_a_key_that_comes_twice_the_last_value_counts():
    twice = [KeyValue(key="k", value=AnyValue(int_value=n)) for n in (1, 2)]
    (span,) = decode_traces(request(sent(attributes=twice)).SerializeToString(), PROTOBUF, Origin.SERVICE)
    assert dict(span.attributes) == {"k": 2}


@pytest.mark.parametrize("depth", range(40, 60))
def test_values_within_values_are_refused_at_the_depth_at_which_the_tree_refuses_them(depth):
    def outcome(read):
        try:
            return read()
        except TelemetryError as err:
            return err.message

    body = nested(depth)
    assert ("sent as OTLP protobuf are not" in str(outcome(lambda: by_tree(body)))) == (depth >= 48)
    assert outcome(lambda: decode_traces(body, PROTOBUF, Origin.SERVICE)) == outcome(lambda: by_tree(body))


@pytest.mark.parametrize(
    "broken",
    [
        sent(attributes=pairs(key=AnyValue(string_value="good"))),
        sent(events=[Span.Event(name="good")]),
        sent(trace_state="good"),
        sent(status=Status(message="good")),
        sent(links=[Span.Link(trace_id=TRACE_ID, span_id=SPAN_ID, trace_state="good")]),
    ],
    ids=["attribute", "event", "trace state", "status", "link"],
)
def test_text_that_is_no_utf8_is_refused_wherever_it_is(broken):
    body = request(broken).SerializeToString().replace(b"good", b"\xff\xfe\xfd\xfc")
    with pytest.raises(TelemetryError, match="are not an ExportTraceServiceRequest"):
        decode_traces(body, PROTOBUF, Origin.SERVICE)


def test_a_broken_resource_or_scope_is_refused():
    group = ResourceSpans(
        resource=Resource(attributes=pairs(key=AnyValue(string_value="good"))),
        scope_spans=[ScopeSpans(scope=InstrumentationScope(name="well"), spans=[sent()])],
    )
    inner = group.SerializeToString()
    for word in (b"good", b"well"):
        broken = inner.replace(word, b"\xff\xfe\xfd\xfc")
        with pytest.raises(TelemetryError, match="are not an ExportTraceServiceRequest"):
            decode_traces(field(1, broken), PROTOBUF, Origin.SERVICE)


def test_an_unknown_kind_and_a_parent_id_of_another_length_are_told_by_the_tree():
    for fields, message in (({"kind": 9}, "kind is 9"), ({"parent_span_id": b"\1" * 4}, "parentSpanId is '01010101'")):
        body = request(sent(**fields)).SerializeToString()
        with pytest.raises(TelemetryError, match=message):
            decode_traces(body, PROTOBUF, Origin.SERVICE)
    (span,) = decode_traces(request(sent(parent_span_id=bytes(8))).SerializeToString(), PROTOBUF, Origin.SERVICE)
    assert span.parent_id == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.update(k="w"),
        lambda found: found.__setitem__("k", "w"),
        lambda found: found.__delitem__("k"),
        lambda found: found.__ior__({"k": "w"}),
        lambda found: found.setdefault("j", "w"),
        lambda found: found.pop("k"),
        lambda found: found.popitem(),
        lambda found: found.clear(),
    ],
    ids=["update", "set", "delete", "join", "setdefault", "pop", "popitem", "clear"],
)
def test_attributes_as_they_were_sent_cannot_be_changed(change):
    body = request(sent(attributes=pairs(k=AnyValue(string_value="v")))).SerializeToString()
    for attributes in (decode_traces(body, PROTOBUF, Origin.SERVICE)[0].attributes, by_tree(body)[0].attributes):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(attributes)
        assert attributes == {"k": "v"}


@pytest.mark.parametrize(
    "attribute",
    [
        field(1, b"k") + field(2, field(1, b"v")),
        field(2, field(1, b"v")) + field(1, b"k"),  # the value comes first
        field(1, b"j") + field(1, b"k") + field(2, field(1, b"v")),  # the key comes twice
        field(1, b"k") + field(2, field(1, b"u") + field(1, b"v")),  # the text comes twice
        field(1, b"k") + field(2, field(1, b"u")) + field(2, field(1, b"v")),  # the value comes in parts
        field(1, b"k") + field(2, b""),
        field(1, b"k") + field(2, field(1, b"")),
        field(2, field(1, b"v")),
        field(1, b"k" * 127) + field(2, field(1, b"v")),
        field(1, b"k" * 128) + field(2, field(1, b"v")),
        field(1, b"k" * 130) + field(2, field(1, b"v")),
        field(1, b"k") + field(2, field(1, b"v" * 122)),
        field(1, b"k") + field(2, field(1, b"v" * 127)),
        field(1, b"k") + field(2, field(1, b"v" * 128)),
        field(1, b"k") + field(2, field(1, b"v" * 400)),
        field(1, b"k") + field(2, field(7, b"v")),  # bytes
        field(1, b"k") + field(2, b"\x18\x2a"),  # a number
        field(1, b"k") + field(2, b"\x18\xaa\x00"),
        field(1, b"k") + field(2, b"\x18\xff\xff\x7f"),
        field(1, b"k") + field(2, b"\x18\x80\x80\x02"),  # the first of a port's numbers that clients have
        field(1, b"k") + field(2, b"\x18\xaa\x80\x00"),
        field(1, b"k") + field(2, b"\x18\x01\x18\x02"),  # the number comes twice
        field(1, b"k") + field(2, b"\x18\x01") + field(2, b""),
        field(1, b"k") + field(2, b"\x18\x80\x80\x80\x01"),
        field(1, b"k") + field(2, b"\x18" + b"\xff" * 9 + b"\x01"),
        field(1, b"k") + field(2, b"\x10\x80\x80\x02"),  # a boolean
        b"",
    ],
    ids=lambda attribute: f"{attribute[:4].hex()}:{len(attribute)}:{attribute[-4:].hex()}",
)
def test_an_attribute_is_read_alike_however_it_is_written(attribute):
    body = field(1, field(2, field(2, sent().SerializeToString() + field(9, attribute))))
    assert list(TraceDecoder().decode(body, PROTOBUF, Origin.SERVICE)) == list(by_tree(body))


def test_a_short_text_that_is_no_text_is_no_request():
    attribute = field(1, b"k") + field(2, field(1, b"\xff"))
    body = field(1, field(2, field(2, sent().SerializeToString() + field(9, attribute))))
    with pytest.raises(TelemetryError):
        decode_traces(body, PROTOBUF, Origin.SERVICE)
