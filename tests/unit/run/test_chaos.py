from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from cleanroom.drive.answer import Answer
from cleanroom.drive.reach import Container
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import FaultContext, Recovery
from cleanroom.plan.timeline import draw
from cleanroom.quantity import Duration
from cleanroom.run.chaos import Chaos
from cleanroom.run.occurrence import ChaosPorts
from cleanroom.run.record import FaultRecord
from cleanroom.run.scenario import outcome_of, stuck_in
from cleanroom.run.stop import Stop
from cleanroom.spec.fault import AtManual, AtOffset, AtStep, Repeat, Target
from cleanroom.spec.probe import Probe
from tests.fakes import FakeClock, FakeEngine, FakeFault, FakeTelemetry, FakeTracer
from tests.unit.run.worlds import MS, latency, order, shop

STEPS = ("place", "look")
PATIENCE = 10.0
"""How long a test waits, in seconds, for a thread before it fails; no test waits when all is well."""


@dataclass
class Stand:
    """Chaos of one scenario, of which the story of every fault is told in one list."""

    faults: tuple[Any, ...]
    shapes: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuse: str = ""
    story: list[str] = field(default_factory=list)
    made: list[FakeFault] = field(default_factory=list)
    journal: list[FaultRecord] = field(default_factory=list)
    bad_journal: bool = False
    patience: float = 60.0
    told: list[FaultRecord] = field(default_factory=list)
    asked: int = 0
    holds: bool = False
    ill: dict[str, str] = field(default_factory=dict)
    """Services that are not ready, and why."""
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        self.engine = FakeEngine()
        self.clock = FakeClock()
        self.tracer = FakeTracer(FakeTelemetry(), "env", {}, self.clock)
        suite = shop(order(chaos=self.faults))
        self.engine.inspect = lambda _id: None  # type: ignore[assignment,method-assign,return-value]
        root = self.tracer.start("cleanroom.iteration", {}, parent=None)
        self.parent = self.tracer.start("cleanroom.scenario", {"cleanroom.scenario": "order"}, parent=root)
        self.happened = threading.Condition()
        context = FaultContext(
            engine=self.engine, clock=self.clock, slot=None, containers={  # type: ignore[arg-type]
                name: Container(service=name, id=name, address="10.213.0.10") for name in ("api", "db")
            }, revive=lambda _service: None, policy_restarts={},
        )  # fmt: skip
        self.events = draw(suite, 42)[0].events
        ports = ChaosPorts(
            tracer=self.tracer, parent=self.parent, clock=self.clock, open_fault=self.open, context=context,
            journal=self.note, tell=self.told.append, ask=self.ask, ready=lambda name: self.ill.get(name, ""),
            stop=self.stop, patience=self.patience,
        )  # fmt: skip
        self.chaos = Chaos(self.events, ports)

    def open(self, event, context):
        if event.fault.id == self.refuse:
            raise CapabilityError("no rung can do it")
        stand = self

        class Told(FakeFault):
            def _do(self, what: str) -> None:
                with stand.happened:
                    stand.story.append(f"{what} {self.event.key}")
                    stand.happened.notify_all()
                super()._do(what)

        made = Told(event, context, **self.shapes.get(event.fault.id, {}))
        self.made.append(made)
        return made

    def ask(self, _probe: Probe) -> Answer:
        self.asked += 1
        return Answer(ok=self.holds, why="" if self.holds else "expected 3, got 2", question="file /ready")

    def note(self, record: FaultRecord) -> None:
        if self.bad_journal:
            raise EngineError("no space left on device")
        with self.happened:
            self.story.append(f"journal {record.id}#{record.occurrence}")
            self.journal.append(record)
            self.happened.notify_all()

    def until(self, line: str) -> None:
        with self.happened:
            assert self.happened.wait_for(lambda: line in self.story, PATIENCE), self.story

    def nothing_comes(self, seconds: float) -> bool:
        """Whether the story stays as it is for so long."""
        with self.happened:
            return not self.happened.wait(seconds)

    def only(self, *verbs: str) -> list[str]:
        return [line for line in self.story if line.split()[0] in verbs]


def before(step: str) -> AtStep:
    return AtStep(moment="before", step=step)


def test_a_fault_is_journalled_injected_verified_and_at_the_end_taken_away():
    stand = Stand((latency(),))
    stand.chaos.begin()
    assert stand.story == []
    stand.chaos.before_step("place")
    assert stand.story == ["journal slow#0", "inject slow#0", "verify slow#0"]
    assert not stand.journal[0].injected
    stand.chaos.after_step("place")
    (record,) = stand.chaos.finish()
    assert stand.story[3:] == ["revert slow#0", "verify_reversal slow#0", "journal slow#0"]
    assert (record.injected, record.verified, record.reverted, record.reason) == (True, True, True, "")
    assert record.backend == "fake"
    assert record.evidence == {"rtt_ms": 12.5}
    assert 0 < record.window[0] < record.window[1]
    (span,) = stand.tracer.named("cleanroom.chaos.network.latency")
    assert [name for name, _ in span.events] == ["injected", "effect_verified", "reverted"]
    assert (span.ended, span.failed, span.attributes["parameter.delay"]) == (True, False, 5 * MS)


