from __future__ import annotations

import time
from dataclasses import replace
from types import MappingProxyType

import pytest

from cleanroom.quantity import Duration
from cleanroom.run.scenario import outcome_of, stuck_in
from cleanroom.spec.fault import AtManual, AtOffset, AtProbe, AtStep, Fault
from cleanroom.spec.probe import ContainerProbe, Probe
from cleanroom.spec.target import Target
from cleanroom.validate.faults import judge_faults
from tests.unit.run.test_chaos import PATIENCE, Stand
from tests.unit.run.worlds import AT, MS, latency, order

PLACE = AtStep(moment="before", step="place")


def part(name: str, **options: object) -> Fault:
    return latency(name, moment=AtManual(), **options)


def composite(kind: str, parameters: dict[str, object], **options: object) -> Fault:
    return Fault(
        id="all", kind=f"composite.{kind}", moment=PLACE, parameters=MappingProxyType(parameters), at=AT, **options
    )  # type: ignore[arg-type]


def concurrent(*names: str, **options: object) -> Fault:
    return composite("concurrent", {"faults": names}, **options)


def monkey(**options: object) -> Fault:
    given = {"rate": 1.0, "every": Duration(20 * MS), "weights": MappingProxyType({"a": 1.0}), "max_concurrent": 1}
    return composite("monkey", given, **{"duration": Duration(100 * MS), **options})


def test_parts_have_records_and_spans_of_their_own_under_the_composites():
    stand = Stand((part("a"), part("b"), concurrent("a", "b")))
    stand.chaos.before_step("place")
    whole, a, b = stand.chaos.finish()
    assert [(r.id, r.within, r.verified, r.reverted) for r in (whole, a, b)] == [
        ("all", "", True, True), ("a", "all#0", True, True), ("b", "all#0", True, True),
    ]  # fmt: skip
    assert a.key == "all#0/a#0"
    (above,) = stand.tracer.named("cleanroom.chaos.composite.concurrent")
    below = stand.tracer.named("cleanroom.chaos.network.latency")
    assert {span.span.parent_id for span in below} == {above.span_id}
    assert (above.ended, above.failed, [name for name, _ in above.events]) == (
        True, False, ["injected", "effect_verified", "reverted"],
    )  # fmt: skip
    assert whole.evidence["parts"] == whole.evidence["verified"] == 2
    assert whole.evidence["together_ms"] > 0
    assert stand.journal[0].id == "all"
    assert outcome_of((), (whole, a, b), order(chaos=stand.faults)) == "passed"


@pytest.mark.parametrize(("waived", "proven"), [((), True), (("b",), True), (("a", "b"), False)])
def test_what_is_made_of_nothing_proven_is_not_proven(waived, proven):
    parts = tuple(part(name, allow_inconclusive="no netem" if name in waived else "") for name in "ab")
    stand = Stand((*parts, concurrent("a", "b")), shapes={name: {"holds": False} for name in waived})
    stand.chaos.before_step("place")
    whole, *_ = stand.chaos.finish()
    assert (whole.verified, "none of its parts is proven" in whole.reason) == (proven, not proven)


def test_parts_of_which_one_ended_before_the_other_began_were_not_concurrent(monkeypatch):
    stand = Stand((part("a"), part("b"), concurrent("a", "b")))
    monkeypatch.setattr("cleanroom.run.composite._together", lambda _begun: {"together_ms": 0})
    stand.chaos.before_step("place")
    whole, *_ = stand.chaos.finish()
    assert (whole.verified, whole.reason) == (False, "its parts never stood at the same time")


def test_parts_are_taken_away_in_reverse_and_before_the_composite_ends():
    long = Duration(10**10)
    stand = Stand((part("a", duration=long), part("b", duration=long), monkey_of(("a", "b"))))
    stand.chaos.before_step("place")
    stand.until("verify b#1")
    stand.chaos.finish()
    assert stand.only("revert") == ["revert b#1", "revert a#0"]
    assert stand.journal[-1].id == "all"


