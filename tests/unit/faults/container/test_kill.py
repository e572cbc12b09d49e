from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError, NetworkError
from cleanroom.faults.container import death
from cleanroom.faults.container import kill as container
from cleanroom.faults.container.kill import Kill, open_kill
from tests.unit.faults.scenes import Engine, Time, context, kill


@pytest.fixture
def engine() -> Engine:
    return Engine(Time(), "api", "db")


@pytest.fixture
def signals(engine, monkeypatch) -> list[tuple[str, signal.Signals]]:
    """Signals from our side: each ends the container as a crash does."""
    sent: list[tuple[str, signal.Signals]] = []

    def send(state: ContainerState, number: signal.Signals) -> None:
        sent.append((state.id, number))
        engine.on_kill(state.id, number.name)

    monkeypatch.setattr(container, "send_signal", send)
    monkeypatch.setattr(container, "visible_pid", lambda state: state.pid)
    return sent


@pytest.fixture(autouse=True)
def forgotten(monkeypatch) -> list[str]:
    """Addresses that our side of the bridge was made to forget."""
    addresses: list[str] = []
    monkeypatch.setattr(death, "forget_neighbour", lambda _slot, address: addresses.append(address))
    return addresses


def life(fault: Kill) -> tuple[bool, str]:
    fault.inject()
    effect = fault.verify()
    fault.revert()
    assert fault.verify_reversal().holds
    return effect.holds, effect.reason


def test_every_target_is_killed_proven_dead_and_started_again(engine):
    fault = open_kill(kill("api", "db", signal="TERM"), context(engine))
    fault.inject()
    effect = fault.verify()
    assert engine.kills == [("api", "TERM"), ("db", "TERM")]
    assert effect.holds
    assert (effect.facts["db.status"], effect.facts["db.exit_code"]) == ("exited", 137)
    assert engine.revived == []
    fault.revert()
    fault.revert()
    assert engine.revived == ["api", "db"]
    assert fault.verify_reversal().facts["db.pid_after"] == 101
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.strategy, recovery.success) == ("start", True)


def test_whoever_asks_for_the_dead_is_not_sent_to_where_they_were(engine, forgotten, monkeypatch):
    life(open_kill(kill("db"), context(engine)))
    assert forgotten == ["10.0.0.11"]

    def refuse(*_: object) -> None:
        raise NetworkError("not ours")

    monkeypatch.setattr(death, "forget_neighbour", refuse)
    assert life(open_kill(kill("db"), context(engine))) == (True, "")


@pytest.mark.parametrize("status", ["running", "paused"])
def test_a_survivor_is_no_evidence_and_nothing_has_to_recover(engine, status):
    def shrug(name: str, _: str) -> None:
        engine.states[name] = replace(engine.states[name], status=status)

    engine.on_kill = shrug
    fault = open_kill(kill("db"), context(engine))
    assert life(fault) == (False, "db survived signal KILL")
    assert engine.revived == []
    assert fault.recovery() is None
    assert engine.time.seconds >= death.DEATH_TIMEOUT


def test_one_survivor_of_two_is_named(engine):
    engine.on_kill = lambda name, _: engine.end(name) if name == "db" else None
    assert life(open_kill(kill("api", "db"), context(engine))) == (False, "api survived signal KILL")


def test_another_process_in_its_place_is_a_death(engine):
    engine.on_kill = lambda name, _: engine.begin(name, restarts=1)
    engine.time.seconds = 1.0
    fault = open_kill(kill("db"), context(engine))
    fault.inject()
    effect = fault.verify()
    assert effect.holds
    assert effect.facts["db.restarts"] == 1


def test_what_does_not_run_cannot_be_killed(engine):
    engine.end("db")
    with pytest.raises(EngineError, match="nothing to kill"):
        open_kill(kill("db"), context(engine)).inject()
    assert engine.kills == []


def test_a_kill_that_never_was_is_no_evidence(engine):
    fault = open_kill(kill("db"), context(engine))
    assert not fault.verify().holds
    fault.revert()
    assert fault.recovery() is None


def test_a_target_that_was_struck_before_another_one_failed_is_brought_back(engine):
    engine.end("db")
    fault = open_kill(kill("api", "db"), context(engine))
    with pytest.raises(EngineError):
        fault.inject()
    fault.revert()
    assert engine.revived == ["api"]


@pytest.mark.parametrize("revive", ["start", "none"])
@pytest.mark.parametrize("early", [True, False])
def test_who_was_started_by_somebody_else_meanwhile_was_not_dead_until_the_end(engine, revive, early):
    fault = open_kill(kill("db", revive=revive), context(engine))
    fault.inject()
    assert fault.verify().holds
    engine.time.seconds += 1
    if early:
        engine.revive("db")
    fault.revert()
    found = fault.verify_reversal()
    assert (found.holds, "db was started again before" in found.lapsed) == (True, early)


def test_revive_none_leaves_it_dead(engine):
    fault = open_kill(kill("db", revive="none"), context(engine, policy=("db",)))
    assert fault.backend == "api"
    assert life(fault) == (True, "")
    assert engine.revived == []
    assert fault.recovery() is None


