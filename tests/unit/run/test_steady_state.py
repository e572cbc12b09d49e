from __future__ import annotations

import pytest

from cleanroom.drive.answer import Answer
from cleanroom.quantity import Duration
from cleanroom.run.codec import decode, encode
from cleanroom.run.record import ScenarioRecord, SteadyRecord
from cleanroom.run.steady_state import MOST_KEPT, Rounds
from cleanroom.spec.comparator import equal_to
from cleanroom.spec.expect import Expect
from cleanroom.spec.invariant import DeltaInvariant, HoldsInvariant, Invariant, SingleLeaderInvariant
from cleanroom.spec.probe import Probe
from cleanroom.spec.query import ExecAction
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.steady_state import SteadyState
from cleanroom.spec.step import SnapshotAction, Step, WaitForAction
from tests.fakes import World, result
from tests.unit.run.worlds import AT, exec_step, shop

MS = 10**6


def asks(*command, service="db", **kw):
    return Probe(question=ExecAction(service=service, command=command), at=AT, **kw)


def scene(folder, *steps, answer=None, **kw):
    """Play one scenario in which commands are answered by `answer(command)`; return its world and its record."""
    scenario = Scenario(name="order", steps=steps or (exec_step("place"),), at=AT, **kw)
    world = World(shop(scenario))
    if answer is not None:
        world.engine.answer = lambda _service, spec: answer(spec.command)
    (record,) = world.iterate(folder).scenarios
    return world, record


def steady(*probes, **kw):
    return SteadyState(probes=probes, at=AT, **kw)


def answering(**codes):
    """Answer each command by its exit code, or by the next of a list of them."""
    left = {name: list(found) if isinstance(found, list) else [found] for name, found in codes.items()}

    def answer(command):
        codes = left.get(command[0], [0])
        return result(codes.pop(0) if len(codes) > 1 else codes[0])

    return answer


def test_a_system_that_is_well_is_asked_before_and_after(tmp_path):
    _, record = scene(tmp_path, steady_state=steady(asks("well")))
    assert [(s.phase, s.rounds, s.broken) for s in record.steady] == [("before", 1, False), ("after", 1, False)]
    assert record.outcome == "passed"


def test_broken_before_nothing_is_done_to_the_system(tmp_path):
    _, record = scene(tmp_path, steady_state=steady(asks("well")), answer=answering(well=1))
    assert [s.outcome for s in record.steps] == ["skipped"]
    assert record.steps[0].reason == "the steady state was broken before the steps"
    assert [s.phase for s in record.steady] == ["before"]
    assert (record.outcome, record.faults, record.invariants) == ("failed", (), ())


def test_broken_after_the_scenario_has_failed(tmp_path):
    _, record = scene(tmp_path, steady_state=steady(asks("well")), answer=answering(well=[0, 1]))
    assert [s.outcome for s in record.steps] == ["passed"]
    assert record.outcome == "failed"


def test_an_optional_probe_only_degrades(tmp_path):
    _, record = scene(tmp_path, steady_state=steady(asks("well", optional=True)), answer=answering(well=1))
    assert record.outcome == "degraded"


def test_it_is_asked_while_the_steps_run_and_only_failures_of_later_rounds_are_kept(tmp_path):
    wanted = steady(asks("well"), when=("before",), during=Duration(1))
    waiting = Step(name="wait", action=WaitForAction(probe=asks("slow", interval=Duration(1))), at=AT)
    _, record = scene(tmp_path, waiting, steady_state=wanted, answer=answering(well=[0, 0, 1], slow=[1] * 30 + [0]))
    before, during = record.steady
    assert (before.phase, during.phase) == ("before", "during")
    assert during.rounds >= 1
    assert during.answers[0].ok
    assert during.failed_rounds == len(during.answers) - 1


@pytest.mark.parametrize(("code", "outcome"), [(0, "passed"), (1, "failed")])
def test_wait_for_is_a_step_that_waits(tmp_path, code, outcome):
    waiting = Step(
        name="wait", action=WaitForAction(probe=asks("up"), timeout=Duration(50 * MS)), timeout=Duration(10**9), at=AT
    )
    _, record = scene(tmp_path, waiting, answer=answering(up=[1, 1, code]))
    assert record.steps[0].outcome == outcome
    assert record.steps[0].error_type == ("" if outcome == "passed" else "timeout")


def counting():
    """Answer 1, 2, 3 … to `count`."""
    asked = []

    def answer(command):
        if command[0] == "count":
            asked.append(command)
        return result(stdout=f"{len(asked)}\n".encode())

    return answer


def test_a_snapshot_is_kept_and_asked_again_for_the_invariant(tmp_path):
    taken = Step(name="keep", action=SnapshotAction(id="before", of=asks("count")), at=AT)
    expect = Expect(
        invariants=(Invariant(id="one more", check=DeltaInvariant(snapshot="before", value=equal_to(1)), at=AT),), at=AT
    )
    _, record = scene(tmp_path, taken, expect=expect, answer=counting())
    assert [(s.id, s.answer.value) for s in record.snapshots] == [("before", "1")]
    assert [[a.value for a in i.answers] for i in record.invariants] == [["2"]]


def test_who_leads_is_asked_while_the_steps_run_and_the_record_goes_through_a_journal(tmp_path):
    check = SingleLeaderInvariant(probe=asks("leads"), interval=Duration(1))
    held = Invariant(id="held", check=HoldsInvariant(probe=asks("well")), at=AT)
    expect = Expect(invariants=(Invariant(id="one", check=check, at=AT), held), at=AT)
    _, record = scene(tmp_path, expect=expect, steady_state=steady(asks("well")))
    one, well = record.invariants
    assert one.leaders.rounds == one.leaders.led >= 1
    assert one.leaders.most == 1
    assert [a.ok for a in well.answers] == [True]
    assert decode(encode(record), ScenarioRecord) == record


def test_its_traffic_has_traces_of_its_own(tmp_path):
    world, record = scene(tmp_path, steady_state=steady(asks("well")))
    plain, before = scene(tmp_path / "plain")
    assert len(record.noise_traces) == len(before.noise_traces) + 2
    assert plain is not world


def answer_of(name, **kw):
    return Answer(question=name, at=AT, **kw)


def test_the_first_failure_of_a_probe_is_kept_however_often_others_failed():
    rounds = Rounds()
    for _ in range(MOST_KEPT + 10):
        rounds.add((answer_of("cache", ok=False, optional=True), answer_of("db", ok=True)))
    for _ in range(3):
        rounds.add((answer_of("cache", ok=False, optional=True), answer_of("db", ok=False)))
    assert (rounds.count, rounds.failed) == (MOST_KEPT + 13, MOST_KEPT + 13)
    assert [a.ok for a in rounds.kept if a.question == "db"] == [True, False]
    assert len(rounds.kept) == MOST_KEPT + 1
    assert SteadyRecord(phase="during", rounds=rounds.count, answers=tuple(rounds.kept)).broken
