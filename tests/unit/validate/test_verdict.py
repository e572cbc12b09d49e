from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import ExitCode
from cleanroom.spec.suite import Determinism
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.validate.determinism import Run, judge_determinism
from cleanroom.validate.model import Check, Finding, IterationDigests
from cleanroom.validate.verdict import PRECEDENCE, check_word, code_of, code_of_checks, is_evidence, word_of, worst

HOLDS = Check(rule="spans.count", name="a")
BROKEN = Check(rule="spans.count", name="b", findings=(Finding(rule="spans.count", expected="1", found="0"),))
SILENT = Check(
    rule="spans.count",
    name="c",
    findings=(Finding(rule="spans.count", expected="1", found="0", telemetry_missing=True),),
)
WARNED = Check(
    rule="spans.count",
    name="d",
    findings=(Finding(rule="spans.count", level="warning", expected="1", found="0", telemetry_missing=True),),
)
OPEN = Check(rule="spans.count", name="e", inconclusive="no evidence")
ALLOWED = Check(rule="spans.count", name="f", inconclusive="no evidence", allowed="known")
ALWAYS = Check(rule="telemetry.forged", name="g")
FAULT = Check(rule="fault.verified", name="h")


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ((), ExitCode.INCONCLUSIVE),
        ((ALWAYS,), ExitCode.INCONCLUSIVE),
        ((FAULT, ALWAYS), ExitCode.INCONCLUSIVE),
        ((ALLOWED,), ExitCode.INCONCLUSIVE),
        ((HOLDS,), ExitCode.PASS),
        ((WARNED,), ExitCode.PASS),
        ((HOLDS, ALLOWED), ExitCode.PASS),
        ((HOLDS, OPEN), ExitCode.INCONCLUSIVE),
        ((HOLDS, OPEN, BROKEN), ExitCode.FINDINGS),
        ((HOLDS, OPEN, BROKEN, SILENT), ExitCode.TELEMETRY),
        ((replace(SILENT, findings=(*BROKEN.findings, *SILENT.findings)),), ExitCode.TELEMETRY),
    ],
)
def test_the_code_of_checks_follows_the_precedence(checks, code):
    assert code_of_checks(checks) is code


@given(st.lists(st.sampled_from([HOLDS, BROKEN, SILENT, WARNED, OPEN, ALLOWED, ALWAYS, FAULT])))
def test_a_pass_has_evidence_and_nothing_broken_or_open(checks):
    clean = not any(c in (BROKEN, SILENT, OPEN) for c in checks)

    assert (code_of_checks(checks) is ExitCode.PASS) == (clean and any(is_evidence(c) for c in checks))


@given(st.lists(st.sampled_from(list(ExitCode)), min_size=1))
def test_the_worst_code_is_one_of_them_and_a_pass_only_of_passes(codes):
    assert worst(codes) in codes
    assert (worst(codes) is ExitCode.PASS) == (set(codes) == {ExitCode.PASS})


def test_the_precedence_ranks_every_code_as_the_spec_language_says():
    assert set(PRECEDENCE) == set(ExitCode)
    ranked = [130, 4, 5, 1, 6, 0]
    assert [int(c) for c in PRECEDENCE if c in ranked] == ranked


def test_of_nothing_the_worst_is_no_pass():
    assert worst(()) is ExitCode.INCONCLUSIVE


def test_words_of_codes_and_checks():
    assert [word_of(ExitCode(n)) for n in (0, 1, 6, 4, 5, 130, 2, 3)] == [
        "pass", "fail", "inconclusive", "error", "error", "error", "error", "error",
    ]  # fmt: skip
    assert [check_word(c) for c in (HOLDS, BROKEN, WARNED, OPEN, ALLOWED)] == [
        "pass", "fail", "pass", "inconclusive", "inconclusive",
    ]  # fmt: skip


def test_trouble_is_never_a_pass():
    assert (code_of(0), code_of(77), code_of(5)) == (ExitCode.ENGINE, ExitCode.ENGINE, ExitCode.TELEMETRY)


def ran(index, digest="d", rule_set="r", **parts):
    digests = IterationDigests(
        digest=digest,
        trace="t",
        schedule=parts.get("schedule", "s"),
        outcome=parts.get("outcome", "o"),
        rule_set=rule_set,
    )
    return Run(index=index, digests=digests, trace=NormalisedTrace(rule_set=rule_set), facts=parts.get("facts", {}))


def test_other_rule_sets_are_not_comparable_and_not_different():
    check, divergence = judge_determinism(Determinism(), (ran(0), ran(1, "e", "q")), 2)

    assert divergence is None
    assert check.findings == ()
    assert "different rule sets" in check.inconclusive


def test_a_difference_that_no_fact_names_is_still_a_divergence():
    check, divergence = judge_determinism(Determinism(), (ran(0), ran(1, "e", schedule="other")), 2)

    assert [f.rule for f in check.findings] == ["determinism.identical"]
    assert (divergence.path, divergence.left_value, divergence.right_value) == ("schedule digest", "s", "other")


def test_iterations_that_could_not_be_compared_are_inconclusive():
    check, _ = judge_determinism(Determinism(), (ran(0),), 2)

    assert check.inconclusive == "only 1 of 2 iterations could be compared"


def test_a_fact_that_is_absent_on_one_side_is_a_divergence():
    left, right = ran(0, facts={("step a", "outcome"): "passed"}), ran(1, "e", facts={})

    _, divergence = judge_determinism(Determinism(), (left, right), 2)

    assert (divergence.path, divergence.left_value, divergence.right_value) == ("step a", "passed", "absent")