def monkey_of(names: tuple[str, ...]) -> Fault:
    """A monkey that the seed of the tests lets strike with the first name and then with the second."""
    weights = MappingProxyType(dict.fromkeys(names, 1.0))
    return monkey_with({"weights": weights, "max_concurrent": 2})


def monkey_with(more: dict[str, object]) -> Fault:
    fault = monkey(duration=Duration(10**10))
    return replace(fault, parameters=MappingProxyType({**fault.parameters, "every": Duration(20 * MS), **more}))


@pytest.mark.parametrize("shape", [{"holds": False}, {"fail": "inject"}, {"fail": "verify"}])
def test_a_composite_is_proven_only_when_each_of_its_parts_is(shape):
    stand = Stand((part("a"), part("b"), concurrent("a", "b")), shapes={"b": shape})
    stand.chaos.before_step("place")
    whole, a, b = stand.chaos.finish()
    assert (whole.verified, a.verified, b.verified) == (False, True, False)
    assert "b#0 is not proven" in whole.reason
    assert outcome_of((), (whole, a, b), order(chaos=stand.faults)) == "inconclusive"
    (span,) = stand.tracer.named("cleanroom.chaos.composite.concurrent")
    assert span.failed
    assert sum(bool(check.inconclusive) for check in judge_faults(stand.events, (whole, a, b))) == 2


def test_what_a_composite_may_be_without_evidence_for_its_parts_may_too():
    stand = Stand(
        (part("a"), part("b"), concurrent("a", "b", allow_inconclusive="no netem")), shapes={"b": {"holds": False}}
    )
    stand.chaos.before_step("place")
    checks = judge_faults(stand.events, stand.chaos.finish())
    assert [check.allowed for check in checks if check.inconclusive] == ["no netem", "no netem"]


def test_a_part_that_stays_makes_the_composite_stuck_and_is_named():
    stand = Stand((part("a"), part("b"), concurrent("a", "b")), shapes={"a": {"fail": "revert"}})
    stand.chaos.before_step("place")
    whole, a, b = stand.chaos.finish()
    assert (whole.reverted, a.reverted, b.reverted) == (False, False, True)
    assert stuck_in(whole)
    assert "could not be reverted: a: could not be reverted: revert of a#0 failed" in whole.reason


def test_a_monkey_says_how_often_it_really_struck():
    stand = Stand((part("a", duration=Duration(MS)), monkey()))
    stand.chaos.before_step("place")
    stand.until("verify_reversal a#2")
    whole, *parts = stand.chaos.finish()
    assert whole.verified, whole.reason
    assert len(parts) >= 3
    assert whole.evidence["injected"] == len(parts) == whole.evidence["verified"]
    assert whole.evidence["ticks"] >= len(parts)
    assert 0 < whole.evidence["realised_rate"] <= 1


def test_a_monkey_ends_what_was_to_have_ended_before_it_strikes_the_same_target_again():
    stand = Stand((part("a", duration=Duration(20 * MS)), monkey()))
    stand.chaos.before_step("place")
    stand.until("verify a#2")
    stand.chaos.finish()
    assert stand.only("inject", "verify_reversal")[:4] == [
        "inject a#0",
        "verify_reversal a#0",
        "inject a#1",
        "verify_reversal a#1",
    ]


def test_a_monkey_that_drew_nothing_proves_nothing():
    fault = monkey()
    never = replace(fault, parameters=MappingProxyType({**fault.parameters, "rate": 1e-9}))
    stand = Stand((part("a"), never))
    stand.chaos.before_step("place")
    (whole,) = stand.chaos.finish()
    assert not whole.verified
    assert "no strike was drawn" in whole.reason
    assert len(judge_faults(stand.events, (whole,))) == 2


