from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.run.record import StepBreach, Trouble
from cleanroom.spec.expect import OutcomeExpectation
from cleanroom.spec.source import Position
from cleanroom.spec.step import SleepAction, Step
from cleanroom.validate.outcome import judge_ending, judge_outcome
from cleanroom.validate.rules import RULES
from cleanroom.validate.steps import judge_steps
from tests.unit.validate.builders import AT, expecting, findings, record, rules, scenario, scene, step


def two(**kw):
    steps = tuple(Step(name=n, action=SleepAction(duration=Duration(1)), at=AT) for n in ("place", "read"))
    return scenario(steps=steps, **kw)


def test_steps_that_passed_are_checks_that_hold():
    checks = judge_steps(two(), record(steps=(step("place"), step("read"))))

    assert [c.name for c in checks] == ['step "place"', 'step "read"']
    assert rules(checks) == []


@pytest.mark.parametrize(
    "what",
    ["exit_code", "stdout", "stderr", "status", "headers.x", "body", "json.items[0].id", "error_type", "duration"],
)
def test_a_breach_is_a_finding_at_its_own_place(what):
    there = Position("shop.cleanroom.yaml", 20, 9)
    failed = step("place", "failed", breaches=(StepBreach(what=what, expected="= 1", found="2", at=there),))

    (found,) = findings(judge_steps(scenario(), record(steps=(failed,))))

    assert found.rule == f"step.{what.split('.')[0]}"
    assert found.rule in RULES
    assert (found.at, found.expected, found.found) == (there, f'step "place": {what} = 1', "2")


def test_a_breach_of_something_else_is_a_failed_step():
    error = StepBreach(what="error", expected="no error", found="refused")
    failed = step("place", "failed", breaches=(StepBreach(what="rows", expected="1", found="2"), error))

    rows, refused = findings(judge_steps(scenario(), record(steps=(failed,))))

    assert (rows.rule, rows.at) == ("step.failed", AT)
    assert (refused.rule, refused.expected) == ("step.failed", 'step "place": no error')


def test_a_failed_step_without_breach_says_why():
    failed = step("place", "failed", reason="no answer", error_type="timeout", exit_code=137)

    (found,) = findings(judge_steps(scenario(), record(steps=(failed,))))

    assert found.found == "no answer, error type timeout, exit code 137"


def test_an_optional_step_that_failed_is_noted():
    (check,) = judge_steps(scenario(), record(steps=(step("place", "failed", reason="no", optional=True),)))

    assert check.findings == ()
    assert check.note == "failed (optional): no"


def test_a_step_skipped_after_a_failure_is_noted_and_the_failure_breaks():
    steps = (step("place", "failed"), step("read", "skipped"))

    assert rules(judge_steps(two(), record(steps=steps))) == ["step.failed"]
    assert rules(judge_steps(two(), record(steps=steps[:1]))) == ["step.failed"]


def test_a_step_skipped_without_a_failure_breaks():
    steps = (step("place"), step("read", "skipped", reason="after the deadline"))

    (found,) = findings(judge_steps(two(), record(steps=steps)))

    assert found.rule == "step.skipped"
    assert "after the deadline" in found.found


def test_a_failure_does_not_explain_that_there_was_no_time_left():
    late = step(
        "read", outcome="skipped", reason="not started: the deadline of 1s had passed", error_type="not_started"
    )
    _, check = judge_steps(two(), record(steps=(step("place", "failed"), late)))

    (found,) = check.findings
    assert found.found == "it was skipped: not started: the deadline of 1s had passed"


def test_a_step_that_never_ran_breaks_or_is_open_where_trouble_explains_it():
    assert rules(judge_steps(two(), record(steps=(step("place"),)))) == ["step.missing"]
    troubled = record(steps=(step("place"),), trouble=Trouble(exit_code=4, message="engine gone"))
    assert judge_steps(two(), troubled)[1].inconclusive == "it did not run: engine gone"


def test_a_failure_of_a_step_the_spec_does_not_name_still_breaks():
    assert rules(judge_steps(scenario(), record(steps=(step("place"), step("hidden", "failed"))))) == ["step.failed"]


def test_where_the_spec_wants_a_failure_only_the_outcome_is_judged():
    wanting = two(expect=expecting(outcome=OutcomeExpectation(outcome="failed", at=AT)))
    failed = record(outcome="failed", steps=(step("place", "failed"), step("read", "skipped")))
    passed = record(steps=(step("place"), step("read")))

    assert rules(judge_steps(wanting, failed)) == []
    assert rules(judge_outcome(scene(scenarios=(failed,)), wanting.expect.outcome)) == []
    assert rules(judge_outcome(scene(scenarios=(passed,)), wanting.expect.outcome)) == ["outcome"]


@pytest.mark.parametrize("outcome", ["degraded", "failed", "inconclusive", "error"])
def test_the_wanted_outcome_is_exact(outcome):
    wanted = OutcomeExpectation(outcome="passed", at=AT)

    assert rules(judge_outcome(scene(scenarios=(record(),)), wanted)) == []
    assert rules(judge_outcome(scene(scenarios=(record(outcome=outcome),)), wanted)) == ["outcome"]
    assert rules(judge_outcome(scene(), wanted)) == ["outcome"]


def test_a_bad_ending_that_no_check_explains_is_never_a_pass():
    assert rules(judge_ending(record(outcome="failed"), (), "")) == ["scenario.outcome"]
    assert rules(judge_ending(record(outcome="error"), (), "")) == ["scenario.outcome"]
    (found,) = findings(
        judge_ending(record(outcome="failed", steps=(step("a"), step("b", "failed", reason="no"))), (), "")
    )
    assert found.found == 'it ended as failed (step "b": no)'
    (check,) = judge_ending(record(outcome="inconclusive"), (), "")
    assert check.inconclusive


def test_an_ending_that_is_good_wanted_or_explained_is_not_reported_again():
    explained = judge_steps(scenario(), record(steps=(step("place", "failed"),)))

    assert judge_ending(record(), (), "") == ()
    assert judge_ending(record(outcome="degraded"), (), "") == ()
    assert judge_ending(record(outcome="failed"), (), "failed") == ()
    assert judge_ending(record(outcome="failed"), explained, "") == ()