def test_before_and_after_a_step_are_not_mixed_up():
    stand = Stand((latency("a", moment=AtStep(moment="after", step="place")), latency("b", moment=before("look"))))
    stand.chaos.before_step("place")
    assert stand.only("inject") == []
    stand.chaos.after_step("place")
    assert stand.only("inject") == ["inject a#0"]
    stand.chaos.before_step("look")
    assert stand.only("inject") == ["inject a#0", "inject b#0"]
    stand.chaos.finish()


def test_faults_end_in_the_reverse_order_of_their_beginning():
    stand = Stand(tuple(latency(name, moment=before("place")) for name in "abc"))
    stand.chaos.before_step("place")
    stand.chaos.finish()
    assert stand.only("inject") == ["inject a#0", "inject b#0", "inject c#0"]
    assert stand.only("revert") == ["revert c#0", "revert b#0", "revert a#0"]


def test_all_faults_are_taken_away_although_one_cannot_be():
    stand = Stand(tuple(latency(name, moment=before("place")) for name in "abc"), shapes={"b": {"fail": "revert"}})
    stand.chaos.before_step("place")
    a, b, c = stand.chaos.finish()
    assert stand.only("revert") == ["revert c#0", "revert b#0", "revert a#0"]
    assert (a.reverted, b.reverted, c.reverted) == (True, False, True)
    assert "could not be reverted: revert of b#0 failed" in b.reason
    assert [stuck_in(f) for f in (a, b, c)] == [False, True, False]
    assert outcome_of((), (a, b, c), order(chaos=stand.faults)) == "error"
    assert all(s.ended for s in stand.tracer.spans[2:])


@pytest.mark.parametrize("defect", [EngineError("x"), ZeroDivisionError("x")])
def test_a_defect_in_one_fault_does_not_keep_the_others(defect):
    stand = Stand(tuple(latency(name, moment=before("place")) for name in "ab"))

    def broken() -> None:
        raise defect

    stand.chaos.before_step("place")
    stand.made[1].revert = broken  # type: ignore[method-assign]
    a, b = stand.chaos.finish()
    assert (a.reverted, b.reverted) == (True, False)


def test_a_reversal_that_leaves_something_is_not_one():
    stand = Stand((latency(),), shapes={"slow": {"stays": True}})
    stand.chaos.before_step("place")
    (record,) = stand.chaos.finish()
    assert (record.reverted, "a rule is left" in record.reason) == (False, True)
    assert stuck_in(record)


def test_an_injection_that_failed_half_way_and_stays_is_stuck_too():
    stand = Stand((latency(),), shapes={"slow": {"fail": "inject", "stays": True}})
    stand.chaos.before_step("place")
    (record,) = stand.chaos.finish()
    assert (record.injected, record.reverted) == (False, False)
    assert stuck_in(record)


def test_what_an_injection_that_failed_had_done_by_then_is_taken_back_at_once():
    stand = Stand((latency(until_step="look"),), shapes={"slow": {"fail": "inject"}})
    stand.chaos.before_step("place")
    assert stand.story == ["journal slow#0", "inject slow#0", "revert slow#0", "verify_reversal slow#0",
                           "journal slow#0"]  # fmt: skip
    (record,) = stand.chaos.records()
    assert (record.injected, record.reverted) == (False, True)
    stand.chaos.finish()
    assert stand.only("revert") == ["revert slow#0"]


@pytest.mark.parametrize(("shape", "words"), [({"holds": False}, "nothing changed"), ({"fail": "verify"}, "verify of")])
def test_an_effect_without_evidence_is_inconclusive(shape, words):
    stand = Stand((latency(),), shapes={"slow": shape})
    stand.chaos.before_step("place")
    (record,) = stand.chaos.finish()
    assert (record.injected, record.verified, record.reverted) == (True, False, True)
    assert words in record.reason
    scenario = order(chaos=stand.faults)
    assert outcome_of((), (record,), scenario) == "inconclusive"
    assert outcome_of((), (record,), replace(scenario, allow_inconclusive="no netem here")) == "passed"
    allowed = replace(scenario, chaos=(latency(allow_inconclusive="no netem here"),))
    assert outcome_of((), (record,), allowed) == "passed"
    assert stand.tracer.named("cleanroom.chaos.network.latency")[0].failed


