"""`determinism.compare` and `normalize.durations`: what must be the same between iterations, and what need not."""

from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.run.record import SuiteRecord
from cleanroom.spec.determinism import Buckets, Determinism, Normalize
from cleanroom.validate.judge import judge_suite
from tests.unit.validate.builders import iteration, otlp, plan, record, span, step, suite

MS = 10**6


def judged(wanted, *iterations):
    """The determinism check over iterations given as (end of the span in ns, name of the span, step)."""
    made = tuple(
        iteration(index, record(payloads=(otlp(span(9, name, parent=3, start=0, end=end)),), steps=(one,)))
        for index, (end, name, one) in enumerate(iterations)
    )
    of = suite(determinism=wanted)
    return judge_suite(SuiteRecord(plan=plan(of, len(made)), iterations=made)).determinism


SAME = (100, "GET /", step("place"))
OTHER_SPAN = (100, "GET /other", step("place"))
OTHER_STEP = (100, "GET /", step("place", outcome="skipped"))
OTHER_OUTPUT = (100, "GET /", step("place", stdout="order 7"))


@pytest.mark.parametrize(
    ("compare", "other", "path"),
    [
        (("trace", "steps"), SAME, ""),
        (("trace", "steps"), OTHER_SPAN, "GET /"),
        (("trace", "steps"), OTHER_STEP, "step place"),
        (("trace", "steps"), OTHER_OUTPUT, ""),
        (("trace",), OTHER_SPAN, "GET /"),
        (("trace",), OTHER_STEP, ""),
        (("steps",), OTHER_SPAN, ""),
        (("steps",), OTHER_STEP, "step place"),
        (("output",), OTHER_OUTPUT, "step place, stdout"),
        (("output",), OTHER_SPAN, ""),
        (("output",), OTHER_STEP, ""),
        (("trace", "steps", "output"), SAME, ""),
        (("trace", "steps", "output"), OTHER_OUTPUT, "step place, stdout"),
        (("trace", "steps", "output"), OTHER_SPAN, "GET /"),
    ],
)
def test_only_what_is_compared_must_be_the_same(compare, other, path):
    check = judged(Determinism(iterations=2, compare=compare), SAME, other)
    assert bool(check.findings) == bool(path)
    assert all(path in finding.found for finding in check.findings)


def test_outputs_are_compared_under_the_rules_of_the_trace():
    def at(address):
        return (100, "GET /", step("place", stderr=f"listening on {address}\n"))

    wanted = Determinism(iterations=2, compare=("output",))
    assert judged(wanted, at("10.213.0.10"), at("10.213.0.10")).findings == ()
    assert judged(wanted, at("10.213.0.10"), at("10.213.0.99")).findings


@pytest.mark.parametrize(
    ("ends", "same"),
    [((100 * MS, 199 * MS), True), ((99 * MS, 100 * MS), False), ((0, 99 * MS), True), ((5 * MS, 205 * MS), False)],
)
def test_durations_are_compared_in_steps(ends, same):
    bucket = Normalize(durations=Buckets(bucket=Duration(100 * MS)))
    runs = [(end, "GET /", step("place")) for end in ends]
    check = judged(Determinism(iterations=2, normalize=bucket), *runs)
    assert (check.findings == ()) is same
    assert all("duration" in finding.found for finding in check.findings)
    assert judged(Determinism(iterations=2), *runs).findings == ()
