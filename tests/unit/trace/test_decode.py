from __future__ import annotations

import base64
import json
import math

import pytest
from hypothesis import given
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from cleanroom.errors import TelemetryError
from cleanroom.trace.decode import decode_traces, encode_jsonl
from cleanroom.trace.model import Origin, SpanEvent, SpanKind, SpanLink, StatusCode
from tests.unit.trace.otlp import SPAN_ID, TRACE_ID, pairs, request, requests

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def decode(document, origin=Origin.SERVICE):
    return decode_traces(json.dumps(document).encode(), JSON, origin)


def one_span(**fields):
    span = {"traceId": TRACE_ID.hex(), "spanId": SPAN_ID.hex(), "name": "s", **fields}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def with_value(value):
    return one_span(attributes=[{"key": "k", "value": value}])


def value_of(value):
    return decode(with_value(value))[0].attributes["k"]


def test_every_field_of_a_protobuf_span_arrives():
    span = ProtoSpan(
        trace_id=TRACE_ID,
        span_id=SPAN_ID,
        parent_span_id=b"\x01" * 8,
        trace_state="a=b",
        flags=0x101,
        name="GET /",
        kind=ProtoSpan.SPAN_KIND_SERVER,
        start_time_unix_nano=2**63 + 1,
        end_time_unix_nano=2**63 + 5,
        attributes=pairs(
            big=AnyValue(int_value=-(2**63)),
            raw=AnyValue(bytes_value=b"\x00\xff"),
            many=AnyValue(
                array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="x"), AnyValue()])
            ),
            map=AnyValue(kvlist_value=KeyValueList(values=pairs(inner=AnyValue(bool_value=False)))),
            empty=AnyValue(string_value=""),
        ),
        dropped_attributes_count=3,
        events=[ProtoSpan.Event(name="e", time_unix_nano=7, attributes=pairs(n=AnyValue(double_value=1.5)))],
        dropped_events_count=4,
        links=[ProtoSpan.Link(trace_id=TRACE_ID, span_id=b"\x02" * 8)],
        dropped_links_count=5,
        status=Status(code=Status.STATUS_CODE_ERROR, message="no"),
    )
    body = request(span, resource=pairs(**{"service.name": AnyValue(string_value="api")})).SerializeToString()
    (found,) = decode_traces(body, PROTOBUF, Origin.RUNNER)
    assert (found.trace_id, found.span_id, found.parent_id) == (TRACE_ID.hex(), SPAN_ID.hex(), "01" * 8)
    assert (found.name, found.kind, found.service, found.origin) == ("GET /", SpanKind.SERVER, "api", Origin.RUNNER)
    assert (found.start_ns, found.end_ns, found.duration_ns) == (2**63 + 1, 2**63 + 5, 4)
    assert dict(found.attributes) == {
        "big": -(2**63),
        "raw": b"\x00\xff",
        "many": (1, "x", None),
        "map": {"inner": False},
        "empty": "",
    }
    assert found.events == (SpanEvent(name="e", time_ns=7, attributes={"n": 1.5}),)
    assert found.links == (SpanLink(trace_id=TRACE_ID.hex(), span_id="02" * 8),)
    assert (found.status, found.status_message) == (StatusCode.ERROR, "no")
    assert (found.trace_state, found.flags) == ("a=b", 0x101)
    assert (found.dropped_attributes, found.dropped_events, found.dropped_links) == (3, 4, 5)
    assert (found.scope.name, found.scope.version) == ("lib", "1.2")


@given(requests)
def test_the_json_line_of_any_protobuf_request_decodes_to_the_same_spans(message):
    body = message.SerializeToString()
    line = encode_jsonl(body, PROTOBUF)
    assert "\n" not in line
    assert decode_traces(line.encode(), JSON, Origin.SERVICE) == decode_traces(body, PROTOBUF, Origin.SERVICE)
    assert encode_jsonl(line.encode(), JSON) == line


def test_the_json_line_has_hex_ids_and_integers_as_text():
    body = request(ProtoSpan(trace_id=TRACE_ID, span_id=SPAN_ID, name="s", start_time_unix_nano=1)).SerializeToString()
    (group,) = json.loads(encode_jsonl(body, PROTOBUF))["resourceSpans"]
    (span,) = group["scopeSpans"][0]["spans"]
    assert span["traceId"] == TRACE_ID.hex()
    assert span["startTimeUnixNano"] == "1"


