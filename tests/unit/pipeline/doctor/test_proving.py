"""A fault is proven when its effect and its end were seen; whatever fails is told, and the next one is tried."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from cleanroom.clock import SystemClock
from cleanroom.errors import CapabilityError, EngineError, UsageError
from cleanroom.faults import needs
from cleanroom.faults.base import Evidence, Recovery
from cleanroom.faults.ladder import LADDERS
from cleanroom.pipeline.doctor import proving
from cleanroom.pipeline.doctor.examples import EXAMPLES, event_of
from cleanroom.pipeline.doctor.findings import LEFT, Diagnosis, Prospect, Trial
from cleanroom.pipeline.doctor.proving import chosen, fulfilled, prove
from cleanroom.spec.shapes.fault_table import FAULTS

KNOWN = {kind: Prospect(kind=kind, rung="r") for kind in FAULTS}
GOOD = Evidence(holds=True)
SERVERS = {needs.SQL, needs.REDIS, needs.RABBIT, needs.HEALTH}


@dataclass
class Place:
    clock: SystemClock = field(default_factory=SystemClock)
    said: list[str] = field(default_factory=list)

    def ready(self, clock_fault):
        self.said.append(f"ready {clock_fault}".strip())

    def use(self):
        self.said.append("use")

    def remove(self):
        self.said.append("remove")


@dataclass
class Fault:
    effect: Evidence = GOOD
    reversal: Evidence = GOOD
    back: Recovery | None = None
    broken: dict[str, Exception] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    backend: str = "r"

    def _call(self, name):
        self.calls.append(name)
        if name in self.broken:
            raise self.broken[name]

    def inject(self):
        self._call("inject")

    def verify(self):
        self._call("verify")
        return self.effect

    def revert(self):
        self._call("revert")

    def verify_reversal(self):
        self._call("verify_reversal")
        return self.reversal

    def recovery(self):
        return self.back


def tried(fault: Fault, kind: str = "container.pause") -> tuple[Trial, Place]:
    place = Place()
    (trial,) = prove(place, (kind,), KNOWN, lambda _event, _context: fault)
    return trial, place


def test_a_proven_fault_keeps_its_containers_for_the_next():
    trial, place = tried(Fault())
    assert (trial.proven, trial.rung, trial.reason) == (True, "r", "")
    assert place.said == ["ready"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(effect=Evidence(holds=False, reason="nothing was late")), "nothing was late"),
        (Fault(effect=Evidence(holds=False)), "it had no effect"),
        (Fault(reversal=Evidence(holds=False, reason="a rule")), "not reverted: a rule"),
        (Fault(reversal=Evidence(holds=True, lapsed="restarted")), "did not last: restarted"),
        (Fault(back=Recovery(strategy="start", duration_ns=1, success=False)), "did not come back"),
        (Fault(broken={"inject": CapabilityError("no rung works")}), "no rung works"),
        (Fault(broken={"verify": EngineError("the engine is gone")}), "the engine is gone"),
        (Fault(broken={"revert": EngineError("it stays")}), "it stays"),
        (Fault(broken={"verify": KeyError("x")}), "a defect: KeyError"),
    ],
)
def test_whatever_is_missing_is_the_reason_and_the_next_fault_gets_other_containers(fault, words):
    trial, place = tried(fault)
    assert not trial.proven
    assert words in trial.reason
    assert place.said[-1] == "remove"
    assert fault.calls.count("revert") == 1


def test_a_fault_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(proving, "PATIENCE", 0.05)
    free = threading.Event()
    fault = Fault()
    fault.inject = lambda: free.wait(60)  # type: ignore[method-assign]
    trial, place = tried(fault)
    free.set()
    assert "had not ended" in trial.reason
    assert "remove" in place.said


def test_faults_of_the_proxy_get_traffic_and_clocks_a_container_prepared_for_them():
    assert tried(Fault(), "http.status")[1].said == ["ready", "use"]
    assert tried(Fault(), "clock.skew")[1].said == ["ready clock.skew"]


def test_every_fault_has_an_example_but_those_that_need_a_special_server_or_have_parts():
    special = {ladder.kind for ladder in LADDERS if ladder.rungs and SERVERS & set(ladder.rungs[0].needs)}
    parts = {ladder.kind for ladder in LADDERS if not ladder.rungs}
    assert set(EXAMPLES) == {ladder.kind for ladder in LADDERS} - special - parts


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_has_what_its_fault_requires_and_nothing_unknown(kind):
    event, known = event_of(kind), FAULTS[kind]
    assert set(known.required) <= set(event.parameters) <= set(known.parameters)
    assert not known.exactly_one or sum(name in event.parameters for name in known.exactly_one) == 1
    assert event.targets


def test_all_are_chosen_or_those_that_are_named():
    assert chosen("") == tuple(EXAMPLES)
    assert chosen("container.pause, network.latency,container.pause") == ("container.pause", "network.latency")


@pytest.mark.parametrize(("asked", "words"), [("network.magic", "no fault network.magic"), ("database.lock", "lock")])
def test_what_cannot_be_proven_is_refused_by_name(asked, words):
    with pytest.raises(UsageError, match=words):
        chosen(asked)


def trial(kind: str, *, promised: bool, proven: bool) -> Trial:
    return Trial(kind=kind, promised=promised, proven=proven)


NOTHING_LEFT = Diagnosis(name=LEFT, works=True, seen="nothing")


@pytest.mark.parametrize(
    ("asked", "found", "whole"),
    [
        (("a",), (trial("a", promised=True, proven=True), NOTHING_LEFT), True),
        (("a",), (trial("a", promised=False, proven=False), NOTHING_LEFT), True),
        (("a",), (trial("a", promised=True, proven=False), NOTHING_LEFT), False),
        (("a", "b"), (trial("a", promised=True, proven=True), NOTHING_LEFT), False),
        (("a",), (trial("a", promised=True, proven=True),), False),
        (("a",), (trial("a", promised=True, proven=True), Diagnosis(name=LEFT, works=False, seen="x")), False),
    ],
)
def test_what_was_promised_must_be_proven_what_was_asked_for_tried_and_nothing_be_left(asked, found, whole):
    assert fulfilled(asked, found) == whole
