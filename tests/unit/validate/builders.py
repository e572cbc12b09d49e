"""Traces, records and plans for the tests of judging, tersely."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from cleanroom.engine.ports import Inventory
from cleanroom.network.ports import Proof, Vector
from cleanroom.plan.model import FaultEvent, Plan, ScenarioPlan
from cleanroom.quantity import Duration
from cleanroom.run.record import (
    CleanupRecord,
    FaultRecord,
    IterationRecord,
    ScenarioRecord,
    ServiceRecord,
    SessionRecord,
    StepRecord,
    SuiteRecord,
)
from cleanroom.spec.comparator import Comparator
from cleanroom.spec.expect import Expect, Pattern, SpanExpectation
from cleanroom.spec.fault import AtOffset, Fault, Target
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.service import Service
from cleanroom.spec.source import Position
from cleanroom.spec.step import SleepAction, Step
from cleanroom.spec.suite import Suite
from cleanroom.telemetry.ports import Payload
from cleanroom.trace.model import Origin, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink, StatusCode, Trace
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene

TRACE = "a" * 32
AT = Position("shop.cleanroom.yaml", 7, 5)
SEC = 10**9


def sid(number: int) -> str:
    """A span id."""
    return f"{number:016x}"


def cmp(**tests: Any) -> Comparator:
    """`cmp(gte=1)` or `cmp(in_=(1, 2))`."""
    return Comparator(tests=tuple((name.rstrip("_"), value) for name, value in tests.items()))


def eq(value: Any) -> Comparator:
    return cmp(eq=value)


def span(number: int, name: str = "GET /", *, parent: int | str = 0, service: str = "api", **kw: Any) -> Span:
    """A service span; `start`/`end` in nanoseconds, `events` as names, `attrs` as a mapping."""
    return Span(
        trace_id=kw.get("trace", TRACE),
        span_id=sid(number),
        parent_id=parent if isinstance(parent, str) else (sid(parent) if parent else ""),
        name=name,
        kind=SpanKind(kw.get("kind", "server")),
        start_ns=kw.get("start", number * 1000),
        end_ns=kw.get("end", kw.get("start", number * 1000) + 500),
        attributes=kw.get("attrs", {}),
        events=tuple(SpanEvent(name=e, time_ns=1) for e in kw.get("events", ())),
        links=tuple(SpanLink(trace_id=TRACE, span_id=sid(n)) for n in kw.get("links", ())),
        status=StatusCode(kw.get("status", "unset")),
        resource=Resource(attributes={"service.name": service, **kw.get("resource", {})} if service else {}),
        scope=Scope(name=kw.get("scope", "lib")),
        origin=kw.get("origin", Origin.SERVICE),
    )


def own(number: int, name: str, *, parent: int = 0, **kw: Any) -> Span:
    """A span of the runner's."""
    return span(number, name, parent=parent, service="cleanroom", origin=Origin.RUNNER, kind="internal", **kw)


def scene(*spans: Span, **kw: Any) -> Scene:
    kw.setdefault("services", ("api", "db"))
    return Scene(trace=Trace.of(spans), **kw)


def want(name: str | Pattern | None = None, **kw: Any) -> SpanExpectation:
    """A span expectation; `service` and the lineage may be given as text."""
    for key in ("service", "scope", "parent", "ancestor"):
        if isinstance(kw.get(key), str):
            kw[key] = Pattern(kw[key])
    return SpanExpectation(name=Pattern(name) if isinstance(name, str) else name, at=AT, **kw)


def findings(checks: Any) -> tuple[Finding, ...]:
    return tuple(f for c in ((checks,) if isinstance(checks, Check) else checks) for f in c.findings)


def rules(checks: Any) -> list[str]:
    """The rules that broke, in order."""
    return [f.rule for f in findings(checks)]


def otlp(*spans: Span, environment: str = "env", origin: Origin | None = None) -> Payload:
    """The OTLP/JSON request that carries `spans`."""
    groups = [
        {
            "resource": {"attributes": _pairs(s.resource.attributes)},
            "scopeSpans": [{"scope": {"name": s.scope.name}, "spans": [_span_json(s)]}],
        }
        for s in spans
    ]
    return Payload(
        environment=environment,
        origin=origin or (spans[0].origin if spans else Origin.SERVICE),
        signal="traces",
        content_type="application/json",
        body=json.dumps({"resourceSpans": groups}).encode(),
        received_ns=1,
    )


def _span_json(s: Span) -> dict[str, Any]:
    return {
        "traceId": s.trace_id,
        "spanId": s.span_id,
        "parentSpanId": s.parent_id,
        "name": s.name,
        "kind": list(SpanKind).index(s.kind),
        "startTimeUnixNano": str(s.start_ns),
        "endTimeUnixNano": str(s.end_ns),
        "attributes": _pairs(s.attributes),
        "events": [{"name": e.name, "timeUnixNano": str(e.time_ns)} for e in s.events],
        "status": {"code": list(StatusCode).index(s.status)},
    }