@pytest.mark.parametrize(("shape", "refuse"), [({"fail": "inject"}, ""), ({}, "slow")])
def test_a_fault_that_could_not_be_injected_is_inconclusive_and_says_why(shape, refuse):
    stand = Stand((latency(),), shapes={"slow": shape}, refuse=refuse)
    stand.chaos.before_step("place")
    (record,) = stand.chaos.finish()
    assert (record.injected, record.verified, record.reverted) == (False, False, True)
    assert record.reason
    assert not stuck_in(record)
    assert outcome_of((), (record,), order(chaos=stand.faults)) == "inconclusive"


def test_nothing_is_injected_that_the_journal_could_not_note():
    stand = Stand((latency("a", moment=before("place")), latency("b", moment=before("place"))), bad_journal=True)
    stand.chaos.before_step("place")
    records = stand.chaos.finish()
    assert stand.only("inject") == []
    assert ["no space left" in r.reason for r in records] == [True, True]


def test_a_journal_that_fails_at_a_reversal_does_not_keep_the_other_faults():
    stand = Stand((latency("a", moment=before("place")), latency("b", moment=before("place"))))
    stand.chaos.before_step("place")
    stand.bad_journal = True
    stand.chaos.finish()
    assert [f.in_place for f in stand.made] == [False, False]


def test_what_was_not_drawn_is_never_injected():
    stand = Stand((latency(probability=0.0), latency("hand", probability=0.0, moment=AtManual())))
    stand.chaos.begin()
    for step in STEPS:
        stand.chaos.before_step(step)
        assert not stand.chaos.inject("hand")
        stand.chaos.after_step(step)
    records = stand.chaos.finish()
    assert stand.story == []
    assert [r.drawn for r in records] == [False, False]
    assert outcome_of((), records, order(chaos=stand.faults)) == "passed"


def test_a_fault_that_lasts_until_a_step_ends_just_before_it_and_before_the_next_begins():
    stand = Stand((latency("a", moment=before("place"), until_step="look"), latency("b", moment=before("look"))))
    stand.chaos.before_step("place")
    stand.chaos.after_step("place")
    assert stand.made[0].in_place
    stand.chaos.before_step("look")
    assert stand.only("inject", "revert") == ["inject a#0", "revert a#0", "inject b#0"]
    stand.chaos.finish()


def test_a_fault_whose_end_came_before_its_beginning_is_not_injected_any_more():
    late = latency("late", moment=AtOffset(offset=Duration(3600 * 10**9)), until_step="look")
    hand = latency("hand", moment=AtManual(), until_step="look")
    stand = Stand((late, hand))
    stand.chaos.begin()
    stand.chaos.before_step("look")
    assert not stand.chaos.inject("hand")
    records = stand.chaos.finish()
    assert stand.story == []
    assert ["never came to pass" in r.reason for r in records] == [True, True]
    assert outcome_of((), records, order(chaos=stand.faults)) == "inconclusive"


def test_an_offset_of_nothing_strikes_with_the_first_step():
    stand = Stand((latency(moment=AtOffset(offset=Duration(0))),))
    stand.chaos.begin()
    assert stand.only("inject") == ["inject slow#0"]
    stand.chaos.finish()


@pytest.mark.parametrize(
    "moment", [AtOffset(offset=Duration(MS)), AtStep(moment="during", step="place", offset=Duration(MS))]
)
def test_an_offset_strikes_while_the_step_runs(moment):
    stand = Stand((latency(moment=moment),))
    stand.chaos.begin()
    stand.chaos.before_step("place")
    stand.chaos.during_step("place")
    stand.until("verify slow#0")
    (record,) = stand.chaos.finish()
    assert (record.injected, record.reverted) == (True, True)


def test_what_comes_during_a_step_waits_for_its_action():
    stand = Stand((latency(moment=AtStep(moment="during", step="place", offset=Duration(0))),))
    stand.chaos.begin()
    stand.chaos.before_step("place")
    assert stand.story == []
    stand.chaos.during_step("place")
    assert stand.only("inject") == ["inject slow#0"]
    stand.chaos.finish()


def test_operations_that_have_begun_do_not_wait_for_a_fault():
    stand = Stand((latency(moment=AtStep(moment="during", step="place", offset=Duration(0))),))
    stand.chaos.before_step("place")
    stand.chaos.during_step("place", aside=True)
    stand.until("verify slow#0")
    assert len(stand.chaos._agenda._running) == 1
    stand.chaos.finish()


def test_what_a_step_was_too_short_for_is_not_made_up_for_in_another():
    stand = Stand((latency(moment=AtStep(moment="during", step="place", offset=Duration(50 * MS))),))
    stand.chaos.before_step("place")
    stand.chaos.during_step("place")
    stand.chaos.after_step("place")
    stand.chaos.before_step("look")
    stand.chaos.during_step("look")
    assert stand.nothing_comes(0.2)
    (record,) = stand.chaos.finish()
    assert stand.story == []
    assert record.reason == "never came to pass: step 'place' did not last for 50ms"
    assert outcome_of((), (record,), order(chaos=stand.faults)) == "inconclusive"


