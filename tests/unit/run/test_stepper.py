"""Steps of a scenario in a fake world: attempts, captures, parallel ones, ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cleanroom.clock import SystemClock
from cleanroom.quantity import Duration
from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.capture import Capture
from cleanroom.spec.fault import AtStep
from cleanroom.spec.query import ExecAction
from cleanroom.spec.retry import Retry
from cleanroom.spec.step import ParallelAction, Step, StepExpect
from cleanroom.spec.templates.runtime_text import Expression, RuntimeText
from tests.fakes import World, result
from tests.unit.run.worlds import AT, MS, exec_step, latency, order, pause, shop
from tests.unit.validate.builders import eq

TWICE = Retry(attempts=3, initial=Duration(MS))


def played(tmp_path: Any, *steps: Step, answer: Any = None, **scenario: Any) -> tuple[ScenarioRecord, World]:
    """The record of one scenario with these steps; `answer` is that of the engine to a command."""
    chaos = scenario.pop("chaos", ())
    # Its time passes while somebody sleeps; the fake one stands still then.
    world_of: dict[str, Any] = {"clock": SystemClock()} if scenario.pop("real_time", False) else {}
    world = World(shop(order(steps=steps, chaos=chaos, expect=None, **scenario)), **world_of)
    if answer is not None:
        world.engine.answer = answer
    return world.iterate(tmp_path).scenarios[0], world


def codes(*given: int) -> Any:
    """An engine whose commands end with these codes, one after the other."""
    left = list(given)
    return lambda *_: result(left.pop(0))


def outcomes(record: ScenarioRecord) -> list[tuple[str, str]]:
    return [(step.name, step.outcome) for step in record.steps]


def test_a_step_is_tried_again_until_it_is_well(tmp_path):
    record, world = played(tmp_path, exec_step("place", retry=TWICE), answer=codes(1, 2, 0))
    (step,) = record.steps
    assert (step.outcome, step.attempts, step.exit_code, record.outcome) == ("passed", 3, 0, "passed")
    spans = world.tracers[0].named("cleanroom.retry.attempt")
    assert [s.attributes["attempt"] for s in spans] == [1, 2, 3]
    assert [s.attributes["delay_ms"] for s in spans] == [0, 1, 2]
    assert [s.attributes.get("error.type") for s in spans] == ["exit_code", "exit_code", None]
    assert [s.failed for s in spans] == [True, True, False]
    (whole,) = world.tracers[0].named("cleanroom.step:place")
    assert (whole.attributes["attempts"], whole.failed) == (3, False)


def test_only_the_first_attempt_is_part_of_the_runner_s_trace(tmp_path):
    asked = []

    def answer(_service, spec):
        asked.append(spec.environment["TRACEPARENT"].split("-")[1])
        return result(1 if len(asked) < 3 else 0)

    record, world = played(tmp_path, exec_step("place", retry=TWICE), answer=answer)
    assert asked[0] == world.tracers[0].trace_id
    assert len(set(asked)) == 3
    assert set(asked[1:]) <= set(record.noise_traces)


def test_attempts_end(tmp_path):
    record, _ = played(tmp_path, exec_step("place", retry=TWICE), answer=codes(1, 1, 7))
    (step,) = record.steps
    assert (step.outcome, step.attempts, step.exit_code, step.reason) == ("failed", 3, 7, "the command exited with 7")


def test_what_is_expected_is_not_tried_again(tmp_path):
    step = exec_step("place", retry=TWICE, expect=StepExpect(exit_code=eq(3)))
    record, _ = played(tmp_path, step, answer=codes(3))
    assert (record.steps[0].outcome, record.steps[0].attempts) == ("passed", 1)


@pytest.mark.parametrize(("on", "attempts"), [((), 1), (("exit_code",), 3), (("timeout",), 1)])
def test_what_is_allowed_is_tried_again_only_by_name(tmp_path, on, attempts):
    step = exec_step("place", retry=replace(TWICE, on=on), allow=("exit_code",))
    record, _ = played(tmp_path, step, answer=lambda *_: result(1))
    assert (record.steps[0].outcome, record.steps[0].attempts) == ("passed", attempts)


def test_a_retry_without_an_end_ends_with_its_scenario(tmp_path):
    retry = Retry(attempts=1000, initial=Duration(3600 * 10**9), max=Duration(3600 * 10**9))
    record, _ = played(tmp_path, exec_step("place", retry=retry), pause("after"), answer=lambda *_: result(1))
    first = record.steps[0]
    assert (first.attempts, first.outcome) == (1, "failed")
    assert "no time was left for another one after 3600s" in first.reason


def test_a_run_that_is_stopped_is_not_tried_again(tmp_path):
    def answer(*_):
        world.stop.request()
        return result(1)

    world = World(shop(order(steps=(exec_step("place", retry=TWICE),), chaos=(), expect=None)))
    world.engine.answer = answer
    assert world.iterate(tmp_path).scenarios[0].steps[0].attempts == 1


def captured(name: str) -> RuntimeText:
    return RuntimeText("{{ captured.x }}", ("id ", Expression(name, frozenset({"captured"}), {})))


def using(name: str, text: str = "captured.x", **kw: Any) -> Step:
    action = ExecAction(service="api", command=("echo", captured(text)))
    return Step(name=name, action=action, at=AT, **kw)


KEEP = (Capture(name="x", by="regex", source=r"\d+"),)


def test_later_steps_know_what_earlier_ones_captured(tmp_path):
    asked = []

    def answer(_service, spec):
        asked.append(spec.command)
        return result(stdout=b"made 42\n")

    record, _ = played(tmp_path, exec_step("make", capture=KEEP), using("look"), answer=answer)
    assert outcomes(record) == [("make", "passed"), ("look", "passed")]
    assert asked[1] == ("echo", "id 42")


def test_a_step_s_own_expect_knows_what_it_captured(tmp_path):
    expect = StepExpect(stdout=eq(captured("captured.x")))
    record, _ = played(
        tmp_path, exec_step("make", capture=KEEP, expect=expect), answer=lambda *_: result(stdout=b"id 42")
    )
    assert record.steps[0].outcome == "passed"
    record, _ = played(
        tmp_path / "2", exec_step("make", capture=KEEP, expect=expect), answer=lambda *_: result(stdout=b"no 42")
    )
    assert [(b.what, b.expected) for b in record.steps[0].breaches] == [("stdout", '"id 42"')]


def test_a_capture_that_finds_nothing_fails_the_step(tmp_path):
    record, _ = played(tmp_path, exec_step("make", capture=KEEP), using("look"), answer=lambda *_: result(stdout=b"-"))
    assert outcomes(record) == [("make", "failed"), ("look", "skipped")]
    assert record.steps[0].reason == r"capture.x: expected something that \d+ finds, found nothing"


def test_a_template_without_its_value_fails_whatever_is_allowed(tmp_path):
    steps = (
        exec_step("make", capture=KEEP, continue_on_failure=True),
        using("look", allow=("not_started",)),
    )
    record, _ = played(tmp_path, *steps, answer=lambda *_: result(stdout=b"-"))
    look = record.steps[1]
    assert (look.outcome, look.error_type) == ("failed", "not_started")
    assert "'{{ captured.x }}' cannot be evaluated" in look.reason


def both(*steps: Step, **kw: Any) -> Step:
    return Step(name="both", action=ParallelAction(steps=steps), at=AT, **kw)


def test_parallel_steps_run_at_the_same_time_each_under_its_own_span(tmp_path):
    record, world = played(tmp_path, both(exec_step("left"), exec_step("right", "db")))
    assert outcomes(record) == [("both", "passed"), ("left", "passed"), ("right", "passed")]
    (outer,) = world.tracers[0].named("cleanroom.step:both")
    inner = [span for name in ("left", "right") for span in world.tracers[0].named(f"cleanroom.step:{name}")]
    assert [span.span.parent_id for span in inner] == [outer.span_id] * 2
    # Neither ends before both have begun: they wait for each other.
    assert max(span.span.start_ns for span in inner) < min(span.span.end_ns for span in inner)


def test_a_parallel_step_fails_with_one_of_them(tmp_path):
    steps = (both(exec_step("left"), exec_step("right", "db")), pause("after"))
    record, _ = played(tmp_path, *steps, answer=lambda service, _: result(4 if service == "db" else 0))
    assert outcomes(record) == [("both", "failed"), ("left", "passed"), ("right", "failed"), ("after", "skipped")]
    assert record.steps[0].reason == "step 'right': the command exited with 4"
    assert record.steps[0].error_type == "exit_code"


def test_an_optional_part_of_a_parallel_step_only_degrades(tmp_path):
    step = both(exec_step("left"), exec_step("right", "db", optional=True))
    record, _ = played(tmp_path, step, answer=lambda service, _: result(4 if service == "db" else 0))
    assert outcomes(record) == [("both", "passed"), ("left", "passed"), ("right", "failed")]
    assert record.outcome == "degraded"


def test_what_parts_capture_is_known_after_all_of_them(tmp_path):
    asked = []

    def answer(_service, spec):
        asked.append(spec.command)
        return result(stdout=b"made 42\n")

    played(tmp_path, both(exec_step("left", capture=KEEP), exec_step("right")), using("look"), answer=answer)
    assert asked[-1] == ("echo", "id 42")


def test_parts_end_with_the_step_around_them(tmp_path):
    step = both(pause("short"), pause("long", 3_600_000, timeout=Duration(7200 * 10**9)), timeout=Duration(5 * MS))
    record, world = played(tmp_path, step, real_time=True)
    assert outcomes(record) == [("both", "failed"), ("short", "passed"), ("long", "failed")]
    assert record.steps[2].reason.startswith("the timeout of step 'both', 5ms, ended it: ")
    assert [s.attributes["kind"] for s in world.tracers[0].named("cleanroom.timeout.graceful")] == ["step"]


def test_parts_of_a_skipped_step_are_skipped_by_name(tmp_path):
    record, _ = played(tmp_path, exec_step("first"), both(pause("left")), answer=codes(1))
    assert [(s.name, s.outcome, s.reason) for s in record.steps[1:]] == [
        ("both", "skipped", "step 'first' failed before it"), ("left", "skipped", "step 'first' failed before it"),
    ]  # fmt: skip


def test_faults_strike_before_during_and_after_a_part(tmp_path):
    faults = tuple(
        latency(moment, moment=AtStep(moment=moment, step="left", offset=Duration(0)))  # type: ignore[arg-type]
        for moment in ("before", "during", "after")
    )
    record, _ = played(
        tmp_path, both(exec_step("left"), exec_step("right", "db")), pause("more"), chaos=faults,
        answer=lambda *_: result(),
    )  # fmt: skip
    assert [(f.id, f.injected, f.reverted) for f in record.faults] == [
        ("before", True, True), ("during", True, True), ("after", True, True),
    ]  # fmt: skip


def test_a_step_that_would_begin_after_the_deadline_is_not_started_and_says_so(tmp_path):
    steps = (pause("first", 3_600_000, timeout=Duration(7200 * 10**9), allow=("timeout",)), pause("second"))
    record, world = played(tmp_path, *steps, deadline=Duration(20 * MS), real_time=True)
    first, second = record.steps
    assert (first.outcome, first.error_type) == ("passed", "timeout")
    assert (second.outcome, second.error_type) == ("skipped", "not_started")
    assert second.reason == "not started: the scenario's deadline of 20ms had passed"
    assert record.outcome == "failed"
    (span,) = world.tracers[0].named("cleanroom.timeout.graceful")
    assert (span.attributes["kind"], span.attributes["timeout_ms"]) == ("deadline", 20)


def test_the_timeout_of_the_scenario_fails_a_step_whatever_it_allows(tmp_path):
    step = pause("first", 3_600_000, timeout=Duration(7200 * 10**9), allow=("timeout",))
    record, _ = played(tmp_path, step, timeout=Duration(20 * MS))
    assert (record.steps[0].outcome, record.outcome) == ("failed", "failed")
    assert record.steps[0].reason.startswith("the scenario's timeout of 20ms ended it: ")


@pytest.mark.parametrize(("killed", "spans"), [(False, ["SIGTERM"]), (True, ["SIGTERM", "SIGKILL"])])
def test_a_command_out_of_time_has_a_span_for_each_signal_that_it_needed(tmp_path, killed, spans):
    ended = {"timed_out": True, "killed": killed, "duration_ns": 9 * MS, "terminated_ns": 5 * MS}
    killed_ns = 7 * MS if killed else 0
    record, world = played(tmp_path, exec_step("place"), answer=lambda *_: result(137, **ended, killed_ns=killed_ns))
    found = [s for s in world.tracers[0].spans if s.name.startswith("cleanroom.timeout")]
    assert [s.attributes["signal"] for s in found] == spans
    end = record.steps[0].end_ns
    windows = [(end - s.span.start_ns, end - s.span.end_ns) for s in found]
    assert windows == ([(4 * MS, 2 * MS), (2 * MS, 0)] if killed else [(4 * MS, 0)])


def test_what_is_inside_an_optional_step_is_optional(tmp_path):
    steps = (both(exec_step("left"), exec_step("right", "db"), optional=True), pause("after"))
    record, _ = played(tmp_path, *steps, answer=lambda service, _: result(4 if service == "db" else 0))
    assert outcomes(record) == [("both", "failed"), ("left", "passed"), ("right", "failed"), ("after", "passed")]
    assert [s.optional for s in record.steps] == [True, True, True, False]
    assert record.outcome == "degraded"


def test_a_parallel_step_of_which_a_part_fails_as_wanted_fails_as_wanted(tmp_path):
    step = both(exec_step("left"), exec_step("right", "db"))
    record, _ = played(tmp_path, step, answer=lambda service, _: result(4 if service == "db" else 0))
    assert [s.failed_as_said for s in record.steps] == [True, False, True]


def test_a_parallel_step_of_which_a_part_breaks_its_expect_does_not_fail_as_wanted(tmp_path):
    step = both(exec_step("left"), exec_step("right", "db", expect=StepExpect(exit_code=eq(3))))
    record, _ = played(tmp_path, step, answer=lambda service, _: result(4 if service == "db" else 0))
    assert [s.failed_as_said for s in record.steps] == [False, False, False]
