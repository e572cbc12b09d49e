from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.engine.ports import Inventory
from cleanroom.errors import ExitCode
from cleanroom.run.record import CleanupRecord, StepBreach, SuiteRecord, Trouble
from cleanroom.spec.scenario import ExpectedFailure, KnownFailure
from cleanroom.validate.judge import judge_session, judge_suite
from cleanroom.validate.verdict import check_word, is_broken, is_known
from tests.unit.validate.builders import (
    AT,
    expecting,
    iteration,
    otlp,
    plan,
    record,
    rules,
    scenario,
    served,
    session,
    step,
    suite,
    want,
)

SERVED = record(payloads=(otlp(served()),))
REFUSED = step("place", "failed", error_type="exit_code", exit_code=3, reason="exit code 3")
AS_SAID = step("place", error_type="exit_code", exit_code=3)
BREACHED = step(
    "place", "failed", error_type="exit_code", exit_code=4, reason="exit_code: expected 3, found 4",
    breaches=(StepBreach(what="exit_code", expected="3", found="4", at=AT),),
)  # fmt: skip
WANTED = {"expect": None, "expect_failure": ExpectedFailure(reason="the stock is empty")}
LAX = KnownFailure(reason="rounding is not decided yet", strict=False)
KNOWN = replace(LAX, strict=True)


def run(*records, **kw):
    """The verdict on a suite of one scenario, with an iteration for each record."""
    planned = plan(suite(scenario(**kw)), iterations=len(records))
    return judge_suite(
        SuiteRecord(plan=planned, iterations=tuple(iteration(index, one) for index, one in enumerate(records)))
    )


def played(one, outcome="failed", **kw):
    return replace(SERVED, outcome=outcome, steps=(one,), **kw)


def check_of(verdict, rule, index=0):
    (found,) = (c for c in verdict.iterations[index].scenarios[0].checks if c.rule == rule)
    return found


@pytest.mark.parametrize(("one", "outcome"), [(AS_SAID, "passed"), (REFUSED, "passed")])
def test_a_step_that_fails_as_expected_is_a_pass_and_says_so(one, outcome):
    verdict = run(played(one, outcome), **WANTED)

    assert verdict.exit_code is ExitCode.PASS
    note = check_of(verdict, "scenario.expect_failure").note
    assert note == 'as expected (the stock is empty): "place" with exit_code'


def test_an_expected_failure_that_does_not_come_is_a_finding():
    verdict = run(played(step("place"), "failed"), **WANTED)

    assert verdict.exit_code is ExitCode.FINDINGS
    (found,) = check_of(verdict, "scenario.expect_failure").findings
    assert found.found == "no step failed"
    assert "the stock is empty" in found.expected


def test_a_failure_in_another_way_is_a_finding_of_the_step_and_of_the_scenario():
    verdict = run(played(BREACHED), **WANTED)

    assert rules(verdict.iterations[0].scenarios[0].checks) == ["step.exit_code", "scenario.expect_failure"]
    assert "failure of another kind" in check_of(verdict, "scenario.expect_failure").findings[0].found


def test_a_skipped_step_and_an_engine_that_fails_are_no_expected_failure():
    for one in (step("place", "skipped"), step("place", "failed", error_type="engine")):
        assert not one.failed_as_said
        assert run(played(one), **WANTED).exit_code is ExitCode.FINDINGS


def test_an_expected_failure_under_trouble_is_not_judged():
    trouble = Trouble(exit_code=4, message="the engine is gone")
    verdict = run(replace(SERVED, outcome="error", steps=(), trouble=trouble), **WANTED)

    assert verdict.exit_code is ExitCode.ENGINE
    assert check_of(verdict, "scenario.expect_failure").inconclusive == "the engine is gone"


def test_a_known_failure_is_reported_and_does_not_count():
    verdict = run(played(REFUSED), expect=expecting(want("DELETE *")), known_failure=KNOWN)

    assert (verdict.verdict, verdict.exit_code) == ("pass", ExitCode.PASS)
    one = verdict.iterations[0].scenarios[0]
    assert one.outcome == "known"
    known = [c for c in one.checks if is_known(c)]
    assert [c.rule for c in known] == ["step.failed", "spans.count"]
    assert {(c.accepted, check_word(c), is_broken(c)) for c in known} == {
        ("rounding is not decided yet", "known", False)
    }
    assert all(c.findings for c in known)
    assert check_of(verdict, "scenario.known_failure").note == "known: rounding is not decided yet"


def test_a_known_failure_is_counted_as_known_alone():
    record_of = SuiteRecord(
        plan=plan(suite(scenario(expect=None, known_failure=KNOWN)), iterations=1),
        iterations=(iteration(0, played(REFUSED)),),
    )

    whole = judge_session(session(record_of))

    assert whole.exit_code is ExitCode.PASS
    assert (whole.counts["failed"], whole.counts["known"]) == (0, 1)


def test_a_known_failure_that_passes_is_a_finding_when_strict_and_a_note_when_not():
    strict = run(played(step("place"), "passed"), expect=None, known_failure=KNOWN)
    assert strict.exit_code is ExitCode.FINDINGS
    (found,) = check_of(strict, "scenario.known_failure").findings
    assert (found.found, "take known_failure out" in found.remedy) == ("the scenario passed", True)

    lax = run(played(step("place"), "passed"), expect=None, known_failure=LAX)
    assert lax.exit_code is ExitCode.PASS
    note = check_of(lax, "scenario.known_failure").note
    assert note == "it passed, though known: rounding is not decided yet"


def test_a_known_failure_in_some_iterations_is_nondeterminism():
    verdict = run(played(REFUSED), played(step("place"), "passed"), expect=None, known_failure=LAX)

    assert verdict.exit_code is ExitCode.FINDINGS
    assert rules((verdict.determinism,)) == ["determinism.identical"]


def test_leftovers_and_missing_telemetry_are_never_accepted():
    left = CleanupRecord(left=Inventory(containers=("c1",)))
    assert run(played(REFUSED, cleanup=left), expect=None, known_failure=KNOWN).exit_code is not ExitCode.PASS
    nothing = record(outcome="passed", steps=(step("place"),))
    verdict = run(nothing, expect=expecting(want("DELETE *")), known_failure=KNOWN)
    assert verdict.exit_code is ExitCode.TELEMETRY
    assert check_of(verdict, "scenario.known_failure").inconclusive
