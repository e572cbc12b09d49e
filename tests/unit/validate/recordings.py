"""Recorded runs of the shipped examples, as their services' instrumentation would have sent them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cleanroom.plan.build import build_plan
from cleanroom.plan.model import Plan
from cleanroom.run.record import IterationRecord, ScenarioRecord, ServiceRecord, StepRecord, SuiteRecord
from cleanroom.spec.load import load_suite
from cleanroom.spec.suite import Suite
from tests.unit.validate.builders import CLEAN, SEC, otlp, own, sid, span

ROOT = Path(__file__).resolve().parents[3]
HELLO = ROOT / "examples/hello/hello.cleanroom.yaml"
SDK = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.1",
    "telemetry.auto.version": "0.66b1",
}
LIBRARY = "opentelemetry.instrumentation.flask"


def plan_of(path: Path, root: Path = ROOT) -> Plan:
    suite = load_suite(path, root=root, variables={}, environment={})
    assert isinstance(suite, Suite), suite
    return build_plan(suite)


def served(number: int, method: str, route: str, *, parent: int, service: str, **kw: Any) -> Any:
    """The span of a request to Flask, under the stable conventions for HTTP."""
    path = kw.pop("path", route)
    attributes = {
        "http.request.method": method,
        "url.scheme": "http",
        "server.address": service,
        "server.port": 8080,
        "url.path": path,
        "client.address": "10.213.0.1",
        "client.port": 40000 + number,
        "user_agent.original": "cleanroom/1.0",
        "network.protocol.version": "1.1",
        "http.route": route,
        "http.response.status_code": kw.pop("code", 200),
    }
    name = f"{method} {route}"
    return span(number, name, parent=parent, service=service, attrs=attributes, resource=SDK, scope=LIBRARY, **kw)


def hello_iteration(index: int = 0, **kw: Any) -> IterationRecord:
    """One greeting: `GET /hello` below the step that sent it."""
    greeting = served(10, "GET", "/hello", parent=3, service="hello", start=4 * SEC, **kw)
    record = ScenarioRecord(
        name="it says hello",
        outcome="passed",
        steps=(StepRecord(name="greet", type="http", service="hello", outcome="passed", status=200),),
        services=(ServiceRecord(name="hello", image="i", address="10.213.0.10", container="c", hostname="hello"),),
        cleanup=CLEAN,
        payloads=(otlp(greeting),),
        trace_id=greeting.trace_id,
        span_id=sid(2),
    )
    runner = (
        own(1, "cleanroom.iteration", start=SEC, end=9 * SEC),
        own(2, "cleanroom.scenario", parent=1, start=2 * SEC, end=8 * SEC),
        own(3, "cleanroom.step:greet", parent=2, start=3 * SEC, end=7 * SEC),
    )
    return IterationRecord(index=index, slot=0, scenarios=(record,), runner_payloads=(otlp(*runner),))


def hello(path: Path = HELLO, root: Path = ROOT) -> SuiteRecord:
    """Two iterations of examples/hello, which only differ in the client's port."""
    plan = replace(plan_of(path, root), iterations=2)
    return SuiteRecord(plan=plan, iterations=(hello_iteration(0), hello_iteration(1)))
