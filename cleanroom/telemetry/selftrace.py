"""The runner's own spans: opentelemetry-sdk and its OTLP exporter, names and attributes held to the registry."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, Protocol

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from cleanroom.clock import Clock
from cleanroom.errors import TelemetryError
from cleanroom.telemetry.registry import SpanValue, check_attributes, check_event, check_parent
from cleanroom.telemetry.selfmetrics import SelfMetrics

SCOPE: Final = "cleanroom"
EXPORT_SECONDS: Final = 5.0
SCENARIO: Final = "cleanroom.scenario"
NO_ATTRIBUTES: Mapping[str, SpanValue] = MappingProxyType({})
_BATCH: Final = 512


class _SystemIds(IdGenerator):
    """Ids from the system's randomness: the SDK's own come from `random`, which hypothesis seeds while it searches."""

    def generate_span_id(self) -> int:
        return secrets.randbelow((1 << 64) - 1) + 1

    def generate_trace_id(self) -> int:
        return secrets.randbelow((1 << 128) - 1) + 1


class ParentSpan(Protocol):
    """A span that another may hang under: one that the same `SelfTrace` started."""

    @property
    def span_id(self) -> str:
        """16 hex digits."""


class RunnerSpan:
    """One span of ours; safe to use from several threads. Changes after its end are mistakes and raise `ValueError`."""

    def __init__(self, span: SdkSpan, clock: Clock, scenario: SpanValue | None) -> None:
        self._span = span
        self._clock = clock
        self.scenario = scenario
        """The `cleanroom.scenario` that spans below inherit."""

    @property
    def name(self) -> str:
        """The span's name."""
        return self._span.name

    @property
    def trace_id(self) -> str:
        """The trace id in lower-case hex."""
        return f"{self._span.get_span_context().trace_id:032x}"

    @property
    def span_id(self) -> str:
        """The span id in lower-case hex."""
        return f"{self._span.get_span_context().span_id:016x}"

    @property
    def traceparent(self) -> str:
        """The W3C `traceparent` under which the spans of services hang below this one."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    def set(self, attributes: Mapping[str, SpanValue]) -> None:
        """Set attributes; raises `ValueError` for one outside the registry."""
        check_attributes(self.name, attributes)
        self._alive()
        self._span.set_attributes(dict(attributes))

    def event(self, name: str, attributes: Mapping[str, SpanValue] = NO_ATTRIBUTES, at_ns: int | None = None) -> None:
        """Add an event now or at `at_ns`; its attributes are of the same registry as the span's."""
        check_event(self.name, name)
        check_attributes(self.name, attributes)
        self._alive()
        self._span.add_event(name, dict(attributes), timestamp=self._clock.now_ns() if at_ns is None else at_ns)

    def error(self, message: str) -> None:
        """Set the status to error with `message`; the first message stays."""
        self._alive()
        if self._span.status.status_code is not StatusCode.ERROR:
            self._span.set_status(Status(StatusCode.ERROR, message))

    def end(self, at_ns: int | None = None) -> None:
        """End the span now or at `at_ns`; ending twice raises `ValueError`."""
        self._alive()
        self._span.end(self._clock.now_ns() if at_ns is None else at_ns)

    @property
    def ended(self) -> bool:
        """Whether the span has ended."""
        return self._span.end_time is not None

    def _alive(self) -> None:
        if self.ended:
            raise ValueError(f"span {self.name!r} has ended already")

    def context(self) -> Context:
        """Return the context for a span right below this one."""
        return set_span_in_context(self._span, Context())


