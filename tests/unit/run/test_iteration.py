from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from cleanroom.errors import ExitCode
from cleanroom.quantity import Duration
from cleanroom.run.iteration import Iteration
from cleanroom.run.journal import Journal
from cleanroom.spec.fault import AtManual
from cleanroom.spec.step import HealAction, InjectAction, Step
from tests.fakes import FakeEngine, FakeNetwork, FakeTelemetry, World, result
from tests.unit.run.worlds import behaving, exec_step, latency, order, pause, shop

CALLS = 30
"""Calls of the engine in one iteration of `shop`, as the first test measures them."""


def test_an_iteration_that_goes_well_leaves_nothing_and_says_what_it_did(tmp_path):
    world = behaving()
    record = world.iterate(tmp_path)
    assert len(world.engine.calls) == CALLS
    assert world.engine.held().empty
    (scenario,) = record.scenarios
    assert (record.trouble, scenario.trouble, scenario.outcome) == (None, None, "passed")
    assert [s.outcome for s in scenario.steps] == ["passed", "passed"]
    assert [(f.injected, f.verified, f.reverted) for f in scenario.faults] == [(True, True, True)]
    assert [s.name for s in scenario.services] == ["api", "db"]
    assert len(scenario.cleanup.created.containers) == 2
    assert scenario.cleanup.removed == scenario.cleanup.created
    assert scenario.cleanup.success
    assert len(scenario.payloads) == 2
    assert all(s.ended for s in world.tracers[0].spans)
    assert not any(s.failed for s in world.tracers[0].spans)


@pytest.mark.parametrize("crash", ["before", "after", "dead"])
@pytest.mark.parametrize("index", range(CALLS))
def test_an_engine_that_fails_at_any_call_is_trouble_and_leaves_nothing_unnamed(index, crash, tmp_path):
    world = behaving(engine=FakeEngine(crash_at=index, crash=crash))
    record = world.iterate(tmp_path)
    (scenario,) = record.scenarios
    trouble = record.trouble or scenario.trouble
    if trouble is None:
        # Not trouble: a fault without evidence is inconclusive, a log that cannot be read says so in its place.
        assert crash != "dead"
        lines = [f.reason for f in scenario.faults if not f.verified] + [s.log for s in scenario.services]
        assert any(f"call {index} (" in line for line in lines)
    else:
        assert trouble.exit_code == ExitCode.ENGINE
        named = {int(n) for n in re.findall(r"call (\d+) \(", trouble.message)}
        assert named
        assert min(named) >= index if crash == "dead" else named == {index}
        assert scenario.outcome == "error"
    left = scenario.cleanup.left
    held = world.engine.held()
    assert set(held.containers) <= set(left.containers)
    assert set(held.networks) <= set(left.networks)
    if crash != "dead":
        assert held.empty
    for fault, known in zip(world.faults, scenario.faults, strict=False):
        assert not fault.in_place or (not known.reverted and known.reason)
    if any(fault.in_place for fault in world.faults):
        assert any(not f.reverted for f in scenario.faults)
    assert all(s.ended for t in world.tracers for s in t.spans)
    assert not world.network.opened
    assert not world.telemetry.current


@pytest.mark.parametrize(
    "method", ["open", "endpoint", "payloads", "drain", "close", "late", "check", "flush", "runner_payloads"]
)
def test_telemetry_that_fails_anywhere_is_trouble_5_and_leaves_nothing(method, tmp_path):
    world = behaving(telemetry=FakeTelemetry(fail=method))
    record = world.iterate(tmp_path)
    trouble = record.trouble or record.scenarios[0].trouble
    assert trouble is not None
    assert trouble.exit_code == ExitCode.TELEMETRY
    assert world.engine.held().empty
    assert all(t.closed for t in world.tracers)


def test_telemetry_that_fails_after_the_steps_does_not_unmake_what_they_did(tmp_path):
    record = behaving(telemetry=FakeTelemetry(fail="payloads")).iterate(tmp_path)
    (scenario,) = record.scenarios
    assert [s.outcome for s in scenario.steps] == ["passed", "passed"]
    assert scenario.faults[0].verified


@pytest.mark.parametrize("method", ["open", "resolv_conf", "close"])
def test_a_network_that_fails_is_trouble_4_and_leaves_nothing(method, tmp_path):
    world = behaving(network=FakeNetwork(fail=method))
    record = world.iterate(tmp_path)
    assert record.scenarios[0].trouble is not None
    assert record.scenarios[0].trouble.exit_code == ExitCode.ENGINE
    assert world.engine.held().empty


def test_a_defect_in_a_port_is_trouble_and_leaves_nothing(tmp_path):
    def defect(*_):
        raise ZeroDivisionError("a defect")

    world = behaving(settled=defect)
    record = world.iterate(tmp_path)
    trouble = record.trouble or record.scenarios[0].trouble
    assert trouble is not None
    assert (trouble.exit_code, "ZeroDivisionError" in trouble.message) == (ExitCode.ENGINE, True)
    assert world.engine.held().empty


