"""The life that the family's faults share, with mechanisms of the test's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.base import Evidence
from cleanroom.faults.ladder import open_fault
from cleanroom.faults.resource import ladders, strike
from cleanroom.faults.resource.strike import Strike
from cleanroom.quantity import Duration, Rate, Size
from tests.unit.faults.resource.trees import tree
from tests.unit.faults.scenes import Engine, Time, context, event

GOOD = Evidence(holds=True)
PARAMETERS = {
    "workers": 1, "load": 100.0, "cpus": 0.1, "size": Size(1), "memory": Size(1), "step": Size(1), "every": Duration(1),
    "path": "/x", "leave": 0, "max": 1, "write": Rate(8),
}  # fmt: skip


class Hit:
    def __init__(self, takes="", proof=GOOD, residue=GOOD, failing=""):
        self.takes, self._proof, self._residue, self._failing = takes, proof, residue, failing
        self.log: list[str] = []

    def apply(self):
        self.log.append("apply")
        if self._failing == "apply":
            raise CapabilityError("cannot")

    def proof(self):
        return self._proof

    def take_back(self):
        self.log.append("back")
        if self._failing == "back":
            raise OSError(5, "no")

    def residue(self):
        return self._residue


@pytest.fixture
def group(tmp_path, monkeypatch):
    found = tree(tmp_path, 2)
    monkeypatch.setattr(strike, "visible_pid", lambda state: state.pid)
    monkeypatch.setattr(strike, "group_of", lambda _: found)
    return found


def fault(engine, hits, **options):
    made = event("resource.cpu_throttle", *engine.states, parameters={"cpus": 1})
    return Strike(made, context(engine, policy=options.pop("policy", ())), "cgroup", lambda t: hits[t.name], **options)


@pytest.mark.usefixtures("group")
def test_each_target_is_struck_proven_and_taken_back_in_reverse():
    hits = {"a": Hit(proof=Evidence(holds=True, facts={"x": 1})), "b": Hit(failing="back")}
    one = fault(Engine(Time(), "a", "b"), hits)
    one.inject()
    assert one.verify() == Evidence(holds=True, facts={"a.x": 1})
    with pytest.raises(EngineError, match=r"b: .*no"):
        one.revert()
    assert [hit.log for hit in hits.values()] == [["apply", "back"]] * 2
    assert one.verify_reversal().holds
    assert one.recovery() is None


@pytest.mark.usefixtures("group")
def test_one_target_without_proof_is_no_proof():
    hits = {"a": Hit(), "b": Hit(proof=Evidence(holds=False, reason="weak"))}
    one = fault(Engine(Time(), "a", "b"), hits)
    assert not one.verify().holds
    one.inject()
    assert (one.verify().holds, one.verify().reason) == (False, "b: weak")
    one.revert()


@pytest.mark.usefixtures("group")
def test_what_is_left_on_one_target_is_named():
    one = fault(Engine(Time(), "a"), {"a": Hit(residue=Evidence(holds=False, reason="a file", lapsed="early"))})
    one.inject()
    one.revert()
    found = one.verify_reversal()
    assert (found.holds, found.reason, found.lapsed) == (False, "a: a file", "a: early")


@pytest.mark.usefixtures("group")
def test_two_faults_on_the_same_of_one_target_are_refused_until_the_first_is_over():
    engine = Engine(Time(), "a")
    first, second, third = (fault(engine, {"a": Hit(takes="cpus")}) for _ in range(3))
    first.inject()
    with pytest.raises(CapabilityError, match=r"another fault changes the same \(cpus\) of a"):
        second.inject()
    second.revert()
    first.revert()
    third.inject()
    third.revert()


@pytest.mark.usefixtures("group")
def test_a_target_that_does_not_run_is_not_struck():
    engine = Engine(Time(), "a")
    engine.end("a")
    with pytest.raises(CapabilityError, match=r"a does not run \(exited\)"):
        fault(engine, {"a": Hit()}).inject()


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize(("until_death", "lapsed"), [(False, "a: it was restarted under the fault"), (True, "")])
def test_a_target_that_runs_anew_is_not_the_one_that_was_struck(until_death, lapsed):
    engine = Engine(Time(), "a")
    one = fault(engine, {"a": Hit()}, kills=True, until_death=until_death)
    one.inject()
    engine.time.sleep(1)
    engine.end("a")
    engine.begin("a")
    one.revert()
    found = one.verify_reversal()
    assert found.holds
    assert found.lapsed.startswith(lapsed)
    assert bool(found.lapsed) == bool(lapsed)
    assert found.facts["a.state"] == "restarted"


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize(("policy", "strategy"), [((), "start"), (("a",), "policy")])
def test_who_died_of_it_is_brought_back_and_the_time_counts_from_the_death(policy, strategy):
    engine = Engine(Time(), "a")
    one = fault(engine, {"a": Hit()}, kills=True, until_death=True, policy=policy)
    one.inject()
    engine.end("a")
    engine.time.sleep(2)
    one.revert()
    one.verify_reversal()
    found = one.recovery()
    assert found is not None
    assert (found.strategy, found.success, found.duration_ns) == (strategy, True, 2_250_000_000)
    assert engine.revived == ["a"]


def test_a_kill_that_the_engine_has_not_seen_yet_is_waited_for(group):
    engine = Engine(Time(), "a")
    one = fault(engine, {"a": Hit()}, kills=True)
    one.inject()
    (group.place("memory") / "memory.events").write_text("oom_kill 3\n")
    engine.time.later.append((1.0, lambda: engine.end("a")))
    one.revert()
    assert one.verify_reversal().facts["a.state"] == "exited"


@pytest.mark.parametrize("ladder", ladders.LADDERS, ids=lambda ladder: ladder.kind)
def test_each_kind_is_opened_with_its_rung_and_refuses_another(ladder):
    engine = Engine(Time(), "a")
    values = {k: v for k, v in PARAMETERS.items() if (k, ladder.kind) not in MISFITS}
    if ladder.kind == "resource.file_size":
        values["max"] = Size(1)
    made = open_fault(event(ladder.kind, "a", parameters=values), context(engine))
    assert made.backend == ladder.rungs[0].name
    with pytest.raises(CapabilityError, match="no backend 'rocket'"):
        open_fault(event(ladder.kind, "a", parameters=values, backend="rocket"), context(engine))


MISFITS = {("leave", "resource.disk_full")}


def test_more_files_than_can_be_made_are_refused():
    made = event("resource.inode_exhaustion", "a", parameters={"path": "/x", "leave": 501})
    with pytest.raises(CapabilityError, match="more than 500 files"):
        open_fault(made, context(Engine(Time(), "a")))


def test_a_state_that_is_another_starts_anew(group):
    assert replace(group, identity=(1, 2, 3, 4)).same() is False
