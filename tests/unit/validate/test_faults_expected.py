"""`expect.faults`: what must be known of a fault, and whom it harmed; each with its control."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from cleanroom.drive.answer import Answer
from cleanroom.run.record import FaultRecord, SteadyRecord
from cleanroom.spec.expect import Expect
from cleanroom.spec.resilience import FaultExpectation
from cleanroom.trace.model import StatusCode
from cleanroom.validate.faults_expected import judge_expected_faults
from cleanroom.validate.impact import SLOWER
from cleanroom.validate.occurrence import FaultState
from cleanroom.validate.scenario import judge_expect
from tests.unit.validate.builders import AT, cmp, eq, record, rules, scene, span, step

MS = 10**6
BEGIN, END = 1_000 * MS, 2_000 * MS
BITTEN = FaultRecord(
    id="slow", kind="network.latency", occurrence=0, targets=("db",), backend="nfqueue", injected=True, verified=True,
    reverted=True, window=(BEGIN, END),
)  # fmt: skip
WINDOW = MappingProxyType({"slow": FaultState(windows=((BEGIN, END),))})


def lasting(number, begin_ms, duration_ms, untimed="", **kw):
    made = span(number, start=begin_ms * MS, end=(begin_ms + duration_ms) * MS, **kw)
    return replace(made, untimed=untimed)


def struck(*spans, faults=(BITTEN,), states=WINDOW, **kw):
    return scene(*spans, scenarios=(record(faults=faults, **kw),), faults=states)


def check(of, level="error", **kw):
    (found,) = judge_expected_faults(of, (FaultExpectation(fault="slow", level=level, at=AT, **kw),))
    return found


def test_verified_holds_with_evidence_of_every_occurrence_and_breaks_without():
    again = replace(BITTEN, occurrence=1)
    good = check(struck(faults=(BITTEN, again)), verified=True)
    assert (rules(good), good.note, good.name) == ([], "2 occurrences", "faults slow verified")
    bad = check(struck(faults=(BITTEN, replace(again, verified=False, reason="no packet was late"))), verified=True)
    assert rules(bad) == ["faults.verified"]
    assert bad.findings[0].found == "occurrence 2 has no evidence: no packet was late"


def test_of_a_fault_that_was_not_drawn_nothing_is_known():
    states = {"slow": FaultState(unusable="no occurrence was drawn", allowed="by chance")}
    undrawn = struck(faults=(replace(BITTEN, drawn=False, injected=False, verified=False),), states=states)
    for wanted in ({"verified": True}, {"backend": eq("nfqueue")}, {"affected": ("api",)}, {"unaffected": ("api",)}):
        found = check(undrawn, **wanted)
        assert (found.inconclusive, found.allowed) == ("no occurrence was drawn", "by chance")


def test_of_a_fault_that_nobody_planned_nothing_is_known():
    assert check(scene(), verified=True).inconclusive == "no such fault was planned here"


def test_the_backend_is_that_of_every_occurrence():
    assert rules(check(struck(), backend=cmp(in_=("netem", "nfqueue")))) == []
    other = struck(faults=(BITTEN, replace(BITTEN, occurrence=1, backend="netem")))
    bad = check(other, backend=eq("nfqueue"))
    assert (rules(bad), bad.findings[0].found) == (["faults.backend"], "netem")


def test_the_backend_of_what_was_not_injected_is_not_known():
    never = struck(faults=(replace(BITTEN, injected=False, backend=""),))
    assert check(never, backend=eq("nfqueue")).inconclusive == "fault slow was not injected"


HARMED = {
    "a span failed": ([lasting(1, 500, 5), lasting(2, 1500, 5, status=StatusCode.ERROR)], {}),
    "it began before": ([lasting(1, 990, 20, status=StatusCode.ERROR)], {}),
    "more failed than before": (
        [lasting(n, 100 * n, 5, status=StatusCode.ERROR if n in (1, 11, 12) else StatusCode.UNSET) for n in range(14)],
        {},
    ),
    "it took longer": ([lasting(1, 500, 10), lasting(2, 1500, 20)], {}),
    "a step failed": ([], {"steps": (step("pay", "failed", service="api", start_ns=BEGIN, end_ns=END),)}),
    "an error was wanted": (
        [],
        {"steps": (step("pay", service="api", error_type="timeout", start_ns=BEGIN, end_ns=END),)},
    ),
    "a probe failed": (
        [],
        {"steady": (SteadyRecord(
            phase="during", rounds=2, answers=(Answer(ok=False, service="api", asked_ns=BEGIN, question="tcp"),),
        ),)},
    ),
}  # fmt: skip
UNHARMED = {
    "nothing failed": ([lasting(1, 500, 5), lasting(2, 1500, 5)], {}),
    "it failed before and after": (
        [lasting(1, 500, 5, status=StatusCode.ERROR), lasting(2, 2500, 5, status=StatusCode.ERROR),
         lasting(3, 1500, 5)],
        {},
    ),
    "as much failed before": ([lasting(n, 400 + 700 * n, 5, status=StatusCode.ERROR) for n in range(2)], {}),
    "a little longer": ([lasting(1, 500, 10), lasting(2, 1500, 19)], {}),
    "twice as long, and still short": ([lasting(1, 500, 9), lasting(2, 1500, 18)], {}),
    "another name took long": ([lasting(1, 500, 10), lasting(2, 1500, 900, name="slow by nature")], {}),
    "another service failed": (
        [lasting(1, 1500, 5), lasting(2, 1500, 5, service="web", status=StatusCode.ERROR)], {},
    ),
    "a step that asks nobody": (
        [lasting(1, 1500, 5)],
        {"steps": (replace(step("wait", "failed", service="api", start_ns=BEGIN, end_ns=END), type="sleep"),)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HARMED)
def test_whom_it_harmed_was_affected_and_not_unaffected(case):
    spans, fields = HARMED[case]
    good = check(struck(*spans, **fields), affected=("api",))
    assert (rules(good), bool(good.note)) == ([], True), good
    bad = check(struck(*spans, **fields), unaffected=("api",))
    assert rules(bad) == ["faults.impact"]
    assert bad.findings[0].expected == "fault slow does not harm api"


@pytest.mark.parametrize("case", UNHARMED)
def test_whom_it_did_not_harm_was_unaffected_and_not_affected(case):
    spans, fields = UNHARMED[case]
    assert rules(check(struck(*spans, **fields), unaffected=("api",))) == []
    bad = check(struck(*spans, **fields), affected=("api",))
    assert (rules(bad), bad.inconclusive) == (["faults.impact"], "")


def test_of_whom_nothing_was_seen_nobody_can_say_that_it_was_not_harmed():
    unseen = struck(lasting(1, 500, 5), lasting(2, 2500, 5))
    assert check(unseen, unaffected=("api",)).inconclusive == "nothing of api was seen while fault slow was active"
    assert rules(check(unseen, affected=("api",))) == ["faults.impact"]


def test_a_span_whose_clock_was_altered_says_nothing():
    odd = struck(lasting(1, 1500, 5, status=StatusCode.ERROR, untimed="its clock"))
    assert check(odd, unaffected=("api",)).inconclusive


def test_a_service_is_known_by_the_name_that_it_declares():
    failed = lasting(1, 1500, 5, service="shop", status=StatusCode.ERROR)
    found = replace(struck(failed), service_names=MappingProxyType({"api": "shop"}))
    assert rules(check(found, affected=("api",))) == []
    assert check(replace(found, service_names=MappingProxyType({})), unaffected=("api",)).inconclusive


def test_a_window_that_never_ended_lasts():
    states = {"slow": FaultState(windows=((BEGIN, 0),))}
    late = struck(lasting(1, 99_000, 5, status=StatusCode.ERROR), states=states)
    assert rules(check(late, affected=("api",))) == []


def test_the_level_is_kept_and_it_is_part_of_what_a_spec_expects():
    wanted = FaultExpectation(fault="slow", verified=True, level="warning", id="proof", at=AT)
    bad = struck(faults=(replace(BITTEN, verified=False),))
    (found,) = judge_expect(bad, Expect(faults=(wanted,), at=AT))
    assert (found.name, found.findings[0].level) == ("faults proof slow verified", "warning")
    assert SLOWER > 1