def test_a_restart_policy_needs_a_crash_and_the_stopwatch_stops_when_it_has_acted(engine, signals):
    engine.on_kill = lambda name, _: engine.end(name, status="restarting")
    engine.time.later.append((0.3, lambda: engine.begin("db", restarts=1)))
    fault = open_kill(kill("db"), context(engine, policy=("db",)))
    assert fault.backend == "pid"
    fault.inject()
    assert signals == [("db", signal.SIGKILL)]
    assert engine.kills == []
    assert fault.verify().holds
    waiting = fault._victims[0].waiting
    assert waiting is not None
    waiting.join(10)
    engine.time.seconds += 60
    fault.revert()
    assert fault.verify_reversal().holds
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.strategy, recovery.success) == ("policy", True)
    assert 0.3 <= recovery.duration_ns / 10**9 < 1


@pytest.mark.parametrize(("status", "limit"), [("exited", 3.0), ("restarting", 31.0)])
def test_a_policy_that_does_not_act_is_a_failed_recovery_that_is_not_waited_for_for_ever(
    engine, signals, status, limit
):
    engine.on_kill = lambda name, _: engine.end(name, status=status)
    fault = open_kill(kill("db"), context(engine, policy=("db",)))
    assert life(fault) == (True, "")
    recovery = fault.recovery()
    assert recovery is not None
    assert not recovery.success
    assert f"the restart policy of db did not bring it back ({status}, exit code 137" in recovery.reason
    assert engine.revived == []
    assert engine.time.seconds < limit
    assert len(signals) == 1


def test_the_recovery_is_counted_from_the_death_and_not_from_the_signal(engine):
    """A graceful end of 2 s, dead for 3 s: the recovery took those 3 s."""
    engine.on_kill = lambda *_: engine.time.later.append((2.0, lambda: engine.end("db", exit_code=0)))
    fault = open_kill(kill("db", signal="TERM"), context(engine))
    fault.inject()
    assert fault.verify().holds
    assert engine.time.seconds > 2.0
    engine.time.seconds = 5.0
    fault.revert()
    recovery = fault.recovery()
    assert recovery is not None
    assert recovery.duration_ns / 10**9 == pytest.approx(3.25, abs=0.001)


@pytest.mark.parametrize("stamp", ["", "0001-01-01T00:00:00Z", "nonsense", "2026-01-02T03:04:05"])
def test_without_an_engines_word_the_death_is_when_it_was_seen(engine, stamp):
    def end(name: str, _: str) -> None:
        engine.end(name)
        engine.states[name] = replace(engine.states[name], finished_at=stamp)

    engine.on_kill = end
    fault = open_kill(kill("db"), context(engine))
    fault.inject()
    assert fault.verify().holds
    engine.time.seconds += 4
    fault.revert()
    recovery = fault.recovery()
    assert recovery is not None
    assert recovery.duration_ns == 4.25 * 10**9


def test_a_death_is_never_older_than_the_signal(engine):
    """The time stamp of an earlier end, of a container that was started again."""

    def end(name: str, _: str) -> None:
        engine.end(name)
        engine.states[name] = replace(engine.states[name], finished_at="2025-01-01T00:00:00.5Z")

    engine.on_kill = end
    engine.time.seconds = 10.0
    fault = open_kill(kill("db"), context(engine))
    assert life(fault) == (True, "")
    recovery = fault.recovery()
    assert recovery is not None
    assert recovery.duration_ns < 10**9


def test_a_service_that_never_gets_ready_again_is_a_failed_recovery_and_the_others_are_revived(engine):
    def revive(name: str) -> None:
        engine.revive(name)
        if name == "api":
            raise EngineError("api did not get ready in 30s")

    fault = open_kill(kill("api", "db"), replace(context(engine), revive=revive))
    assert life(fault) == (True, "")
    assert engine.revived == ["api", "db"]
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.success, recovery.reason) == (False, "api did not get ready in 30s")


def test_a_service_that_died_again_has_not_recovered(engine):
    fault = open_kill(kill("db"), context(engine))
    fault.inject()
    assert fault.verify().holds
    fault.revert()
    engine.end("db", exit_code=1)
    assert fault.verify_reversal().holds
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.success, recovery.reason) == (False, "db was ready again and then ended (exited)")


@pytest.mark.parametrize(
    ("event", "policy", "words"),
    [
        (kill("db", backend="netem"), (), "no backend 'netem'"),
        (kill("db", backend="api"), ("db",), "never wakes a restart policy"),
        (kill("db", revive="policy"), (), "db has no restart policy"),
        (kill("db", backend="pid", revive="none"), ("db",), "would act, and revive: none does not want it"),
        (kill("db", backend="pid", revive="start"), ("db",), "would act, and revive: start does not want it"),
    ],
)
def test_what_a_rung_cannot_do_is_refused_before_anything_is_struck(engine, signals, event, policy, words):
    with pytest.raises(CapabilityError, match=words):
        open_kill(event, context(engine, policy=policy))
    assert (engine.kills, signals) == ([], [])


def test_a_process_out_of_sight_refuses_the_pid_rung(engine):
    engine.states["db"] = replace(engine.states["db"], id="f" * 64, pid=os.getpid())
    with pytest.raises(CapabilityError, match="is not that of clr-db") as caught:
        open_kill(kill("db", backend="pid"), context(engine))
    assert "engine cell or own" in caught.value.remedy
