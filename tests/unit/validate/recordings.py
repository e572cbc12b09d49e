"""Recorded runs of the shipped examples, as their services' instrumentation would have sent them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cleanroom.plan.build import build_plan
from cleanroom.plan.model import FaultEvent, Plan
from cleanroom.run.record import (
    FaultRecord,
    IterationRecord,
    RecoveryRecord,
    ScenarioRecord,
    ServiceRecord,
    StepRecord,
    SuiteRecord,
)
from cleanroom.spec.load import load_suite
from cleanroom.spec.suite import Suite
from tests.unit.validate.builders import CLEAN, SEC, otlp, own, sid, span

ROOT = Path(__file__).resolve().parents[3]
HELLO = ROOT / "examples/hello/hello.cleanroom.yaml"
QUICKSTART = ROOT / "examples/quickstart/quickstart.cleanroom.yaml"
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


QUERIES = {
    "INSERT": "INSERT INTO orders (item, quantity) VALUES (%s, %s) RETURNING id",
    "SELECT": "SELECT id, item, quantity FROM orders WHERE id = %s",
}
WINDOW = (20 * SEC, 30 * SEC)
# scenario → its fault's kind, and (step, method, path, code, start in s) of each request
STORY: dict[str, tuple[str, tuple[tuple[str, str, str, int, int], ...]]] = {
    "an order is stored": (
        "",
        (
            ("place an order", "POST", "/orders", 201, 10),
            ("read it back", "GET", "/orders/1", 200, 22),
            ("ask for one that nobody placed", "GET", "/orders/2", 404, 35),
        ),
    ),
    "a killed database comes back with every stored order": (
        "container.kill",
        (
            ("place an order", "POST", "/orders", 201, 10),
            ("place one while the database is down", "POST", "/orders", 503, 22),
            ("read the first order after the crash", "GET", "/orders/1", 200, 35),
            ("place the other order again", "POST", "/orders", 201, 40),
        ),
    ),
    "a slow database slows orders down and loses none": (
        "network.latency",
        (
            ("place an order while the database is slow", "POST", "/orders", 201, 22),
            ("read it back at full speed", "GET", "/orders/1", 200, 35),
        ),
    ),
}


def quickstart() -> SuiteRecord:
    """One iteration of examples/quickstart: three scenarios, one with a crash, one with a slow network."""
    plan = replace(plan_of(QUICKSTART), iterations=1)
    runner = [own(1, "cleanroom.iteration", start=SEC, end=99 * SEC)]
    records = []
    for number, (name, (kind, requests)) in enumerate(STORY.items(), start=1):
        first = number * 1000
        sent = []
        for place, (step, method, path, code, at) in enumerate(requests, start=1):
            base = first + 10 * place
            runner.append(own(base, f"cleanroom.step:{step}", parent=first, start=at * SEC, end=(at + 3) * SEC))
            sent += request(base, method, path, code, at * SEC)
        runner.append(own(first, "cleanroom.scenario", parent=1, start=5 * SEC, end=90 * SEC))
        if kind == "container.kill":
            recovered = {"start": 29 * SEC, "end": 30 * SEC, "attrs": {"success": True}}
            runner.append(own(first + 5, "cleanroom.recovery", parent=first, **recovered))
        records.append(
            ScenarioRecord(
                name=name,
                outcome="passed",
                steps=tuple(StepRecord(name=r[0], type="http", service="api", outcome="passed") for r in requests),
                faults=tuple(bitten(event) for event in plan.timeline(name)),
                services=tuple(
                    ServiceRecord(name=s, image="i", address=f"10.213.0.{10 + i}", container=f"c{i}", hostname=s)
                    for i, s in enumerate(("api", "db"))
                ),
                cleanup=CLEAN,
                payloads=(otlp(*sent),),
                trace_id="a" * 32,
                span_id=sid(first),
            )
        )
    whole = IterationRecord(index=0, slot=0, scenarios=tuple(records), runner_payloads=(otlp(*runner),))
    return SuiteRecord(plan=plan, iterations=(whole,))


def request(base: int, method: str, path: str, code: int, start: int) -> list[Any]:
    """The spans of one request to the API, and of its query where the database answered."""
    route = "/orders" if method == "POST" else "/orders/<int:number>"
    failed = code == 503
    served_by = served(
        base + 1, method, route, path=path, code=code, parent=base, service="api", start=start, end=start + 2 * SEC,
        status="error" if failed else "unset",
    )  # fmt: skip
    if failed:
        return [replace(served_by, attributes={**served_by.attributes, "error.type": str(code)})]
    statement = "INSERT" if method == "POST" else "SELECT"
    attributes = {
        "db.system.name": "postgresql",
        "db.namespace": "orders",
        "db.query.text": QUERIES[statement],
        "server.address": "db",
        "server.port": 5432,
    }
    lasted = (400 if WINDOW[0] <= start <= WINDOW[1] and method == "POST" else 2) * 10**6
    query = span(
        base + 2, statement, parent=base + 1, service="api", kind="client", attrs=attributes, resource=SDK,
        start=start + SEC, end=start + SEC + lasted,
    )  # fmt: skip
    return [served_by, query]


def bitten(event: FaultEvent) -> FaultRecord:
    """A fault as planned, with its evidence."""
    fault = event.fault
    return FaultRecord(
        id=fault.id, kind=fault.kind, occurrence=event.occurrence, targets=event.targets, backend="netem",
        injected=True, verified=True, reverted=True, window=WINDOW,
        recovery=RecoveryRecord(strategy="start", duration_ns=SEC, success=True),
    )  # fmt: skip
