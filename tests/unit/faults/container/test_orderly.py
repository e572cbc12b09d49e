"""Stop, pause, restart, recreate and the loop of crashes, on an engine that does what the test tells it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from cleanroom.drive.reach import Container
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults.container import comeback, death
from cleanroom.faults.container.comeback import Struck, way_back
from cleanroom.faults.container.crash_loop import open_crash_loop
from cleanroom.faults.container.pause import open_pause
from cleanroom.faults.container.recreate import open_recreate
from cleanroom.faults.container.restart import open_restart
from cleanroom.faults.container.stop import open_stop
from cleanroom.faults.dependency.down import open_down
from cleanroom.quantity import Duration
from tests.unit.faults.scenes import Engine, Time, context, event

GRACE = Duration(10**9)


@pytest.fixture
def engine() -> Engine:
    return Engine(Time(), "api", "db")


@pytest.fixture(autouse=True)
def bridge(monkeypatch) -> None:
    monkeypatch.setattr(death, "forget_neighbour", lambda *_: None)


def test_a_stop_takes_every_target_and_the_end_starts_each(engine):
    fault = open_stop(event("container.stop", "api", "db", parameters={"grace": GRACE}), context(engine))
    fault.inject()
    effect = fault.verify()
    assert sorted(engine.stops) == [("api", GRACE), ("db", GRACE)]
    assert (effect.holds, effect.facts["db.exit_code"], effect.facts["db.status"]) == (True, 143, "exited")
    fault.revert()
    fault.revert()
    assert sorted(engine.revived) == ["api", "db"]
    assert fault.verify_reversal().holds
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.strategy, recovery.success) == ("start", True)


def test_who_survives_a_stop_is_named(engine):
    engine.on_stop = lambda _: None
    fault = open_stop(event("container.stop", "db", parameters={"grace": GRACE}), context(engine))
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, effect.reason) == (False, "db still runs after the stop")


@pytest.mark.parametrize(
    ("kind", "opener", "parameters"),
    [
        ("container.stop", open_stop, {"grace": GRACE}),
        ("container.restart", open_restart, {"grace": GRACE, "times": 1}),
        ("container.recreate", open_recreate, {"keep_volumes": True}),
    ],
)
def test_what_does_not_run_is_refused_and_nothing_is_reverted(engine, kind, opener, parameters):
    engine.end("db")
    fault = opener(event(kind, "db", parameters=parameters), context(engine))
    with pytest.raises(CapabilityError, match=r"db does not run \(exited\)"):
        fault.inject()
    fault.revert()
    assert engine.revived == []
    assert fault.recovery() is None


@pytest.mark.parametrize(
    ("kind", "opener", "parameters"),
    [
        ("container.stop", open_stop, {"grace": GRACE}),
        ("container.pause", open_pause, {}),
        ("container.restart", open_restart, {"grace": GRACE, "times": 1}),
        ("container.recreate", open_recreate, {"keep_volumes": True}),
        ("container.crash_loop", open_crash_loop, {"every": GRACE}),
    ],
)
def test_a_rung_that_does_not_exist_is_refused(engine, kind, opener, parameters):
    with pytest.raises(CapabilityError, match="no backend 'rocket'"):
        opener(event(kind, "db", parameters=parameters, backend="rocket"), context(engine))


def test_a_pause_holds_and_is_released(engine):
    fault = open_pause(event("container.pause", "db"), context(engine))
    fault.inject()
    assert fault.verify().facts == {"db.status": "paused"}
    assert fault.verify().holds
    fault.revert()
    assert engine.states["db"].status == "running"
    assert fault.verify_reversal().holds
    recovery = fault.recovery()
    assert recovery is not None
    assert recovery.strategy == "heal"


def test_a_container_that_is_not_held_is_no_evidence_and_one_that_is_still_held_no_reversal(engine, monkeypatch):
    monkeypatch.setattr(engine, "pause", lambda _: None)
    fault = open_pause(event("container.pause", "db"), context(engine))
    fault.inject()
    assert fault.verify().reason == "db was not held"
    engine.states["db"] = replace(engine.states["db"], status="paused")
    assert fault.verify_reversal().reason == "db is still held"


def test_a_container_that_cannot_be_released_is_an_error_and_tried_again(engine, monkeypatch):
    fault = open_pause(event("container.pause", "db"), context(engine))
    fault.inject()

    def refuse(_: str) -> None:
        raise EngineError("busy")

    with monkeypatch.context() as broken:
        broken.setattr(engine, "unpause", refuse)
        with pytest.raises(EngineError, match="db: busy"):
            fault.revert()
    fault.revert()
    assert engine.states["db"].status == "running"


def test_every_round_of_a_restart_counts(engine):
    fault = open_restart(event("container.restart", "db", parameters={"grace": GRACE, "times": 3}), context(engine))
    engine.on_stop = lambda name: (engine.time.sleep(0.1), engine.end(name, 143))[1]
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, effect.facts["db.restarts"], effect.facts["db.exit_codes"]) == (True, 3, "143, 143, 143")
    fault.revert()
    recovery = fault.recovery()
    assert recovery is not None
    assert recovery.success


def test_a_restart_that_did_not_end_the_process_is_no_evidence(engine):
    engine.on_stop = lambda _: None
    fault = open_restart(event("container.restart", "db", parameters={"grace": GRACE, "times": 2}), context(engine))
    fault.inject()
    assert fault.verify().reason == "db was restarted 0 times, not 2"


def recreating(engine: Engine, **new: object):
    """A context in which another container takes the place: with `new` volumes."""
    ground = context(engine)

    def recreate(service: str, **_: object) -> Container:
        state = engine.states.pop(service)
        engine.states["new"] = replace(state, id="new", status="created", pid=0)
        engine.mounted["new"] = dict(new)  # type: ignore[arg-type]
        return Container(service=service, id="new", address=state.address)

    def inspect(container: str):
        if container not in engine.states:
            raise EngineError(f"cannot inspect container {container}: No such container: {container}")
        return engine.states[container]

    engine.inspect = inspect  # type: ignore[method-assign]
    return replace(ground, recreate=recreate, revive=lambda _: None)


@pytest.mark.parametrize(
    ("keep", "new", "reason"),
    [
        (True, {"data": "one"}, ""),
        (False, {"data": "two"}, ""),
        (True, {"data": "two"}, "0 of 1 volumes of db are the same as before"),
        (False, {"data": "one"}, "1 of 1 volumes of db are the same as before"),
    ],
)
def test_another_container_has_the_volumes_that_were_asked_for(engine, keep, new, reason):
    engine.mounted["db"] = {"data": "one"}
    fault = open_recreate(
        event("container.recreate", "db", parameters={"keep_volumes": keep}), recreating(engine, **new)
    )
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, effect.reason) == (not reason, reason)
    assert effect.facts["db.container_after"] == "new"


def test_a_container_that_is_still_there_was_not_replaced(engine):
    ground = recreating(engine)
    fault = open_recreate(event("container.recreate", "db", parameters={"keep_volumes": True}), ground)
    old = engine.states["db"]
    fault.inject()
    engine.states["db"] = old
    assert fault.verify().reason == "the container of db was not replaced"


class Wall(Time):
    """Real time: the loop runs in a thread of its own."""

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.01))
        self.seconds += seconds


def test_a_loop_kills_as_often_as_asked_and_the_last_death_is_what_comes_back():
    engine = Engine(Wall(), "db")
    engine.on_kill = lambda name, _: (engine.time.sleep(0.01), engine.end(name))[1]
    fault = open_crash_loop(
        event("container.crash_loop", "db", parameters={"every": Duration(10**7), "times": 3}), context(engine)
    )
    fault.inject()
    assert fault.verify().holds
    for loop in fault._loops:
        assert isinstance(loop.thread, threading.Thread)
        loop.thread.join(20)
    fault.revert()
    reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed, reversal.facts["db.kills"]) == (True, "", 3)
    assert engine.revived == ["db"]


def test_a_loop_that_ended_early_did_not_last():
    engine = Engine(Wall(), "db")
    fault = open_crash_loop(
        event("container.crash_loop", "db", parameters={"every": Duration(60 * 10**9), "times": 2}), context(engine)
    )
    fault.inject()
    fault.revert()
    assert fault.verify_reversal().lapsed == "db was killed 1 times, not 2"


@pytest.mark.parametrize(
    ("policy", "backend", "words"),
    [(("db",), "api", "never wakes a restart policy"), ((), "pid", "nobody else would start it again"),
     (("api",), "auto", "needs a restart policy on every target")],
)  # fmt: skip
def test_a_loop_needs_somebody_who_starts_it_again(engine, policy, backend, words):
    struck = event("container.crash_loop", "api", "db", parameters={"every": GRACE}, backend=backend)
    struck = struck if policy == ("api",) else replace(struck, targets=("db",))
    with pytest.raises(CapabilityError, match=words):
        open_crash_loop(struck, context(engine, policy=policy))


@pytest.mark.parametrize(("status", "policy", "strategy"), [
    ("running", False, "heal"), ("exited", False, "start"), ("exited", True, "policy"),
])  # fmt: skip
def test_the_way_back_is_that_of_whoever_ended(engine, monkeypatch, status, policy, strategy):
    monkeypatch.setattr(comeback, "policy_trouble", lambda *_: "")
    ground = context(engine)
    struck = Struck(container=ground.containers["db"], before=engine.states["db"], policy=policy)
    if status == "exited":
        engine.end("db")
    found = way_back(ground, [struck], 0.0)
    assert (found.strategy, found.success) == (strategy, True)


def test_a_policy_that_gave_up_is_no_recovery(engine, monkeypatch):
    monkeypatch.setattr(comeback, "policy_trouble", lambda *_: "it gave up")
    ground = context(engine)
    struck = Struck(container=ground.containers["db"], before=engine.states["db"], policy=True)
    engine.end("db")
    found = way_back(ground, [struck], 0.0)
    assert (found.success, found.reason) == (False, "it gave up")


@pytest.mark.parametrize(("mode", "backend"), [("kill", "nftables"), ("refuse", "api"), ("blackhole", "api")])
def test_a_way_of_being_down_has_one_rung(engine, mode, backend):
    with pytest.raises(CapabilityError, match=f"mode {mode} is done by backend"):
        open_down(event("dependency.down", "db", parameters={"mode": mode}, backend=backend), context(engine))


@pytest.mark.parametrize(("mode", "status"), [("kill", "exited"), ("pause", "paused")])
def test_a_dependency_is_down_by_the_fault_that_does_it(engine, mode, status):
    fault = open_down(event("dependency.down", "db", parameters={"mode": mode}), context(engine, policy=("db",)))
    fault.inject()
    assert fault.verify().holds
    assert engine.states["db"].status == status
    fault.revert()
    assert engine.states["db"].status == "running"