def test_json_takes_numbers_or_text_for_integers_and_names_or_numbers_for_enumerations():
    text, number = (
        decode(one_span(startTimeUnixNano=time, kind=kind, status={"code": code}))[0]
        for time, kind, code in (("18446744073709551615", "SPAN_KIND_CLIENT", "STATUS_CODE_OK"), (2**64 - 1, 3, 1))
    )
    assert text == number
    assert (text.start_ns, text.kind, text.status) == (2**64 - 1, SpanKind.CLIENT, StatusCode.OK)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"intValue": "9223372036854775807"}, 2**63 - 1),
        ({"intValue": 5}, 5),
        ({"doubleValue": 1}, 1.0),
        ({"doubleValue": "-Infinity"}, -math.inf),
        ({"bytesValue": base64.b64encode(b"\xfb\xff").decode()}, b"\xfb\xff"),
        ({"bytesValue": "-_8"}, b"\xfb\xff"),
        ({"stringValue": "\ud800"}, "\ufffd"),
        ({"stringValue": "\U0001f600"}, "\U0001f600"),
        ({"arrayValue": {}}, ()),
        ({}, None),
    ],
)
def test_json_values(value, expected):
    found = value_of(value)
    assert found == expected
    assert type(found) is type(expected)


def test_nan_survives_as_nan():
    assert math.isnan(value_of({"doubleValue": "NaN"}))


def test_upper_case_ids_and_unknown_keys_and_content_type_parameters_are_taken():
    document = one_span(traceId=TRACE_ID.hex().upper(), parentSpanId="0" * 16, later={"x": 1})
    (span,) = decode_traces(json.dumps(document).encode(), "application/json; charset=utf-8", Origin.SERVICE)
    assert (span.trace_id, span.parent_id) == (TRACE_ID.hex(), "")


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"{", b"hello"])
def test_broken_protobuf_is_named(body):
    with pytest.raises(TelemetryError, match="ExportTraceServiceRequest"):
        decode_traces(body, PROTOBUF, Origin.SERVICE)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"resourceSpans": NaN}', b'{"a": ' + b"1" * 5000 + b"}"]
)
def test_broken_json_is_named(body):
    with pytest.raises(TelemetryError, match="not JSON"):
        decode_traces(body, JSON, Origin.SERVICE)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the document: expected an object"),
        ({"resourceSpans": {}}, "resourceSpans: expected an array"),
        (one_span(traceId="xyz"), r"traceId: expected 32 hex digits, got 'xyz'"),
        (one_span(traceId=base64.b64encode(TRACE_ID).decode()), "traceId: expected 32 hex digits"),
        (one_span(traceId="0" * 32), "traceId is '0+', expected 32 hex digits that are not all zero"),
        (one_span(spanId=""), "spanId is ''"),
        (one_span(name=7), "name: expected text"),
        (one_span(kind=6), r"kind: expected an integer from 0 to 5, got '6'"),
        (one_span(status={"code": "FINE"}), "status.code: expected an integer from 0 to 2"),
        (one_span(startTimeUnixNano=str(2**64)), "startTimeUnixNano: expected an integer"),
        (one_span(startTimeUnixNano=True), "startTimeUnixNano: expected an integer"),
        (with_value({"intValue": "9223372036854775808"}), r"attributes\[0\].value.intValue: expected an integer"),
        (with_value({"intValue": "9" * 10_000}), "intValue: expected an integer"),
        (with_value({"intValue": 1.5}), "intValue: expected an integer"),
        (with_value({"bytesValue": "***"}), "bytesValue: expected base64"),
        (with_value({"doubleValue": 10**400}), "doubleValue: expected a number"),
        (with_value({"boolValue": "true"}), "boolValue: expected true or false"),
        (with_value({"boolValue": True, "intValue": 1}), "expected one kind of value, got 'boolValue, intValue'"),
    ],
)
def test_wrong_json_is_named_with_its_path(document, message):
    with pytest.raises(TelemetryError, match=message):
        decode(document)


def test_values_nested_too_deeply_are_refused():
    value = {"intValue": 1}
    for _ in range(120):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(TelemetryError, match="at most 100 values inside one another"):
        decode(with_value(value))


@pytest.mark.parametrize(("trace_id", "span_id"), [(b"\x01" * 8, SPAN_ID), (TRACE_ID, b""), (bytes(16), SPAN_ID)])
def test_invalid_ids_in_protobuf_are_refused(trace_id, span_id):
    body = request(ProtoSpan(trace_id=trace_id, span_id=span_id, name="bad one")).SerializeToString()
    with pytest.raises(TelemetryError, match="span 'bad one'"):
        decode_traces(body, PROTOBUF, Origin.SERVICE)


def test_an_unknown_status_is_refused_rather_than_read_as_unset():
    body = request(ProtoSpan(trace_id=TRACE_ID, span_id=SPAN_ID, name="s", status=Status(code=7)))
    with pytest.raises(TelemetryError, match="status code is 7"):
        decode_traces(body.SerializeToString(), PROTOBUF, Origin.SERVICE)


def test_another_content_type_is_refused():
    with pytest.raises(TelemetryError, match="'text/plain'"):
        decode_traces(b"", "text/plain", Origin.SERVICE)


def test_a_slow_protobuf_backend_is_refused_with_a_remedy(monkeypatch):
    monkeypatch.setattr("google.protobuf.internal.api_implementation.Type", lambda: "python")
    with pytest.raises(TelemetryError, match="'python' backend") as caught:
        decode_traces(b"", PROTOBUF, Origin.SERVICE)
    assert "wheel" in caught.value.remedy
