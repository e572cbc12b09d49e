from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from cleanroom.errors import ExitCode
from cleanroom.run.journal import Journal
from cleanroom.run.session import SessionOptions, run_suites
from cleanroom.spec.suite import Determinism
from tests.fakes import FakeEngine, FakeNetwork, result
from tests.unit.run.worlds import behaving, shop

PATIENCE = 10.0


def run(world, directory, parallel=2, plans=None):
    options = SessionOptions(parallel=parallel)
    return run_suites(world.ports, plans or (world.plan,), options, Journal(directory), world.start_trace)


def test_every_iteration_runs_once_and_in_the_record_in_order(tmp_path):
    world = behaving(shop(determinism=Determinism(iterations=5)))
    (suite,) = run(world, tmp_path)
    assert [i.index for i in suite.iterations] == [0, 1, 2, 3, 4]
    assert {i.slot for i in suite.iterations} <= {0, 1}
    assert world.engine.held().empty


@pytest.mark.parametrize(("asked", "by_spec", "width"), [(3, None, 3), (3, 2, 2), (2, 4, 2), (1, None, 1)])
def test_as_many_at_a_time_as_there_are_slots_and_the_spec_allows(asked, by_spec, width, tmp_path):
    world = behaving(
        shop(determinism=Determinism(iterations=width * 2, parallel=by_spec)), network=FakeNetwork(count=asked)
    )
    together = threading.Barrier(width)
    traced, lock, most, now = world.engine.answer, threading.Lock(), [0], [0]

    def answer(service, spec):
        return traced(service, spec)

    opening = world.network.open

    def opened(slot, names):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            assert slot not in world.network.opened
        # Passes only when that many iterations are under way at once.
        together.wait(PATIENCE)
        opening(slot, names)

    closing = world.network.close

    def closed(slot):
        with lock:
            now[0] -= 1
        return closing(slot)

    world.engine.answer, world.network.open, world.network.close = answer, opened, closed
    run(world, tmp_path, parallel=asked)
    assert most[0] == width


def test_what_broke_one_iteration_is_not_tried_again(tmp_path):
    world = behaving(shop(determinism=Determinism(iterations=5)), engine=FakeEngine(crash_at=0, crash="dead"))
    (suite,) = run(world, tmp_path, parallel=1)
    assert [i.index for i in suite.iterations] == [0]


def test_findings_are_no_trouble_and_all_iterations_run(tmp_path):
    world = behaving(shop(determinism=Determinism(iterations=3)))
    world.engine.answer = lambda *_: result(1)
    (suite,) = run(world, tmp_path, parallel=1)
    assert [i.scenarios[0].outcome for i in suite.iterations] == ["failed"] * 3


def test_after_an_interrupt_nothing_more_is_started(tmp_path):
    world = behaving(shop(determinism=Determinism(iterations=5)))
    world.engine.answer = lambda *_: world.stop.request() or result()
    other = replace(world.plan, suite=replace(world.plan.suite, name="other"))
    suites = run(world, tmp_path, parallel=1, plans=(world.plan, other))
    assert [s.plan.suite.name for s in suites] == ["shop"]
    assert [i.index for i in suites[0].iterations] == [0]
    assert world.engine.held().empty


def test_suites_are_told_and_run_after_one_another(tmp_path):
    world = behaving()
    other = replace(world.plan, suite=replace(world.plan.suite, name="other", file="other.cleanroom.yaml"))
    suites = run(world, tmp_path, plans=(world.plan, other))
    assert [len(s.iterations) for s in suites] == [2, 2]
    assert [e.text for e in world.heard if e.kind == "suite" and e.seconds is None] == [
        "shop.cleanroom.yaml",
        "other.cleanroom.yaml",
    ]


def test_a_tracer_that_cannot_be_made_is_trouble(tmp_path):
    from cleanroom.errors import TelemetryError  # noqa: PLC0415

    world = behaving()

    def refuse(*_):
        raise TelemetryError("no receiver")

    world.start_trace = refuse
    (suite,) = run(world, tmp_path, parallel=1)
    assert suite.iterations[0].trouble is not None
    assert suite.iterations[0].trouble.exit_code == ExitCode.TELEMETRY
