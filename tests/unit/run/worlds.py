"""Suites for the tests of run/, tersely, and a world in which they behave."""

from __future__ import annotations

from typing import Any

from cleanroom.engine.ports import ExecResult, ExecSpec
from cleanroom.quantity import Duration
from cleanroom.spec.determinism import Determinism
from cleanroom.spec.expect import Expect
from cleanroom.spec.fault import AtStep, Fault, Target
from cleanroom.spec.otel import Otel, Settle
from cleanroom.spec.query import ExecAction
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.service import Service
from cleanroom.spec.source import Position
from cleanroom.spec.step import SleepAction, Step
from cleanroom.spec.suite import Suite
from tests.fakes import World, result
from tests.unit.validate.builders import otlp, span, want

MS = 10**6
AT = Position("shop.cleanroom.yaml", 3, 1)
NO_WAIT = Otel(settle=Settle(timeout=Duration(20 * MS), quiet=Duration(0)))


def exec_step(name: str, service: str = "api", **kw: Any) -> Step:
    return Step(name=name, action=ExecAction(service=service, command=("true",)), at=AT, **kw)


def pause(name: str, ms: int = 0, **kw: Any) -> Step:
    return Step(name=name, action=SleepAction(duration=Duration(ms * MS)), at=AT, **kw)


def latency(fault_id: str = "slow", **kw: Any) -> Fault:
    defaults: dict[str, Any] = {
        "kind": "network.latency",
        "target": Target(service="db"),
        "moment": AtStep(moment="before", step="place"),
        "parameters": {"delay": Duration(5 * MS)},
        "at": AT,
    }
    return Fault(id=fault_id, **{**defaults, **kw})


def order(name: str = "order", **kw: Any) -> Scenario:
    defaults: dict[str, Any] = {
        "steps": (exec_step("place"), exec_step("look", "db")),
        "chaos": (latency(),),
        "expect": Expect(spans=(want("INSERT orders", service="db"),), at=AT),
        "at": AT,
    }
    return Scenario(name=name, **{**defaults, **kw})


def shop(*scenarios: Scenario, **kw: Any) -> Suite:
    """Services db and api (which depends on it), one scenario with two steps and a fault, two iterations."""
    defaults: dict[str, Any] = {
        "services": (
            Service(name="api", image="api:1", depends_on=("db",), at=AT),
            Service(name="db", image="db:1", at=AT),
        ),
        "determinism": Determinism(iterations=2),
        "otel": NO_WAIT,
    }
    return Suite(name="shop", file=AT.file, at=AT, scenarios=scenarios or (order(),), **{**defaults, **kw})


def behaving(suite: Suite | None = None, **kw: Any) -> World:
    """A world whose services export a span under the step that asked them, as instrumented ones do."""
    world = World(suite or shop(), **kw)
    world.engine.answer = _traced(world)
    return world


def _traced(world: World) -> Any:
    def answer(service: str, spec: ExecSpec) -> ExecResult:
        _, trace, parent, _ = spec.environment["TRACEPARENT"].split("-")
        (mine,) = [t.environment.removesuffix("runner") for t in world.tracers if t.trace_id == trace]
        number = 1000 + int(parent, 16)
        made = span(number, "INSERT orders", parent=parent, service=service, trace=trace, start=10**12 + number)
        (environment,) = [e for e in list(world.telemetry.current.values()) if e.startswith(mine)]
        world.telemetry.arrive(environment, otlp(made))
        return result(stdout=b"stored\n")

    return answer