class _Outbox(SpanProcessor):
    """Keeps ended spans until they are flushed: nothing is sent while the system under test is being measured."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            self._ended.append(span)

    def take(self) -> list[ReadableSpan]:
        """Return what has ended since the last call."""
        with self._lock:
            taken, self._ended = self._ended, []
            return taken

    def put_back(self, spans: list[ReadableSpan]) -> None:
        """Keep spans that could not be sent for the next try."""
        with self._lock:
            self._ended = spans + self._ended


class SelfTrace:
    """The runner's spans of one iteration, sent to the `endpoint` that `Telemetry.runner_endpoint` gave.

    `common` are the attributes that every span carries (`cleanroom.suite`, `cleanroom.iteration`); the scenario is
    given once, on its own span, and inherited. There is no current span: a parent is always named. Nothing is global,
    nothing is registered for the end of the process, and no OTEL_* variable or proxy of our environment has a say.
    """

    def __init__(
        self, endpoint: str, resource: Mapping[str, str], common: Mapping[str, SpanValue], clock: Clock
    ) -> None:
        self._clock = clock
        self._common = dict(common)
        self._outbox = _Outbox()
        self._started: dict[str, RunnerSpan] = {}
        self._flushing = threading.Lock()
        self._ids = _SystemIds()
        session = requests.Session()
        session.trust_env = False
        self._exporter = OTLPSpanExporter(
            endpoint=f"{endpoint}/v1/traces",
            headers={"content-type": "application/x-protobuf"},
            timeout=EXPORT_SECONDS,
            compression=Compression.NoCompression,
            session=session,
        )
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({"service.name": "cleanroom", **resource}),
            shutdown_on_exit=False,
            span_limits=_unlimited(),
            id_generator=self._ids,
        )
        provider.add_span_processor(self._outbox)
        self._tracer = provider.get_tracer(SCOPE)
        self._metrics = SelfMetrics(endpoint, resource, EXPORT_SECONDS)

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Mapping[str, SpanValue] = NO_ATTRIBUTES,
        parent: ParentSpan | None = None,
        *,
        start_ns: int | None = None,
    ) -> Iterator[RunnerSpan]:
        """Run the block inside a span; an exception sets its status to error and goes on its way.

        Raises `ValueError` for a name, parent or attribute outside the registry: a mistake of the program.
        """
        span = self.start(name, attributes, parent=parent, start_ns=start_ns)
        try:
            yield span
        except BaseException as err:
            if not span.ended:
                span.error(f"{type(err).__name__}: {err}")
            raise
        finally:
            if not span.ended:
                span.end()

    def start(
        self,
        name: str,
        attributes: Mapping[str, SpanValue] = NO_ATTRIBUTES,
        parent: ParentSpan | None = None,
        *,
        start_ns: int | None = None,
    ) -> RunnerSpan:
        """Return a started span that the caller ends (fault windows); refuses what `span` refuses."""
        above = self._started.get(parent.span_id) if parent else None
        if parent and not above:
            raise ValueError(f"the parent of span {name!r} belongs to another trace")
        check_parent(name, above.name if above else "")
        given = {**self._common, **attributes}
        if above is not None and above.scenario is not None:
            given.setdefault(SCENARIO, above.scenario)
        check_attributes(name, given)
        span = self._tracer.start_span(
            name,
            context=above.context() if above else Context(),
            attributes=given,
            start_time=self._clock.now_ns() if start_ns is None else start_ns,
        )
        if not isinstance(span, SdkSpan):
            raise TelemetryError(
                "the OpenTelemetry SDK gave a span that records nothing",
                remedy="remove OTEL_SDK_DISABLED from the environment of this process",
            )
        started = RunnerSpan(span, self._clock, given.get(SCENARIO))
        self._started[started.span_id] = started
        return started

    def issue_trace(self) -> tuple[str, str]:
        """Return a fresh trace id and a `traceparent` in it, for traffic that stays out of digests (spec section 7)."""
        trace_id = f"{self._ids.generate_trace_id():032x}"
        return trace_id, f"00-{trace_id}-{self._ids.generate_span_id():016x}-01"

    def measure(self, name: str, unit: str, value: float, attributes: Mapping[str, SpanValue]) -> None:
        """Keep one measurement, with what every span carries, until the flush."""
        self._metrics.gauge(name, unit, value, {**self._common, **attributes}, self._clock.now_ns())

    def flush(self) -> None:
        """Return when every ended span and every measurement is at the receiver.

        Raises `TelemetryError` and keeps them otherwise.
        """
        with self._flushing:
            spans = self._outbox.take()
            for first in range(0, len(spans), _BATCH):
                batch = spans[first : first + _BATCH]
                if self._exporter.export(batch) is not SpanExportResult.SUCCESS:
                    self._outbox.put_back(spans[first:])
                    raise TelemetryError(
                        f"{len(spans) - first} of the runner's own spans could not be sent to the receiver",
                        remedy="look for a stopped receiver or a loopback interface that is down",
                    )
            self._metrics.flush()

    def close(self) -> None:
        """Close the connection; spans that were not flushed are gone."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        self._metrics.close()


def _unlimited() -> SpanLimits:
    """Limits that no OTEL_* variable of our environment can lower: a dropped attribute would be evidence gone."""
    unset = SpanLimits.UNSET
    return SpanLimits(
        max_attributes=unset,
        max_events=unset,
        max_links=unset,
        max_span_attributes=unset,
        max_event_attributes=unset,
        max_link_attributes=unset,
        max_attribute_length=unset,
        max_span_attribute_length=unset,
    )
