from __future__ import annotations

import gzip
import json

import pytest

from cleanroom.errors import TelemetryError, UsageError
from cleanroom.pipeline.recorded import read_recorded, read_trace
from cleanroom.trace.model import Origin
from tests.unit.trace import otlp
from tests.unit.validate.builders import otlp as request
from tests.unit.validate.builders import span

ONE, TWO = request(span(1, "GET /")).body, request(span(2, "SELECT")).body


def proto(name):
    made = otlp.Span(trace_id=otlp.TRACE_ID, span_id=otlp.SPAN_ID, name=name, kind=2, start_time_unix_nano=1)
    return otlp.request(made).SerializeToString()


def framed(*messages):
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(data, name="t"):
        (tmp_path / name).write_bytes(data)
        return name

    return write


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (ONE, ["GET /"]),
        (json.dumps(json.loads(ONE), indent=2).encode(), ["GET /"]),
        (b"\xef\xbb\xbf" + ONE, ["GET /"]),
        (ONE + b"\n", ["GET /"]),
        (ONE + b"\n" + TWO + b"\n", ["GET /", "SELECT"]),
        (ONE + b"\r\n\r\n" + TWO, ["GET /", "SELECT"]),
        (ONE + b"\n" + ONE, ["GET /"]),
        (proto("a"), ["a"]),
        (framed(proto("a")), ["a"]),
        (framed(proto("a"), proto("a")), ["a"]),
    ],
)
def test_every_form_of_a_recording_is_read(data, names, file):
    assert [s.name for s in read_trace([file(data)]).spans] == names


def test_several_files_are_one_recording(file):
    assert [s.name for s in read_trace([file(ONE, "a"), file(TWO, "b")]).spans] == ["GET /", "SELECT"]


def test_metrics_and_logs_keep_their_signal_and_their_place(file):
    data = b'{"resourceMetrics":[]}\n' + ONE + b'\n{"resourceLogs":[]}\n'
    found = read_recorded([file(data)], Origin.RUNNER)
    assert [p.signal for p in found] == ["metrics", "traces", "logs"]
    assert {p.origin for p in found} == {Origin.RUNNER}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{}", "t: no OTLP/JSON"),
        (b'{"spans":[]}', "t: no OTLP/JSON"),
        (b"[]", "t: no OTLP/JSON"),
        (b'{"resourceSpans":', "t: no JSON"),
        (ONE + b"\n{oops}\n", "t:2: no JSON"),
        (ONE + b'\n{"a":1}\n', "t:2: no OTLP/JSON"),
        (ONE + b" " + ONE, "t: no JSON: Extra data"),
        (ONE.replace(b'"spanId": "0000000000000001"', b'"spanId": "0000"'), "t: OTLP/JSON"),
        (ONE + b"\n" + TWO.replace(b"0000000000000002", b"0000000000000000"), "t:2: span 'SELECT': spanId"),
        (b"[" * 200_000, "t: no JSON"),
        (b"hello\n", "message 1"),
        (b"\x00\x00\x00\x09abc", "message 1"),
        (framed(proto("a")) + b"\x00\x00", "message 1"),
        (framed(proto("a"), b"oops"), "message 2"),
        (gzip.compress(ONE), "t is packed with gzip"),
        (b"\x28\xb5\x2f\xfd....", "t is packed with zstd"),
    ],
)
def test_what_is_no_otlp_is_named_by_file_and_line(data, told, file):
    with pytest.raises(TelemetryError) as caught:
        read_recorded([file(data)])
    assert told in str(caught.value)
    assert "what to do" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\n", b'{"resourceSpans":[]}', b'{"resourceLogs":[]}'])
def test_a_recording_without_a_span_is_no_trace(data, file):
    with pytest.raises(TelemetryError, match=r"there is no span in t|message 1"):
        read_trace([file(data)])


@pytest.mark.parametrize("name", ["nowhere", ".", "a\0b", "x\x1b[2Jy"])
def test_a_file_that_cannot_be_read_is_named_safely(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot be read") as caught:
        read_recorded([name])
    assert "\x1b" not in str(caught.value)


def test_metrics_as_protobuf_are_not_taken_for_an_empty_trace(file):
    from opentelemetry.proto.metrics.v1 import metrics_pb2 as proto_metrics  # noqa: PLC0415 -- for this test only

    metric = proto_metrics.Metric(name="sixteen-letters!", description="12345678")
    groups = proto_metrics.ScopeMetrics(metrics=[metric, proto_metrics.Metric(name="orders")])
    data = proto_metrics.MetricsData(resource_metrics=[proto_metrics.ResourceMetrics(scope_metrics=[groups])])
    with pytest.raises(TelemetryError, match="message 1"):
        read_recorded([file(data.SerializeToString())])