def cascade(**options: object) -> Fault:
    given = {"root": "a", "dependents": ("api",), "delay": Duration(0)}
    return composite("cascade", given, **options)


def test_a_cascade_measures_its_hops():
    stand = Stand((part("a"), cascade()))
    stand.chaos.before_step("place")
    stand.ill["api"] = "db does not answer"
    stand.chaos._occurrences[0]._hops._threads[0].join(PATIENCE)
    whole, root = stand.chaos.finish()
    assert (whole.verified, root.verified) == (True, True), whole.reason
    assert whole.evidence["depth"] == 1
    assert whole.evidence["api.affected_after_ms"] > 0
    assert (whole.evidence["order"], whole.evidence["others_affected"]) == ("api", "none")


@pytest.mark.parametrize(
    ("ill", "words"),
    [({}, "api was not affected"), ({"api": "not yet"}, "api was not ready before the strike: not yet")],
)
def test_a_cascade_without_a_hop_is_not_proven(ill, words):
    stand = Stand((part("a"), cascade()), ill=dict(ill))
    stand.chaos.before_step("place")
    whole, _ = stand.chaos.finish()
    assert not whole.verified
    assert words in whole.reason
    assert whole.evidence["depth"] == 0


def test_a_fault_that_others_begin_is_no_event_of_its_own():
    stand = Stand((part("a"), part("b"), part("c"), concurrent("a", "b")))
    assert [event.fault.id for event in stand.events] == ["c", "all"]


def waiting(**options: object) -> Fault:
    probe = Probe(question=ContainerProbe(service="db", what="state", wanted=None), interval=Duration(5 * MS))  # type: ignore[arg-type]
    return latency(moment=AtProbe(probe=probe), **options)


def test_a_fault_waits_for_its_probe_and_says_when_it_held():
    stand = Stand((waiting(),))
    stand.chaos.begin()
    assert stand.nothing_comes(0.05)
    stand.holds = True
    stand.until("verify slow#0")
    (record,) = stand.chaos.finish()
    assert record.verified
    assert record.trigger.startswith("file /ready held ")
    assert stand.asked > 1
    assert [one.trigger for one in stand.journal] == [record.trigger] * 2


def test_a_probe_that_never_holds_is_told_with_what_it_said_last():
    stand = Stand((waiting(),))
    stand.chaos.begin()
    stand.nothing_comes(0.05)
    (record,) = stand.chaos.finish()
    assert not record.injected
    assert record.reason.startswith("never came to pass: its probe did not hold (asked ")
    assert record.reason.endswith("file /ready: expected 3, got 2")


def test_a_stop_ends_every_fault_at_once_and_nothing_begins_any_more():
    stand = Stand((latency("a"), latency("b"), latency("c", moment=AtOffset(offset=Duration(3600 * 10**9)))))
    stand.chaos.begin()
    stand.chaos.before_step("place")
    stand.stop.request()
    assert stand.only("revert") == ["revert b#0", "revert a#0"]
    a, b, c = stand.chaos.finish()
    assert (a.reverted, b.reverted, c.injected) == (True, True, False)
    assert [one.window[1] for one in stand.told].count(0) == 2


def test_a_reversal_that_hangs_is_bounded_and_the_others_run():
    stand = Stand((latency("a"), latency("b")), patience=0.05)
    stand.chaos.before_step("place")
    stand.made[1].revert = lambda: time.sleep(1)  # type: ignore[method-assign]
    a, b = stand.chaos.finish()
    assert (a.reverted, b.reverted) == (True, False)
    assert "its reversal had not ended after" in b.reason
    assert stuck_in(b)


def test_who_watches_is_told_of_the_beginning_and_of_the_end():
    stand = Stand((latency(target=Target(service="db")),))
    stand.chaos.before_step("place")
    assert [(one.id, one.window[1]) for one in stand.told] == [("slow", 0)]
    stand.chaos.finish()
    assert [one.reverted for one in stand.told] == [False, True]