def _pairs(attributes: Any) -> list[dict[str, Any]]:
    def value(v: Any) -> dict[str, Any]:
        if isinstance(v, bool):
            return {"boolValue": v}
        return {"intValue": str(v)} if isinstance(v, int) else {"stringValue": str(v)}

    return [{"key": k, "value": value(v)} for k, v in attributes.items()]


CLEAN = CleanupRecord(created=Inventory(containers=("c1",)), removed=Inventory(containers=("c1",)))


def step(name: str, outcome: str = "passed", **kw: Any) -> StepRecord:
    return StepRecord(name=name, type="http", outcome=outcome, at=AT, **kw)  # type: ignore[arg-type]


def record(name: str = "order", outcome: str = "passed", **kw: Any) -> ScenarioRecord:
    """A scenario that went well: step `place` passed, service api at 10.213.0.10, clean teardown, span id 2."""
    defaults: dict[str, Any] = {
        "steps": (step("place"),),
        "services": (
            ServiceRecord(name="api", image="api:1", address="10.213.0.10", container="clr-x", hostname="api"),
        ),
        "cleanup": CLEAN,
        "trace_id": TRACE,
        "span_id": sid(2),
    }
    return ScenarioRecord(name=name, outcome=outcome, **{**defaults, **kw})  # type: ignore[arg-type]


def fault(fault_id: str = "slow", **kw: Any) -> Fault:
    defaults: dict[str, Any] = {
        "kind": "network.latency",
        "target": Target(service="api"),
        "moment": AtOffset(offset=Duration(0)),
    }
    return Fault(id=fault_id, at=AT, **{**defaults, **kw})


def event(of: Fault, occurrence: int = 0, *, drawn: bool = True, scenario: str = "order") -> FaultEvent:
    return FaultEvent(
        fault=of, scenario=scenario, occurrence=occurrence, stream="00", drawn=drawn, targets=("api",), moment=of.moment
    )


def bitten(of: Fault, occurrence: int = 0, **kw: Any) -> FaultRecord:
    """A fault that was injected, verified and reverted between 2 s and 3 s."""
    defaults: dict[str, Any] = {
        "targets": ("api",), "injected": True, "verified": True, "reverted": True, "at": AT,
        "window": (2 * SEC, 3 * SEC),
    }  # fmt: skip
    return FaultRecord(id=of.id, kind=of.kind, occurrence=occurrence, **{**defaults, **kw})


def scenario(name: str = "order", **kw: Any) -> Scenario:
    defaults: dict[str, Any] = {"steps": (Step(name="place", action=SleepAction(duration=Duration(1)), at=AT),)}
    return Scenario(name=name, at=AT, **{**defaults, **kw})


def suite(*scenarios: Scenario, **kw: Any) -> Suite:
    kw.setdefault("services", (Service(name="api"), Service(name="db")))
    return Suite(name="shop", file=AT.file, scenarios=scenarios or (scenario(),), at=AT, **kw)


def plan(of: Suite | None = None, iterations: int = 1, events: dict[str, tuple[FaultEvent, ...]] | None = None) -> Plan:
    of = of or suite()
    of = replace(of, determinism=replace(of.determinism, iterations=iterations))
    timelines = tuple(ScenarioPlan(scenario=s.name, events=(events or {}).get(s.name, ())) for s in of.scenarios)
    return Plan(
        suite=of,
        seed=42,
        iterations=iterations,
        start_order=(("api", "db"),),
        addresses={"api": 10, "db": 11},
        scenarios=timelines,
        schedule_digest="sha256:5c",
        plan_digest="sha256:91",
    )


def runner_spans(*extra: Span) -> tuple[Span, ...]:
    """cleanroom.iteration (1) > cleanroom.scenario (2) > cleanroom.step:place (3)."""
    return (
        own(1, "cleanroom.iteration", start=1000, end=9 * SEC),
        own(2, "cleanroom.scenario", parent=1, start=2000, end=8 * SEC, attrs={"cleanroom.scenario": "order"}),
        own(3, "cleanroom.step:place", parent=2, start=3000, end=7 * SEC),
        *extra,
    )


def iteration(
    index: int = 0, *records: ScenarioRecord, runner: tuple[Span, ...] | None = None, **kw: Any
) -> IterationRecord:
    own_spans = runner_spans() if runner is None else runner
    return IterationRecord(
        index=index, slot=0, scenarios=records or (record(payloads=(otlp(served()),)),),
        runner_payloads=(otlp(*own_spans),) if own_spans else (), **kw,
    )  # fmt: skip


def served(number: int = 10, **kw: Any) -> Span:
    """`POST /orders` of api under the step's span."""
    return span(number, "POST /orders", parent=3, **kw)


def expecting(*spans: SpanExpectation, **kw: Any) -> Expect:
    return Expect(spans=spans, at=AT, **kw)


PROOF = Proof(
    vectors=(Vector(protocol="tcp", destination="198.51.100.1", port=80, open=False, detail="timed out"),), dropped=1
)


def session(*suites: SuiteRecord, **kw: Any) -> SessionRecord:
    kw.setdefault("proof", PROOF)
    return SessionRecord(suites=suites, **kw)
