"""What one judgement looks at: the spans of a scenario (or of a whole iteration) and the facts beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from cleanroom.errors import TelemetryError
from cleanroom.garbage import uncollected
from cleanroom.plan.model import Plan
from cleanroom.run.record import IterationRecord, ScenarioRecord
from cleanroom.spec.service import Service
from cleanroom.telemetry.ports import Payload
from cleanroom.trace.decode import TraceDecoder
from cleanroom.trace.model import RESERVED_PREFIX, Origin, Span, SpanId, Trace, once
from cleanroom.validate.clocks import clocks_of
from cleanroom.validate.index import SpanIndex
from cleanroom.validate.occurrence import FaultState, merged, occurrences, states
from cleanroom.validate.sent import Period, Sent

ITERATION_SPAN = "cleanroom.iteration"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The value to judge: a trace and the records, service names and fault windows that belong to it."""

    trace: Trace
    scenarios: tuple[ScenarioRecord, ...] = ()
    """One for a scenario's scene, all of them for the iteration's."""
    services: tuple[str, ...] = ()
    """Every `service.name` that the spec declares."""
    faults: Mapping[str, FaultState] = field(default_factory=lambda: MappingProxyType({}))
    malformed: tuple[str, ...] = ()
    """What could not be decoded, one line each."""
    shared: bool = False
    """All scenarios ran in one environment, so that teardown is recorded once for all of them."""
    sent: Sent = field(default_factory=Sent)
    """What services sent besides spans; of a shared environment all of it."""
    period: Period = field(default_factory=Period)
    """Of a shared environment's metrics and logs, the time that counts to this scenario; else all time."""
    service_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Name of a service in the spec → its `service.name`, where it was declared."""

    @cached_property
    def service_spans(self) -> tuple[Span, ...]:
        """The spans that services sent."""
        return self.trace.service_spans

    @cached_property
    def runner_spans(self) -> tuple[Span, ...]:
        """The runner's own spans."""
        return tuple([s for s in self.trace.spans if s.origin is Origin.RUNNER])

    @cached_property
    def of_services(self) -> SpanIndex:
        """The spans that services sent, by what selectors ask of them."""
        return SpanIndex(self.service_spans)

    @cached_property
    def of_runner(self) -> SpanIndex:
        """The runner's own spans, by what selectors ask of them."""
        return SpanIndex(self.runner_spans)

    @cached_property
    def forged(self) -> tuple[Span, ...]:
        """Service spans that pass themselves off as the runner's, by name or by id."""
        own = {(s.trace_id, s.span_id) for s in self.runner_spans}
        return tuple(
            s for s in self.service_spans if s.name.startswith(RESERVED_PREFIX) or (s.trace_id, s.span_id) in own
        )

    @cached_property
    def _runner_by_id(self) -> Mapping[SpanId, Span]:
        return {(s.trace_id, s.span_id): s for s in self.runner_spans}

    def parent(self, span: Span) -> Span | None:
        """Return the parent over both populations; the runner's own span wins over a forged one of the same id."""
        if not span.parent_id:
            return None
        own = self._runner_by_id.get((span.trace_id, span.parent_id)) if self._runner_by_id else None
        if own is not None:
            return own
        found = self.trace.by_trace.get(span.trace_id)
        return None if found is None else found.get(span.parent_id)

    def parents(self, spans: Iterable[Span]) -> Iterator[Span | None]:
        """Return the parent of each, as `parent`: many are found in half the time."""
        if self._runner_by_id:
            return map(self.parent, spans)
        found, nobody = self.trace.by_trace.get, dict[str, Span]()
        return (found(s.trace_id, nobody).get(s.parent_id) if s.parent_id else None for s in spans)

    def ancestors(self, span: Span) -> tuple[Span, ...]:
        """Return all ancestors, nearest first; ends at a cycle."""
        return self.nearest_ancestors(span, len(self.trace.spans))

    def nearest_ancestors(self, span: Span, most: int) -> tuple[Span, ...]:
        """Return at most so many ancestors, nearest first; ends at a cycle."""
        found: list[Span] = []
        seen = {(span.trace_id, span.span_id)}
        current = self.parent(span)
        while current is not None and len(found) < most and (current.trace_id, current.span_id) not in seen:
            seen.add((current.trace_id, current.span_id))
            found.append(current)
            current = self.parent(current)
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """The scenes of one iteration: one per recorded scenario, in order, and the iteration's own."""

    scenarios: tuple[Scene, ...]
    whole: Scene


@dataclass(frozen=True, slots=True)
class _Decoded:
    spans: tuple[Span, ...]
    malformed: tuple[str, ...]


