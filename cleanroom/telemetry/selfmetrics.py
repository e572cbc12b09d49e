"""The runner's own metrics: figures of workloads as OTLP gauges, sent to where its spans go."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from cleanroom.errors import TelemetryError
from cleanroom.telemetry.registry import SpanValue

SCOPE: Final = "cleanroom"


class SelfMetrics:
    """Keeps measurements until they are flushed; safe to use from several threads, and no OTEL_* variable has a say."""

    def __init__(self, endpoint: str, resource: Mapping[str, str], timeout: float) -> None:
        session = requests.Session()
        session.trust_env = False
        self._resource = Resource({"service.name": "cleanroom", **resource})
        self._exporter = OTLPMetricExporter(
            endpoint=f"{endpoint}/v1/metrics",
            headers={"content-type": "application/x-protobuf"},
            timeout=timeout,
            compression=Compression.NoCompression,
            session=session,
        )
        self._lock = threading.Lock()
        self._kept: list[Metric] = []

    def gauge(self, name: str, unit: str, value: float, attributes: Mapping[str, SpanValue], at_ns: int) -> None:
        """Keep one measurement, made at `at_ns` (nanoseconds since the epoch)."""
        point = NumberDataPoint(
            attributes=dict(attributes), start_time_unix_nano=at_ns, time_unix_nano=at_ns, value=value
        )
        with self._lock:
            self._kept.append(Metric(name=name, description="", unit=unit, data=Gauge(data_points=[point])))

    def flush(self) -> None:
        """Return when every measurement is at the receiver; raises `TelemetryError` and keeps them otherwise."""
        with self._lock:
            kept, self._kept = self._kept, []
        if kept and self._exporter.export(self._data(kept)) is not MetricExportResult.SUCCESS:
            with self._lock:
                self._kept = kept + self._kept
            raise TelemetryError(
                f"{len(kept)} of the runner's own measurements could not be sent to the receiver",
                remedy="look for a stopped receiver or a loopback interface that is down",
            )

    def _data(self, metrics: Sequence[Metric]) -> MetricsData:
        scope = ScopeMetrics(scope=InstrumentationScope(SCOPE), metrics=metrics, schema_url="")
        whole = ResourceMetrics(resource=self._resource, scope_metrics=[scope], schema_url="")
        return MetricsData(resource_metrics=[whole])

    def close(self) -> None:
        """Close the connection; measurements that were not flushed are gone."""
        self._exporter.shutdown()
