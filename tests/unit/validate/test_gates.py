from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import ExitCode
from cleanroom.run.pass_rate import PassRate, read_pass_rate, read_pass_rates
from cleanroom.run.record import SuiteRecord, Trouble
from cleanroom.run.skipped import Skipped, SkippedScenario
from cleanroom.spec.scenario import KnownFailure
from cleanroom.validate.judge import judge_session
from tests.unit.validate.builders import iteration, otlp, plan, record, scenario, served, session, step, suite

SERVED = record(payloads=(otlp(served()),))
FAILED = replace(SERVED, outcome="failed", steps=(step("place", "failed"),))
UNKNOWN = Trouble(exit_code=6, message="nobody knows")
ALL = PassRate(least=8500)


def made(*words, tags=(), required=True, iterations=1, unlike=False):
    """The record of a suite with a scenario for each word (passed, failed, known, open), in every iteration."""
    known = KnownFailure(reason="accepted")
    scenarios, records = [], []
    for number, word in enumerate(words):
        name = f"{word} {number}"
        scenarios.append(
            replace(scenario(expect=None), name=name, tags=tags, known_failure=known if word == "known" else None)
        )
        one = FAILED if word in ("failed", "known") else SERVED
        records.append(replace(one, name=name, noise_traces=(), trace_id=f"{number + 1:032x}"))
        if word == "open":
            scenarios[-1] = replace(scenarios[-1], allow_inconclusive="")
            records[-1] = replace(SERVED, name=name, outcome="inconclusive", trace_id=f"{number + 1:032x}")
    whole = replace(suite(*scenarios), scenarios=tuple(scenarios), required=required)
    rounds = [records] * iterations
    if unlike:
        rounds[-1] = [replace(r, outcome="failed", steps=(step("place", "failed"),)) for r in records]
    return SuiteRecord(
        plan=plan(whole, iterations=iterations),
        iterations=tuple(iteration(index, *some) for index, some in enumerate(rounds)),
    )


def judged(*suites, rates=(), skipped=()):
    return judge_session(replace(session(*suites), pass_rates=tuple(rates), skipped=tuple(skipped)))


def left(kind="budget", tags=(), required=True, scenarios=1):
    return Skipped(
        suite="late", file="late.cleanroom.yaml", kind=kind, why="why", tags=tags, required=required,
        scenarios=tuple(SkippedScenario(name=f"s{n}") for n in range(scenarios)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "rate", "state", "code"),
    [
        (["passed"] * 17 + ["failed"] * 3, 8500, "met", ExitCode.PASS),
        (["passed"] * 16 + ["failed"] * 4, 8500, "missed", ExitCode.FINDINGS),
        (["passed"] * 9 + ["failed"], 9001, "missed", ExitCode.FINDINGS),
        (["passed"] * 9 + ["failed"], 9000, "met", ExitCode.PASS),
        (["passed"], 10000, "met", ExitCode.PASS),
        (["failed"], 1, "missed", ExitCode.FINDINGS),
        (["passed", "open"], 10000, "not judged", ExitCode.INCONCLUSIVE),
        (["passed", "open"], 5000, "met", ExitCode.PASS),
        (["failed", "open"], 9000, "missed", ExitCode.FINDINGS),
        (["passed", "known"], 10000, "met", ExitCode.PASS),
        (["known"], 100, "missed", ExitCode.FINDINGS),
    ],
)
def test_a_rate_is_met_missed_or_not_judged_and_decides_for_what_it_covers(words, rate, state, code):
    verdict = judged(made(*words), rates=[PassRate(least=rate)])

    (gate,) = verdict.gates
    assert gate.state == state
    assert verdict.exit_code is code
    counted = (gate.passed, gate.failed, gate.not_judged, gate.known)
    assert counted == tuple(words.count(word) for word in ("passed", "failed", "open", "known"))


def test_without_a_rate_one_failure_fails_the_run():
    assert judged(made(*["passed"] * 9, "failed")).exit_code is ExitCode.FINDINGS
    assert judged(made(*["passed"] * 9, "failed")).reasons == ("failure",)


def test_a_rate_of_a_tag_covers_that_tag_alone():
    smoke = PassRate(least=5000, tag="smoke")

    assert judged(made("passed", "failed", tags=("smoke",)), rates=[smoke]).exit_code is ExitCode.PASS
    assert judged(made("failed", "failed", tags=("smoke",)), rates=[smoke]).exit_code is ExitCode.FINDINGS
    other = judged(made("passed", "failed", tags=("slow",)), rates=[smoke])
    assert other.exit_code is ExitCode.FINDINGS
    assert other.gates[0].state == "missed"


