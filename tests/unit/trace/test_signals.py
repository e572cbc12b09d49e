"""Metrics and log records: both encodings give the same, and nothing is rounded or taken for something else."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as ProtoRecord
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from cleanroom.errors import TelemetryError
from cleanroom.trace.logs import LogRecord, decode_logs
from cleanroom.trace.metrics import (
    Buckets,
    ExponentialHistogram,
    Histogram,
    Metric,
    Number,
    Summary,
    Temporality,
    decode_metrics,
)
from cleanroom.trace.model import Origin
from tests.unit.trace.otlp import values

PROTOBUF, JSON = "application/x-protobuf", "application/json"
RESOURCE = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="api"))])
_u64, _u32 = st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)
_doubles = st.floats(allow_nan=False)
_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
_attributes = st.dictionaries(_text, values, max_size=2).map(lambda d: [KeyValue(key=k, value=v) for k, v in d.items()])
_common = {"attributes": _attributes, "start_time_unix_nano": _u64, "time_unix_nano": _u64, "flags": _u32}
_sums = {"count": _u64, "sum": _doubles, "min": _doubles, "max": _doubles}
_numbers = st.one_of(
    st.builds(pb.NumberDataPoint, as_int=st.integers(-(2**63), 2**63 - 1), **_common),
    st.builds(pb.NumberDataPoint, as_double=_doubles, **_common),
    st.builds(pb.NumberDataPoint, **_common),
)
_histograms = st.one_of(
    st.builds(
        pb.HistogramDataPoint,
        bucket_counts=st.lists(_u64, max_size=3),
        explicit_bounds=st.lists(_doubles, max_size=2),
        **_common,
        **_sums,
    ),
    st.builds(pb.HistogramDataPoint, count=_u64, **_common),
)
_buckets = st.builds(
    pb.ExponentialHistogramDataPoint.Buckets,
    offset=st.integers(-(2**31), 2**31 - 1),
    bucket_counts=st.lists(_u64, max_size=3),
)
_exponential = st.builds(
    pb.ExponentialHistogramDataPoint,
    scale=st.integers(-10, 20),
    zero_count=_u64,
    zero_threshold=_doubles,
    positive=_buckets,
    negative=_buckets,
    **_common,
    **_sums,
)
_quantiles = st.builds(pb.SummaryDataPoint.ValueAtQuantile, quantile=_doubles, value=_doubles)
_summaries = st.builds(
    pb.SummaryDataPoint, count=_u64, sum=_doubles, quantile_values=st.lists(_quantiles, max_size=2), **_common
)
_temporality = st.integers(0, 2)
_metrics = st.one_of(
    st.builds(pb.Metric, name=_text, unit=_text, gauge=st.builds(pb.Gauge, data_points=st.lists(_numbers, max_size=2))),
    st.builds(
        pb.Metric,
        name=_text,
        sum=st.builds(
            pb.Sum,
            data_points=st.lists(_numbers, max_size=2),
            aggregation_temporality=_temporality,
            is_monotonic=st.booleans(),
        ),
    ),
    st.builds(
        pb.Metric,
        name=_text,
        histogram=st.builds(
            pb.Histogram, data_points=st.lists(_histograms, max_size=2), aggregation_temporality=_temporality
        ),
    ),
    st.builds(
        pb.Metric,
        name=_text,
        exponential_histogram=st.builds(
            pb.ExponentialHistogram,
            data_points=st.lists(_exponential, max_size=2),
            aggregation_temporality=_temporality,
        ),
    ),
    st.builds(pb.Metric, name=_text, summary=st.builds(pb.Summary, data_points=st.lists(_summaries, max_size=2))),
    st.builds(pb.Metric, name=_text, description=_text),
)
_records = st.builds(
    ProtoRecord,
    time_unix_nano=_u64,
    observed_time_unix_nano=_u64,
    severity_number=st.integers(0, 24),
    severity_text=_text,
    body=values,
    attributes=_attributes,
    dropped_attributes_count=_u32,
    flags=_u32,
    trace_id=st.one_of(st.just(b""), st.binary(min_size=16, max_size=16)),
    span_id=st.one_of(st.just(b""), st.binary(min_size=8, max_size=8)),
    event_name=_text,
)


def metrics_request(*metrics: pb.Metric) -> ExportMetricsServiceRequest:
    scoped = pb.ScopeMetrics(scope=InstrumentationScope(name="lib", version="2"), metrics=metrics)
    return ExportMetricsServiceRequest(resource_metrics=[pb.ResourceMetrics(resource=RESOURCE, scope_metrics=[scoped])])


def logs_request(*records: ProtoRecord) -> ExportLogsServiceRequest:
    scoped = ScopeLogs(scope=InstrumentationScope(name="lib", version="2"), log_records=records)
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=RESOURCE, scope_logs=[scoped])])


def only(metric: pb.Metric) -> Metric:
    (found,) = decode_metrics(metrics_request(metric).SerializeToString(), PROTOBUF, Origin.SERVICE)
    return found


@given(st.lists(_metrics, max_size=3))
def test_metrics_decode_alike_from_both_encodings(metrics):
    request = metrics_request(*metrics)
    text = json.dumps(MessageToDict(request)).encode()
    found = decode_metrics(request.SerializeToString(), PROTOBUF, Origin.SERVICE)
    assert found == decode_metrics(text, JSON, Origin.SERVICE)
    assert [len(metric.points) for metric in found] == [_points(metric) for metric in metrics]


def _points(metric: pb.Metric) -> int:
    which = metric.WhichOneof("data")
    return len(getattr(metric, which).data_points) if which else 0


@given(st.lists(_records, max_size=3))
def test_log_records_decode_alike_from_both_encodings(records):
    request = logs_request(*records)
    document = MessageToDict(request)
    for node, record in zip(document["resourceLogs"][0]["scopeLogs"][0].get("logRecords", []), records, strict=True):
        # The OTLP specification writes ids in hex, where proto3 JSON writes base64.
        node |= {"traceId": record.trace_id.hex(), "spanId": record.span_id.hex()}
    found = decode_logs(request.SerializeToString(), PROTOBUF, Origin.SERVICE)
    assert found == decode_logs(json.dumps(document).encode(), JSON, Origin.SERVICE)
    assert [record.body is None for record in found] == [r.body.WhichOneof("value") is None for r in records]


def test_a_sum_keeps_integers_exact_and_says_what_it_counts():
    points = [
        pb.NumberDataPoint(as_int=2**63 - 1, start_time_unix_nano=1, time_unix_nano=2**63),
        pb.NumberDataPoint(as_int=0, time_unix_nano=3),
        pb.NumberDataPoint(time_unix_nano=4),
    ]
    found = only(
        pb.Metric(
            name="orders",
            unit="{order}",
            sum=pb.Sum(
                data_points=points,
                aggregation_temporality=pb.AGGREGATION_TEMPORALITY_DELTA,
                is_monotonic=True,
            ),
        )
    )
    assert (found.name, found.unit, found.kind, found.monotonic) == ("orders", "{order}", "sum", True)
    assert (found.temporality, found.resource.service, found.scope.name) == (Temporality.DELTA, "api", "lib")
    assert [point.measurement for point in found.points] == [
        Number(value=2**63 - 1),
        Number(value=0),
        Number(value=None),
    ]
    assert [point.recorded for point in found.points] == [True, True, False]
    assert (found.points[0].start_ns, found.points[0].time_ns) == (1, 2**63)


def test_both_histograms_and_a_summary_keep_all_that_they_say():
    plain = pb.HistogramDataPoint(count=3, sum=1.5, max=1.0, bucket_counts=[1, 2], explicit_bounds=[0.5])
    assert only(pb.Metric(name="h", histogram=pb.Histogram(data_points=[plain]))).points[0].measurement == Histogram(
        count=3, total=1.5, low=None, high=1.0, bounds=(0.5,), buckets=(1, 2)
    )
    side = pb.ExponentialHistogramDataPoint.Buckets(offset=-2, bucket_counts=[1, 2**40])
    wide = pb.ExponentialHistogramDataPoint(count=4, sum=0.0, scale=3, zero_count=1, positive=side)
    found = only(pb.Metric(name="e", exponential_histogram=pb.ExponentialHistogram(data_points=[wide])))
    assert found.kind == "exponential histogram"
    assert found.points[0].measurement == ExponentialHistogram(
        count=4, total=0.0, scale=3, zero_count=1, positive=Buckets(offset=-2, counts=(1, 2**40))
    )
    quantile = pb.SummaryDataPoint.ValueAtQuantile(quantile=0.99, value=7.5)
    short = pb.SummaryDataPoint(count=2, sum=9.0, quantile_values=[quantile])
    assert only(pb.Metric(name="s", summary=pb.Summary(data_points=[short]))).points[0].measurement == Summary(
        count=2, total=9.0, quantiles=((0.99, 7.5),)
    )


def test_a_point_without_recorded_value_is_none():
    ended = pb.NumberDataPoint(as_int=5, flags=1)
    assert not only(pb.Metric(name="g", gauge=pb.Gauge(data_points=[ended]))).points[0].recorded


@pytest.mark.parametrize(
    ("number", "text", "severity"),
    [(0, "", ""), (1, "", "TRACE"), (9, "", "INFO"), (12, "", "INFO"), (17, "", "ERROR"), (24, "", "FATAL"),
     (17, "Critical", "Critical"), (0, "warn", "warn"), (99, "", "")],
)  # fmt: skip
def test_the_senders_own_word_for_a_severity_wins(number, text, severity):
    assert LogRecord(severity_number=number, severity_text=text).severity == severity


@pytest.mark.parametrize(
    ("written", "number"), [("SEVERITY_NUMBER_INFO2", 10), ("SEVERITY_NUMBER_UNSPECIFIED", 0), (17, 17)]
)
def test_json_takes_a_severity_by_name_or_number(written, number):
    assert logs_json({"severityNumber": written})[0].severity_number == number


def test_a_record_is_placed_by_its_own_time_else_by_the_observed_one():
    early, seen = logs_json({"timeUnixNano": "5", "observedTimeUnixNano": "9"}, {"observedTimeUnixNano": "9"})
    assert (early.moment_ns, seen.moment_ns, LogRecord().moment_ns) == (5, 9, 0)


def logs_json(*records: dict[str, Any]) -> tuple[LogRecord, ...]:
    document = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    return decode_logs(json.dumps(document).encode(), JSON, Origin.SERVICE)


def metric_json(**metric: Any) -> tuple[Metric, ...]:
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", **metric}]}]}]}
    return decode_metrics(json.dumps(document).encode(), JSON, Origin.SERVICE)


def test_not_a_number_and_infinities_of_json_are_read():
    (found,) = metric_json(gauge={"dataPoints": [{"asDouble": "NaN"}, {"asDouble": "-Infinity"}, {"asInt": "7"}]})
    nan, low, seven = (point.measurement.value for point in found.points)
    assert math.isnan(nan)
    assert (low, seven) == (-math.inf, 7)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ({"gauge": []}, r"metrics\[0\].gauge: expected an object"),
        ({"gauge": {"dataPoints": {}}}, "dataPoints: expected an array"),
        ({"gauge": {"dataPoints": [{"asInt": str(2**63)}]}}, "asInt: expected an integer"),
        ({"gauge": {"dataPoints": [{"asDouble": "much"}]}}, "asDouble: expected a number"),
        ({"sum": {"aggregationTemporality": 3}}, "aggregationTemporality: expected an integer from 0 to 2"),
        ({"sum": {"isMonotonic": 1}}, "isMonotonic: expected true or false"),
        ({"histogram": {"dataPoints": [{"count": "-1"}]}}, "count: expected an integer from 0"),
        ({"histogram": {"dataPoints": [{"bucketCounts": 3}]}}, "bucketCounts: expected an array"),
        ({"histogram": {"dataPoints": [{"bucketCounts": [1, "x"]}]}}, r"bucketCounts\[1\]: expected an integer"),
        ({"exponentialHistogram": {"dataPoints": [{"scale": 2**31}]}}, "scale: expected an integer"),
        ({"summary": {"dataPoints": [{"quantileValues": [{"value": True}]}]}}, "value: expected a number"),
    ],
)
def test_a_wrong_metric_is_named_with_its_path(metric, message):
    with pytest.raises(TelemetryError, match=message):
        metric_json(**metric)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"severityNumber": 25}, "severityNumber: expected an integer from 0 to 24"),
        ({"severityNumber": "LOUD"}, "severityNumber: expected an integer"),
        ({"body": "text"}, "body: expected an object"),
        ({"traceId": "xyz"}, "traceId: expected 32 hex digits"),
        ({"severityText": 5}, "severityText: expected text"),
    ],
)
def test_a_wrong_log_record_is_named_with_its_path(record, message):
    with pytest.raises(TelemetryError, match=message):
        logs_json(record)


@pytest.mark.parametrize(
    ("decode", "name"), [(decode_metrics, "ExportMetricsServiceRequest"), (decode_logs, "ExportLogsServiceRequest")]
)
def test_broken_protobuf_is_named(decode, name):
    with pytest.raises(TelemetryError, match=name):
        decode(b"\xff\xff\xff", PROTOBUF, Origin.SERVICE)


def test_an_unknown_temporality_is_refused():
    metric = pb.Metric(name="m", sum=pb.Sum(data_points=[pb.NumberDataPoint(as_int=1)], aggregation_temporality=7))
    with pytest.raises(TelemetryError, match="aggregation temporality is 7"):
        only(metric)