def build_scenes(plan: Plan, iteration: IterationRecord) -> Scenes:
    """Decode everything that arrived in `iteration` once and return its scenes.

    A scenario's trace is what its environment sent, the runner's spans at and under its `cleanroom.scenario` span, and
    the iteration's root (spec.md section 4). In a shared environment a span's ancestors decide, else the time.
    """
    runner = _decode(iteration.runner_payloads)
    shared = plan.suite.environment == "suite"
    service_names = {service.name: _declared(service) for service in plan.suite.services}
    clocks = tuple(clocks_of(plan, record, service_names) for record in iteration.scenarios)
    if shared:
        pool = _decode(_distinct(p for record in iteration.scenarios for p in record.payloads))
        pool = _Decoded(clocks[0].corrected(pool.spans) if clocks else pool.spans, pool.malformed)
        sent = tuple(_Decoded(part, pool.malformed) for part in _assign(pool.spans, runner.spans, iteration.scenarios))
        besides = [Sent(_distinct(p for record in iteration.scenarios for p in record.payloads))] * len(sent)
        periods = _periods(runner.spans, iteration.scenarios)
    else:
        decoded = zip(map(_decode, (record.payloads for record in iteration.scenarios)), clocks, strict=True)
        sent = tuple(_Decoded(clock.corrected(part.spans), part.malformed) for part, clock in decoded)
        besides = [Sent(record.payloads) for record in iteration.scenarios]
        periods = (Period(),) * len(sent)
    services = declared_services(plan)
    roots = tuple(s for s in runner.spans if s.name == ITERATION_SPAN and not s.parent_id)
    scenes = tuple(
        Scene(
            trace=Trace.of((*decoded.spans, *_under(record, runner.spans), *roots)),
            scenarios=(record,),
            services=services,
            faults=states(occurrences(plan.timeline(record.name), record.faults)),
            malformed=(*decoded.malformed, *runner.malformed),
            shared=shared,
            sent=other,
            period=period,
            service_names=service_names,
        )
        for record, decoded, other, period in zip(iteration.scenarios, sent, besides, periods, strict=True)
    )
    whole = Scene(
        trace=Trace.of((*(s for decoded in sent for s in decoded.spans), *runner.spans)),
        scenarios=iteration.scenarios,
        services=services,
        faults=merged(scene.faults for scene in scenes),
        shared=shared,
        sent=Sent(_distinct(p for record in iteration.scenarios for p in record.payloads)),
        service_names=service_names,
    )
    return Scenes(scenarios=scenes, whole=whole)


def declared_services(plan: Plan) -> tuple[str, ...]:
    """Return every `service.name` that the suite declares; a service's own `environment` has the last word."""
    return tuple(sorted({_declared(service) for service in plan.suite.services}))


def _declared(service: Service) -> str:
    own = service.environment
    attributes = dict(a.strip().split("=", 1) for a in own.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",") if "=" in a)
    names = (own.get("OTEL_SERVICE_NAME"), attributes.get("service.name"), service.telemetry.service_name)
    return next((name for name in names if name), service.name)


def decode_service_spans(payloads: Iterable[Payload]) -> tuple[Span, ...]:
    """Return the spans of `payloads`, each once; what cannot be decoded is left out (judging reports it)."""
    return _decode(payloads).spans


def _decode(payloads: Iterable[Payload]) -> _Decoded:
    spans: list[Span] = []
    malformed: list[str] = []
    decoder = TraceDecoder()
    with uncollected():
        for number, payload in enumerate(payloads, start=1):
            if payload.signal != "traces":
                continue
            try:
                spans.extend(decoder.decode(payload.body, payload.content_type, payload.origin))
            except TelemetryError as err:
                told = f"request {number} ({payload.content_type}, {len(payload.body)} bytes): {err.message}"
                malformed.append(told)
        return _Decoded(once(spans), tuple(malformed))


def _distinct(payloads: Iterable[Payload]) -> tuple[Payload, ...]:
    return tuple(dict.fromkeys(payloads))


def _under(record: ScenarioRecord, runner: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return the scenario's own span and everything of the runner's below it."""
    own = Trace.of(runner)
    top = own.find(record.trace_id, record.span_id)
    found: dict[SpanId, Span] = {}
    stack = [top] if top is not None else []
    while stack:
        span = stack.pop()
        if (span.trace_id, span.span_id) not in found:
            found[span.trace_id, span.span_id] = span
            stack.extend(own.children_of(span))
    return tuple(found.values())


def _assign(
    spans: tuple[Span, ...], runner: tuple[Span, ...], records: tuple[ScenarioRecord, ...]
) -> tuple[tuple[Span, ...], ...]:
    """Divide the spans of a shared environment among its scenarios: by ancestor, else by who ran when one started."""
    owners = [{(s.trace_id, s.span_id) for s in _under(record, runner)} for record in records]
    starts = _starts(runner, records)
    scene = Scene(trace=Trace.of((*spans, *runner)))
    parts: list[list[Span]] = [[] for _ in records]
    for span in spans:
        lineage = {(a.trace_id, a.span_id) for a in scene.ancestors(span)}
        by_ancestor = next((i for i, owned in enumerate(owners) if owned & lineage), None)
        begun = [i for i, start in enumerate(starts) if start is not None and start <= span.start_ns]
        by_time = max(begun, key=lambda i: starts[i] or 0, default=0)
        if parts:
            parts[by_time if by_ancestor is None else by_ancestor].append(span)
    return tuple(tuple(part) for part in parts)


def _starts(runner: tuple[Span, ...], records: tuple[ScenarioRecord, ...]) -> list[int | None]:
    """Return when each scenario began, by the runner's span of it; None where there is none."""
    tops = {(s.trace_id, s.span_id): s for s in runner}
    return [
        top.start_ns if (top := tops.get((record.trace_id, record.span_id))) is not None else None for record in records
    ]


def _periods(runner: tuple[Span, ...], records: tuple[ScenarioRecord, ...]) -> tuple[Period, ...]:
    """Divide time among the scenarios of a shared environment: each until the next begins, the first from ever."""
    starts = _starts(runner, records)
    begun = sorted(start for start in starts if start is not None)
    if len(records) == 1:
        return (Period(),)
    return tuple(
        Period(until_ns=0)
        if start is None
        else Period(
            since_ns=0 if start == begun[0] else start,
            until_ns=next((later for later in begun if later > start), None),
        )
        for start in starts
    )