def test_every_rate_that_covers_a_scenario_must_be_met():
    rates = [ALL, PassRate(least=10000, tag="smoke")]
    verdict = judged(made(*["passed"] * 9, "failed", tags=("smoke",)), rates=rates)

    assert [gate.state for gate in verdict.gates] == ["met", "missed"]
    assert verdict.exit_code is ExitCode.FINDINGS


@pytest.mark.parametrize("suites", [[], [made("passed", required=False)]])
def test_a_rate_of_nothing_is_missed(suites):
    verdict = judged(*suites, rates=[ALL])

    assert [gate.state for gate in verdict.gates] == ["missed"]
    assert verdict.exit_code is ExitCode.FINDINGS


def test_a_rate_does_not_cover_nondeterminism():
    verdict = judged(made("passed", "passed", iterations=2, unlike=True), rates=[PassRate(least=100)])

    assert verdict.exit_code is ExitCode.FINDINGS
    assert "nondeterminism" in verdict.reasons


def test_a_rate_does_not_cover_an_error_or_an_iteration_that_is_missing():
    broken = replace(made(*["passed"] * 9), trouble=Trouble(exit_code=4, message="gone"))
    assert judged(broken, rates=[PassRate(least=100)]).exit_code is ExitCode.ENGINE
    short = made(*["passed"] * 9, iterations=2)
    short = replace(short, iterations=short.iterations[:1])
    assert judged(short, rates=[PassRate(least=100)]).exit_code is not ExitCode.PASS


def test_a_suite_that_is_not_required_decides_by_an_error_only():
    optional = made("failed", required=False)

    assert judged(optional).exit_code is ExitCode.PASS
    assert judged(optional).suites[0].verdict == "fail"
    assert judged(optional).reasons == ()
    assert judged(optional, made("failed")).exit_code is ExitCode.FINDINGS
    assert judged(replace(optional, trouble=Trouble(exit_code=4, message="gone"))).exit_code is ExitCode.ENGINE
    interrupted = replace(session(optional), interrupted=True)
    assert judge_session(interrupted).exit_code is ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("skipped", "code"),
    [
        (left("tier"), ExitCode.PASS),
        (left("tags"), ExitCode.PASS),
        (left("budget"), ExitCode.INCONCLUSIVE),
        (left("failures"), ExitCode.INCONCLUSIVE),
        (left("interrupted"), ExitCode.INCONCLUSIVE),
        (left("budget", required=False), ExitCode.PASS),
    ],
)
def test_what_was_asked_for_and_did_not_run_is_never_a_pass(skipped, code):
    assert judged(made("passed"), skipped=[skipped]).exit_code is code


def test_a_rate_counts_what_did_not_run_as_not_judged():
    half = judged(made("passed"), skipped=[left()], rates=[PassRate(least=5000)])
    assert (half.gates[0].state, half.gates[0].not_judged, half.exit_code) == ("met", 1, ExitCode.PASS)
    more = judged(made("passed"), skipped=[left()], rates=[PassRate(least=5100)])
    assert (more.gates[0].state, more.exit_code) == ("not judged", ExitCode.INCONCLUSIVE)
    of_a_tag = judged(made("passed", tags=("a",)), skipped=[left()], rates=[PassRate(least=5000, tag="a")])
    assert (of_a_tag.gates[0].state, of_a_tag.exit_code) == ("met", ExitCode.INCONCLUSIVE)


def test_rates_are_read_exactly():
    assert read_pass_rate("85") == PassRate(least=8500)
    assert read_pass_rate("smoke = 99.5 %") == PassRate(least=9950, tag="smoke")
    assert read_pass_rate("33.33").percent == "33.33 %"
    for text in ("0", "101", "-1", "x", "", "=85", "85.123", "smoke=", "1e2", "100.01"):
        with pytest.raises(ValueError, match="expected a percentage"):
            read_pass_rate(text)
    with pytest.raises(ValueError, match="tag a: given twice"):
        read_pass_rates(("a=1", "a=2"))
    with pytest.raises(ValueError, match="all scenarios: given twice"):
        read_pass_rates(("1", "2"))
