from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.run.record import RecoveryRecord
from cleanroom.spec.fault import Repeat
from cleanroom.validate.faults import judge_faults, unreverted
from cleanroom.validate.occurrence import merged, occurrences, states
from tests.unit.validate.builders import SEC, bitten, event, fault, findings, rules

SLOW = fault()
UNVERIFIED = bitten(SLOW, verified=False, reason="the round trip did not change")


def test_a_fault_that_bit_and_was_taken_back_holds():
    checks = judge_faults((event(SLOW),), (bitten(SLOW),))

    assert [(c.name, c.inconclusive, c.findings) for c in checks] == [
        ("fault slow bit", "", ()),
        ("fault slow was taken back", "", ()),
    ]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ((), "it was planned, and the scenario ended before it struck"),
        ((bitten(SLOW, injected=False, verified=False, reason="no rung"),), "it was not injected: no rung"),
        ((UNVERIFIED,), "it was injected, and no effect could be measured: the round trip did not change"),
    ],
)
def test_no_evidence_is_inconclusive(records, why):
    check = judge_faults((event(SLOW),), records)[0]

    assert (check.inconclusive, check.allowed) == (why, "")


def test_leave_to_be_inconclusive_is_carried_by_the_check():
    lenient = fault(allow_inconclusive="no netem here")

    assert judge_faults((event(lenient),), (UNVERIFIED,))[0].allowed == "no netem here"
    assert judge_faults((event(lenient),), (bitten(lenient),))[0].allowed == ""


def test_verify_false_waives_the_measurement_and_not_the_injection():
    unmeasured = fault(verify=False, verify_reason="seen elsewhere")

    check = judge_faults((event(unmeasured),), (UNVERIFIED,))[0]
    assert (check.inconclusive, check.note) == ("", "not measured, by the spec: seen elsewhere")
    never = judge_faults((event(unmeasured),), (bitten(unmeasured, injected=False),))[0]
    assert never.inconclusive


def test_an_occurrence_that_was_not_drawn_is_reported_and_not_counted_against():
    rare = fault(probability=0.1)

    (check,) = judge_faults((event(rare, drawn=False),), ())

    assert (check.inconclusive, check.findings) == ("", ())
    assert check.note == "not drawn (probability 0.1): nothing was injected"


def test_a_fault_that_was_not_taken_back_is_a_finding():
    stuck = bitten(SLOW, reverted=False, reason="tc: busy")

    (found,) = findings(judge_faults((event(SLOW),), (stuck,)))

    assert (found.rule, found.found) == ("fault.reverted", "tc: busy")
    never = bitten(SLOW, injected=False, reverted=False, window=(0, 0))
    assert unreverted((stuck, bitten(SLOW), never)) == (stuck,)


def test_an_injection_that_failed_half_way_and_stays_is_a_finding_whatever_was_allowed():
    lenient = fault(allow_inconclusive="no netem here")
    half = bitten(lenient, injected=False, verified=False, reverted=False, reason="tc: busy")

    checks = judge_faults((event(lenient),), (half,))

    assert [c.rule for c in checks] == ["fault.verified", "fault.reverted"]
    assert rules(checks) == ["fault.reverted"]
    assert unreverted((half,)) == (half,)


@pytest.mark.parametrize(("success", "broken"), [(True, []), (False, ["fault.recovery"])])
def test_what_does_not_come_back_is_a_finding(success, broken):
    back = bitten(SLOW, recovery=RecoveryRecord(strategy="start", duration_ns=SEC, success=success))

    assert rules(judge_faults((event(SLOW),), (back,))) == broken


def test_each_occurrence_is_matched_with_its_own_record():
    twice = fault(repeat=Repeat(every=Duration(SEC), times=2))

    checks = judge_faults((event(twice), event(twice, 1)), (bitten(twice, 1),))

    assert checks[0].inconclusive
    assert [c.name for c in checks[1:]] == ["fault slow occurrence 2 bit", "fault slow occurrence 2 was taken back"]
    assert checks[1].inconclusive == ""


def state(events, records):
    return states(occurrences(events, records))["slow"]


def test_a_proven_fault_has_its_windows():
    assert state((event(SLOW),), (bitten(SLOW),)).windows == ((2 * SEC, 3 * SEC),)


@pytest.mark.parametrize(
    ("events", "records", "why"),
    [
        ((event(SLOW, drawn=False),), (), "no occurrence of fault slow was drawn"),
        ((event(SLOW),), (UNVERIFIED,), "no effect could be measured"),
        ((event(SLOW),), (), "ended before it struck"),
        ((event(SLOW),), (bitten(SLOW, window=(0, 0)),), "its window was not recorded"),
        ((event(SLOW), event(SLOW, 1)), (bitten(SLOW),), "occurrence 2"),
    ],
)
def test_a_fault_without_evidence_has_no_windows(events, records, why):
    found = state(events, records)

    assert found.windows == ()
    assert why in found.unusable


def test_an_undrawn_occurrence_does_not_spoil_the_drawn_ones():
    assert state((event(SLOW), event(SLOW, 1, drawn=False)), (bitten(SLOW),)).unusable == ""


def test_over_scenarios_windows_add_up_and_one_without_evidence_spoils_all():
    good, bad = states(occurrences((event(SLOW),), (bitten(SLOW),))), states(occurrences((event(SLOW),), ()))

    assert merged((good, good))["slow"].windows == ((2 * SEC, 3 * SEC),) * 2
    assert merged((good, bad))["slow"].unusable
    lenient = fault(allow_inconclusive="known")
    assert merged((good, states(occurrences((event(lenient),), ()))))["slow"].allowed == "known"