@pytest.mark.parametrize("environment", ["scenario", "suite"])
def test_a_container_that_cannot_be_removed_is_named_and_is_trouble(environment, tmp_path):
    world = behaving(shop(environment=environment))
    removing = world.engine.remove
    world.engine.remove = lambda name: None if "-db-" in name else removing(name)
    record = world.iterate(tmp_path)
    left = record.scenarios[0].cleanup.left
    assert ["-db-" in name for name in left.containers] == [True]
    assert left.networks
    assert not record.scenarios[0].cleanup.success
    assert record.scenarios[0].trouble is not None
    assert world.tracers[0].named("cleanroom.cleanup")[0].failed


def test_a_service_that_ends_before_it_is_ready_is_trouble_with_the_end_of_its_log(tmp_path):
    world = behaving()
    starting = world.engine.start

    def start(container):
        starting(container)
        found = world.engine._find(container)
        if found.spec.hostname == "db":
            found.status, found.exit_code, found.log = "exited", 3, b"initdb: no space left\n"

    world.engine.start = start
    record = world.iterate(tmp_path)
    trouble = record.scenarios[0].trouble
    assert trouble is not None
    assert trouble.exit_code == ExitCode.ENGINE
    for words in ("service db", "exit code 3", "initdb: no space left"):
        assert words in trouble.message
    assert world.engine.held().empty
    kept = {service.name: service for service in record.scenarios[0].services}
    assert kept["db"].exit_code == 3
    assert kept["db"].log == "initdb: no space left\n"


def test_each_scenario_has_an_environment_of_its_own(tmp_path):
    world = behaving(shop(order("one"), order("two")))
    record = world.iterate(tmp_path)
    one, two = record.scenarios
    assert not set(one.cleanup.created.containers) & set(two.cleanup.created.containers)
    assert not one.shared
    assert len(world.telemetry.closed) == 2


def test_a_shared_environment_is_started_once_and_its_telemetry_is_of_all(tmp_path):
    world = behaving(shop(order("one"), order("two"), environment="suite"))
    record = world.iterate(tmp_path)
    assert world.engine.calls.count("create") == 2
    one, two = record.scenarios
    assert (one.shared, two.shared, one.outcome, two.outcome) == (True, True, "passed", "passed")
    assert one.payloads == two.payloads
    assert len(one.payloads) == 4


@pytest.mark.parametrize("environment", ["scenario", "suite"])
def test_scenarios_after_one_in_trouble_are_not_started(environment, tmp_path):
    world = behaving(shop(order("one"), order("two"), environment=environment), shape={"stays": True})
    record = world.iterate(tmp_path)
    assert [s.name for s in record.scenarios] == ["one"]
    assert record.scenarios[0].trouble is not None


def test_an_interrupt_during_a_step_kills_the_services_and_ends_in_a_clean_engine(tmp_path):
    world = behaving(shop(order(), order("never")))
    traced = world.engine.answer

    def answer(service, spec):
        # As a signal does it: from another thread than the one that waits for the command.
        thread = threading.Thread(target=world.stop.request)
        thread.start()
        return traced(service, spec)

    world.engine.answer = answer
    record = world.iterate(tmp_path)
    assert record.scenarios[0].steps[1].outcome == "skipped"
    assert "interrupted" in record.scenarios[0].steps[1].reason
    assert record.scenarios[0].cleanup.trigger == "interrupt"
    assert record.trouble is not None
    assert record.trouble.exit_code == ExitCode.INTERRUPTED
    assert world.engine.held().empty


def test_a_failed_step_skips_the_rest_unless_it_may_fail(tmp_path):
    world = World(shop(order(steps=(pause("place"), exec_step("b"), exec_step("c")), chaos=())))
    world.engine.answer = lambda *_: result(1)
    record = world.iterate(tmp_path / "a")
    assert [s.outcome for s in record.scenarios[0].steps] == ["passed", "failed", "skipped"]
    assert record.scenarios[0].outcome == "failed"
    suite = shop(order(steps=(exec_step("b", continue_on_failure=True), exec_step("c", optional=True)), chaos=()))
    world = World(suite)
    world.engine.answer = lambda *_: result(1)
    record = world.iterate(tmp_path / "b")
    assert [s.outcome for s in record.scenarios[0].steps] == ["failed", "failed"]


def test_only_optional_failures_degrade(tmp_path):
    world = World(shop(order(steps=(exec_step("place", optional=True), pause("b")), chaos=())))
    world.engine.answer = lambda *_: result(1)
    record = world.iterate(tmp_path)
    assert record.scenarios[0].outcome == "degraded"
    (opened,) = world.tracers[0].named("cleanroom.scenario")
    assert (opened.attributes["degraded"], opened.failed) == (True, False)