def test_a_moment_that_never_comes_is_inconclusive_and_does_not_hold_up_the_end():
    stand = Stand((latency(moment=AtOffset(offset=Duration(3600 * 10**9))),))
    stand.chaos.begin()
    (record,) = stand.chaos.finish()
    assert "never came to pass" in record.reason
    assert outcome_of((), (record,), order(chaos=stand.faults)) == "inconclusive"


def test_a_fault_for_a_time_ends_by_itself():
    stand = Stand((latency(duration=Duration(MS)),))
    stand.chaos.before_step("place")
    stand.until("verify_reversal slow#0")
    stand.chaos.finish()
    assert stand.only("revert") == ["revert slow#0"]


def test_a_fault_for_a_long_time_ends_with_the_steps():
    stand = Stand((latency(duration=Duration(3600 * 10**9)),))
    stand.chaos.before_step("place")
    (record,) = stand.chaos.finish()
    assert record.reverted
    assert stand.chaos._agenda.closed
    assert not any(t.is_alive() for t in (stand.chaos._agenda._waiting, *stand.chaos._agenda._running) if t)


def test_repeats_after_a_step_each_begin_and_end_once():
    fault = latency(
        moment=AtStep(moment="after", step="place"), duration=Duration(MS), repeat=Repeat(every=Duration(MS), times=3)
    )
    stand = Stand((fault,))
    stand.chaos.before_step("place")
    assert stand.story == []
    stand.chaos.after_step("place")
    for occurrence in range(3):
        stand.until(f"verify_reversal slow#{occurrence}")
    records = stand.chaos.finish()
    assert [r.occurrence for r in records] == [0, 1, 2]
    assert sorted(stand.only("inject")) == ["inject slow#0", "inject slow#1", "inject slow#2"]
    assert sorted(stand.only("revert")) == ["revert slow#0", "revert slow#1", "revert slow#2"]
    assert len(stand.tracer.named("cleanroom.chaos.network.latency")) == 3


def test_healing_ends_every_active_occurrence_once():
    stand = Stand((latency("hand", moment=AtManual()), latency("other", moment=before("place"))))
    assert stand.chaos.inject("hand")
    assert not stand.chaos.inject("hand")
    stand.chaos.before_step("place")
    assert stand.chaos.heal("hand")
    assert not stand.chaos.heal("hand")
    assert stand.only("revert") == ["revert hand#0"]
    stand.chaos.finish()
    assert stand.only("revert") == ["revert hand#0", "revert other#0"]


def test_a_fault_that_is_being_injected_at_the_end_is_taken_away_all_the_same():
    stand = Stand((latency(moment=AtOffset(offset=Duration(MS))),))
    entered, go_on = threading.Event(), threading.Event()
    opening = stand.open

    def slowly(event, context):
        entered.set()
        assert go_on.wait(PATIENCE)
        return opening(event, context)

    stand.chaos._occurrences[0]._ports = replace(stand.chaos._occurrences[0]._ports, open_fault=slowly)
    stand.chaos.begin()
    assert entered.wait(PATIENCE)
    ending = threading.Thread(target=stand.chaos.finish)
    ending.start()
    go_on.set()
    ending.join(PATIENCE)
    assert not ending.is_alive()
    assert [f.in_place for f in stand.made] == [False]
    assert stand.chaos.records()[0].reverted


def test_recovery_is_recorded_and_gets_a_span_under_its_fault():
    back = Recovery(strategy="start", duration_ns=3 * MS, success=True)
    lost = Recovery(strategy="policy", duration_ns=9 * MS, success=False)
    stand = Stand(
        (latency("a", moment=before("place")), latency("b", moment=before("place"))),
        shapes={"a": {"comes_back": back}, "b": {"comes_back": lost}},
    )
    stand.chaos.before_step("place")
    a, b = stand.chaos.finish()
    assert a.recovery is not None
    assert b.recovery is not None
    assert (a.recovery.duration_ns, a.recovery.success, b.recovery.success) == (3 * MS, True, False)
    spans = stand.tracer.named("cleanroom.recovery")
    assert [s.failed for s in spans] == [True, False]
    # The clock moves on by a millisecond with every look at it.
    assert [s.span.end_ns - s.span.start_ns for s in spans] == [pytest.approx(10 * MS), pytest.approx(4 * MS)]


def test_every_target_is_named():
    stand = Stand((latency(target=Target(all=True)),))
    stand.chaos.before_step("place")
    (record,) = stand.chaos.finish()
    assert record.targets == ("api", "db")
    assert stand.tracer.named("cleanroom.chaos.network.latency")[0].attributes["target"] == "api,db"
