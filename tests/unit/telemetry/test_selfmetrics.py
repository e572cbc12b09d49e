"""The runner's own measurements arrive as OTLP gauges where its spans arrive, with what every span carries."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from cleanroom.clock import SystemClock
from cleanroom.errors import TelemetryError
from cleanroom.telemetry.inbox import Inbox
from cleanroom.telemetry.receiver import loopback_route, runner_path, serve
from cleanroom.telemetry.selftrace import SelfTrace

ENVIRONMENT = "suite.0"
COMMON = {"cleanroom.suite": "shop", "cleanroom.iteration": 3}


@pytest.fixture
def inbox():
    box = Inbox((0,), SystemClock(), 1 << 22)
    box.admit_runner(ENVIRONMENT)
    return box


def traced(port):
    return SelfTrace(f"http://127.0.0.1:{port}{runner_path(ENVIRONMENT)}", {}, COMMON, SystemClock())


def arrived(inbox):
    return [
        (resource, metric)
        for payload in inbox.payloads(ENVIRONMENT)
        if payload.signal == "metrics"
        for resource in ExportMetricsServiceRequest.FromString(payload.body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


def test_a_measurement_arrives_with_the_flush_and_once(inbox):
    with serve("127.0.0.1", 0, loopback_route(inbox)) as port:
        trace = traced(port)
        trace.measure("cleanroom.resilience.latency.p99", "s", 0.4, {"cleanroom.journal": "orders"})
        assert arrived(inbox) == []
        trace.flush()
        trace.flush()
        trace.close()
    ((resource, metric),) = arrived(inbox)
    (point,) = metric.gauge.data_points
    assert (metric.name, metric.unit, point.as_double) == ("cleanroom.resilience.latency.p99", "s", 0.4)
    keys = {a.key: a.value.string_value or a.value.int_value for a in point.attributes}
    assert keys == {**COMMON, "cleanroom.journal": "orders"}
    assert point.time_unix_nano > 0
    assert {a.key: a.value.string_value for a in resource.resource.attributes} == {"service.name": "cleanroom"}


def test_what_cannot_be_sent_is_an_error_and_kept(inbox, monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL)
    with serve("127.0.0.1", 0, loopback_route(inbox)) as port:
        trace = traced(port)
        trace.measure("cleanroom.resilience.operations", "{operation}", 20, {})
        monkeypatch.setattr(inbox, "_max_bytes", 0)
        with pytest.raises(TelemetryError, match="1 of the runner's own measurements could not be sent"):
            trace.flush()
        monkeypatch.undo()
        trace.flush()
        trace.close()
    assert [metric.name for _, metric in arrived(inbox)] == ["cleanroom.resilience.operations"]
