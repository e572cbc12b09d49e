from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.engine.ports import Inventory
from cleanroom.errors import ExitCode
from cleanroom.network.ports import Drop
from cleanroom.quantity import Duration
from cleanroom.run.apart import joined
from cleanroom.run.environment import Closed
from cleanroom.run.record import CleanupRecord
from cleanroom.spec.generator import IntegerGenerator
from cleanroom.spec.property import Property
from cleanroom.spec.query import ExecAction
from cleanroom.spec.step import Step
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText
from tests.fakes import FakeEngine, FakeTelemetry, World, result
from tests.unit.run.worlds import AT, order, shop

MINUTE = Duration(60 * 10**9)
NUMBER = RuntimeText("{{ example.n }}", (Expression("example.n", frozenset({"example"}), {}),))
ASK = Step(name="ask", action=ExecAction(service="api", command=("ask", NUMBER)), at=AT)


def generated(isolation="example", *, examples=4, **kw):
    wanted = Property(given={"n": IntegerGenerator(max=100)}, examples=examples, isolation=isolation, shrink=MINUTE)
    return shop(order(steps=(ASK,), chaos=(), expect=None, property=wanted, **kw))


class Desk:
    """Answers a container's first question only; `limit` is the first number that it cannot serve."""

    def __init__(self, world, limit=1000):
        self.world = world
        self.limit = limit
        self.served = []

    def __call__(self, service, spec):
        (here,) = [n for n, c in self.world.engine.containers.items() if c.spec.labels["cleanroom.service"] == service]
        again = here in self.served
        self.served.append(here)
        return result(1 if again or int(spec.command[1]) >= self.limit else 0)


def desk(suite, limit=1000, **kw):
    world = World(suite, **kw)
    world.engine.answer = Desk(world, limit)
    return world


def test_each_example_has_a_fresh_environment_in_the_slot_and_the_scenario_another(tmp_path):
    world = desk(generated())
    (scenario,) = world.iterate(tmp_path).scenarios
    assert (scenario.outcome, scenario.trouble, scenario.property.broken) == ("passed", None, "")
    assert scenario.property.tried == 4
    assert world.engine.calls.count("create_network") == 5
    assert len(scenario.cleanup.created.containers) == 10
    assert scenario.cleanup.created == scenario.cleanup.removed
    assert scenario.cleanup.success
    assert world.engine.held().empty
    assert not world.network.opened
    assert not world.telemetry.current
    assert [s.name for s in world.tracers[0].spans].count("cleanroom.environment") == 1


def test_the_same_examples_on_one_environment_break_each_other(tmp_path):
    world = desk(generated("scenario"))
    (scenario,) = world.iterate(tmp_path).scenarios
    assert scenario.outcome == "failed"
    assert scenario.property.broken
    assert world.engine.calls.count("create_network") == 1


def test_what_breaks_is_the_smallest_and_its_steps_are_told(tmp_path):
    world = desk(generated(examples=20), limit=10)
    (scenario,) = world.iterate(tmp_path).scenarios
    assert scenario.property.example == '{"n": 10}'
    assert scenario.steps[0].outcome == "failed"
    assert world.engine.held().empty


def test_a_service_that_died_breaks_an_example(tmp_path):
    world = World(generated())

    def answer(_service, _spec):
        (db,) = [c for c in world.engine.containers.values() if c.spec.labels["cleanroom.service"] == "db"]
        db.status, db.exit_code = "exited", 3
        return result()

    world.engine.answer = answer
    (scenario,) = world.iterate(tmp_path).scenarios
    assert scenario.property.broken == "service db had ended by itself (exit code 3)"
    assert scenario.outcome == "failed"


@pytest.mark.parametrize("crash", ["before", "after", "dead"])
@pytest.mark.parametrize("index", range(0, 60, 7))
def test_an_engine_that_fails_at_any_call_is_no_counterexample_and_leaves_nothing_unnamed(index, crash, tmp_path):
    world = desk(generated(), engine=FakeEngine(crash_at=index, crash=crash))
    (scenario,) = world.iterate(tmp_path).scenarios
    held = world.engine.held()
    assert set(held.containers) <= set(scenario.cleanup.left.containers)
    assert set(held.networks) <= set(scenario.cleanup.left.networks)
    if scenario.trouble is not None:
        assert scenario.outcome == "error"
        assert scenario.trouble.exit_code == ExitCode.ENGINE
    assert scenario.property is None or not scenario.property.broken
    assert not world.network.opened
    assert not world.telemetry.current


def test_telemetry_that_fails_in_an_example_is_its_own_trouble(tmp_path):
    world = desk(generated(), telemetry=FakeTelemetry(fail="drain"))
    (scenario,) = world.iterate(tmp_path).scenarios
    assert (scenario.outcome, scenario.property) == ("error", None)
    assert scenario.trouble.exit_code == ExitCode.TELEMETRY
    assert world.engine.calls.count("create_network") == 1


def test_a_run_that_is_to_stop_opens_no_further_environment(tmp_path):
    world = World(generated(examples=50))

    def answer(_service, _spec):
        world.stop.request()
        return result()

    world.engine.answer = answer
    (scenario,) = world.iterate(tmp_path).scenarios
    assert scenario.trouble.exit_code == ExitCode.INTERRUPTED
    assert world.engine.calls.count("create_network") == 1
    assert world.engine.held().empty


def test_what_any_environment_left_or_dropped_is_kept():
    drop = Drop(source="10.0.0.2", destination="192.0.2.1", port=80, protocol="tcp", count=1)
    left = CleanupRecord(left=Inventory(containers=("c",)), processes_left=("7 sleep",), duration_ns=2)
    before = Closed(egress=(drop,), cleanup=left, late=1)
    both = joined(before, Closed(egress=(replace(drop, count=2),), cleanup=CleanupRecord(duration_ns=3), late=2))
    assert [d.count for d in both.egress] == [1, 2]
    assert (both.late, both.cleanup.duration_ns, both.cleanup.success) == (3, 5, False)
    assert both.cleanup.left.containers == ("c",)