def test_a_sleep_that_the_scenario_has_no_time_for_is_a_timeout_not_a_pass(tmp_path):
    world = World(shop(order(steps=(pause("place", 60_000, timeout=Duration(10**6)),), chaos=())))
    (step,) = world.iterate(tmp_path).scenarios[0].steps
    assert (step.outcome, step.error_type) == ("failed", "timeout")
    (graceful,) = world.tracers[0].named("cleanroom.timeout.graceful")
    assert "signal" not in graceful.attributes


def test_a_scenario_out_of_time_starts_no_further_step(tmp_path):
    world = World(shop(order(timeout=Duration(10**9), steps=(exec_step("place"), exec_step("late")), chaos=())))

    def answer(*_):
        world.clock.sleep(2)
        return result()

    world.engine.answer = answer
    steps = world.iterate(tmp_path).scenarios[0].steps
    assert [s.outcome for s in steps] == ["passed", "skipped"]
    assert "timeout of 1s" in steps[1].reason


def test_a_command_that_ran_out_of_time_has_spans_of_both_signals(tmp_path):
    world = World(shop(order(steps=(exec_step("place"),), chaos=())))
    world.engine.answer = lambda *_: result(137, timed_out=True, killed=True)
    (step,) = world.iterate(tmp_path).scenarios[0].steps
    assert step.error_type == "timeout"
    spans = world.tracers[0]
    assert spans.named("cleanroom.timeout.graceful")[0].attributes["signal"] == "SIGTERM"
    assert spans.named("cleanroom.timeout.hard")[0].attributes["signal"] == "SIGKILL"


def _manual(*names):
    actions = {"strike": InjectAction(fault="byhand"), "calm": HealAction(fault="byhand")}
    steps = tuple(Step(name=name, action=actions[name]) for name in names)
    return shop(order(steps=(*steps, exec_step("place")), chaos=(latency("byhand", moment=AtManual()),)))


def test_manual_faults_are_injected_and_healed_by_steps(tmp_path):
    suite = _manual("strike", "calm")
    world = behaving(suite)
    record = world.iterate(tmp_path)
    assert [s.outcome for s in record.scenarios[0].steps] == ["passed", "passed", "passed"]
    assert world.faults[0].story == [
        "inject byhand#0",
        "verify byhand#0",
        "revert byhand#0",
        "verify_reversal byhand#0",
    ]


def test_healing_what_was_never_injected_fails_the_step(tmp_path):
    record = behaving(_manual("calm")).iterate(tmp_path)
    step = record.scenarios[0].steps[0]
    assert (step.outcome, step.error_type) == ("failed", "not_started")


def test_a_fault_that_takes_longer_than_its_step_may_fails_the_step_and_stays_injected(tmp_path):
    strike = Step(name="strike", action=InjectAction(fault="byhand"), timeout=Duration(10**9))
    suite = shop(order(steps=(strike, exec_step("place")), chaos=(latency("byhand", moment=AtManual()),)))
    world = behaving(suite)
    opened = world.ports.open_fault

    def slowly(event, context):
        world.clock.sleep(2)
        return opened(event, context)

    ports = replace(world.ports, open_fault=slowly)
    record = Iteration(ports, world.plan, Journal(tmp_path), world.start_trace).run(0, 0)
    step = record.scenarios[0].steps[0]
    assert (step.outcome, step.error_type) == ("failed", "timeout")
    assert "longer than 1s" in step.reason
    assert world.faults[0].story[:2] == ["inject byhand#0", "verify byhand#0"]
    assert record.scenarios[0].faults[0].reverted


def test_keeping_an_environment_says_how_to_get_in_and_ends_with_the_stop(tmp_path):
    world = behaving(more={"keep": True, "entrance": "docker exec -it cell"})

    def hear(event):
        world.heard.append(event)
        if "kept up" in event.text:
            assert not world.engine.held().empty
            world.stop.request()

    ports = replace(world.ports, listen=hear)
    Iteration(ports, world.plan, Journal(tmp_path), world.start_trace).run(0, 0)
    (kept,) = [e.text for e in world.heard if "kept up" in e.text]
    assert "docker exec -it cell nsenter --target 4711" in kept
    assert world.engine.held().empty


@pytest.mark.parametrize("environment", ["scenario", "suite"])
def test_what_faults_need_is_prepared_before_the_services_start_and_ends_with_the_scenario(tmp_path, environment):
    seen = []

    @contextmanager
    def prepared(events):
        seen.append(([event.fault.id for event in events], len(world.engine.calls)))
        yield
        seen.append(([], len(world.engine.calls)))

    world = behaving(shop(order(), environment=environment), more={"prepared": prepared})
    world.iterate(tmp_path)
    (ids, begun), (_, ended) = seen
    assert ids == ["slow"]
    assert (begun, ended) == (0, len(world.engine.calls))
    assert ended
    assert world.engine.held().empty
