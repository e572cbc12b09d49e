"""Faults on the real kernel and a real engine, and that each proof of theirs can fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import pytest

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError
from cleanroom.faults.container.kill import open_kill
from cleanroom.faults.ladder import open_fault
from cleanroom.faults.network.latency import Latency
from cleanroom.faults.traffic.queue import QueueTraffic
from cleanroom.network.measure import tcp_rtt
from cleanroom.network.namespace import namespace_of_pid
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration
from cleanroom.spec.fault import AtManual, Fault
from tests.engine.residue import unchanged
from tests.engine.stage import Stage, event, open_stage
from tests.engine.wire import TIMEOUT, kernel_has_netem, running, wait_until

DELAY = Duration(40 * 10**6)


@pytest.fixture
def stage(engine, run) -> Iterator[Stage]:
    with open_stage(engine, run) as made:
        yield made


def latency(*targets: str, backend: str = "auto", between: tuple[str, ...] = (), **options: object) -> FaultEvent:
    parameters = {"delay": DELAY, "jitter": Duration(0), "distribution": "uniform", "correlation": 0.0}
    given = {k: options.pop(k) for k in tuple(options) if k in parameters}
    fault = Fault(
        id="slow", kind="network.latency", moment=AtManual(), backend=backend, between=between,
        parameters=MappingProxyType({**parameters, **given}), **options,
    )  # fmt: skip
    return event(fault, targets or between)


def kill(*targets: str, backend: str = "auto", **parameters: str) -> FaultEvent:
    values = {"signal": "KILL", "revive": "default", **parameters}
    fault = Fault(
        id="dead", kind="container.kill", moment=AtManual(), backend=backend, parameters=MappingProxyType(values)
    )
    return event(fault, targets)


def test_a_slow_container_is_proven_slow_and_then_proven_free(stage):
    db = stage.service("db", 10, ports=(5432,))
    fault = open_fault(latency("db"), stage.context(db))
    with unchanged(stage.engine, db.id):
        fault.inject()
        effect = fault.verify()
        assert effect.holds, effect
        assert fault.backend in ("netem", "nfqueue")
        assert effect.facts["db.rtt_before_ms"] < DELAY.ms <= effect.facts["db.rtt_during_ms"]
        assert effect.facts["db.measured_over"] == "tcp/5432"
        fault.revert()
        fault.revert()
        reversal = fault.verify_reversal()
    assert (reversal.holds, reversal.lapsed) == (True, ""), reversal
    assert reversal.facts["db.packets"] >= 5
    assert fault.recovery() is None


def test_between_two_containers_both_ends_are_slow_for_each_other_and_for_nobody_else(stage):
    api, db, other = stage.service("api", 10), stage.service("db", 11), stage.service("other", 12)
    fault = open_fault(latency(between=("api", "db")), stage.context(api, db, other))
    fault.inject()
    effect = fault.verify()
    assert effect.holds, effect
    assert effect.facts["expected_ms"] == 2 * DELAY.ms
    assert effect.facts["api.rtt_during_ms"] >= 2 * DELAY.ms
    outside = namespace_of_pid(stage.state(other).pid)
    assert min(tcp_rtt(outside, db.address, 9, 5, TIMEOUT).samples) < DELAY.ns
    assert min(tcp_rtt(None, db.address, 9, 5, TIMEOUT).samples) < DELAY.ns
    fault.revert()
    assert fault.verify_reversal().holds


def test_the_ladder_goes_past_a_rung_that_the_kernel_lacks_and_a_pinned_rung_is_never_replaced(stage):
    db = stage.service("db", 10)
    free, pinned = (open_fault(latency("db", backend=b), stage.context(db)) for b in ("auto", "netem"))
    free.inject()
    effect = free.verify()
    free.revert()
    assert free.verify_reversal().holds
    if kernel_has_netem():
        pinned.inject()
        assert pinned.backend == free.backend == "netem"
        assert "refused_rungs" not in effect.facts
    else:
        with pytest.raises(CapabilityError, match=r"works here: backend netem: .*unknown"):
            pinned.inject()
        assert (free.backend, effect.holds) == ("nfqueue", True)
        assert "backend netem: " in effect.facts["refused_rungs"]
    pinned.revert()
    assert pinned.verify_reversal().holds


def test_a_delay_whose_worker_was_killed_is_not_proven(stage):
    db = stage.service("db", 10)
    fault = open_fault(latency("db", backend="nfqueue"), stage.context(db))
    fault.inject()
    assert fault.verify().holds
    worker = worker_of(fault)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not running(worker))
    effect = fault.verify()
    assert not effect.holds
    assert "to db did not grow by 40 ms, but by" in effect.reason
    fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds
    assert reversal.lapsed == "db: the worker that held packets ended early"


def worker_of(fault: object) -> int:
    assert isinstance(fault, Latency)
    traffic = fault.hits[0].traffic
    assert isinstance(traffic, QueueTraffic)
    return traffic.worker


def test_a_second_delay_on_the_same_container_adds_to_the_first_and_each_ends_by_itself(stage):
    db = stage.service("db", 10, ports=(80,))
    context = stage.context(db)
    first, second = open_fault(latency("db"), context), open_fault(latency("db", ports=(80,)), context)
    with unchanged(stage.engine, db.id):
        for fault in (first, second):
            fault.inject()
            assert fault.verify().holds
        assert min(tcp_rtt(None, db.address, 80, 5, TIMEOUT).samples) >= 2 * DELAY.ns
        assert DELAY.ns <= min(tcp_rtt(None, db.address, 81, 5, TIMEOUT).samples) < 2 * DELAY.ns
        first.revert()
        assert first.verify_reversal().holds
        assert second.verify().facts["db.rtt_during_ms"] < 2 * DELAY.ms
        second.revert()
        assert second.verify_reversal().holds


def test_a_container_that_ended_under_the_delay_leaves_no_worker(stage):
    db = stage.service("db", 10)
    fault = open_fault(latency("db", backend="nfqueue"), stage.context(db))
    fault.inject()
    worker = worker_of(fault)
    assert running(worker)
    stage.engine.kill(db.id)
    wait_until(lambda: stage.state(db).status == "exited")
    fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds, reversal
    assert reversal.facts["db.state"] == "exited"
    assert not running(worker)


def test_a_container_that_was_restarted_under_the_delay_is_a_lapse(stage):
    db = stage.service("db", 10)
    fault = open_fault(latency("db"), stage.context(db))
    fault.inject()
    assert fault.verify().holds
    stage.engine.kill(db.id)
    wait_until(lambda: stage.state(db).status == "exited")
    stage.engine.start(db.id)
    assert not fault.verify().holds
    fault.revert()
    reversal = fault.verify_reversal()
    assert reversal.holds, reversal
    assert "restarted under the fault" in reversal.lapsed


def test_a_pid_that_is_another_process_here_is_never_touched(stage):
    db = stage.service("db", 10)
    context = stage.context(db)
    engine = PidOf(stage.engine, os.getpid())
    for made in (latency("db"), kill("db", backend="pid")):
        with pytest.raises(CapabilityError, match="is not that of"):
            open_fault(made, replace(context, engine=engine)).inject()  # type: ignore[arg-type]


class PidOf:
    """An engine that counts processes elsewhere: its pids are somebody else's here."""

    def __init__(self, engine: DockerEngine, pid: int) -> None:
        self._engine = engine
        self._pid = pid

    def inspect(self, container: str) -> ContainerState:
        return replace(self._engine.inspect(container), pid=self._pid)


def test_a_killed_container_is_started_again_at_the_end_of_the_fault(stage):
    db = stage.service("db", 10)
    before = stage.state(db)
    fault = open_fault(kill("db"), stage.context(db))
    fault.inject()
    effect = fault.verify()
    assert (effect.holds, fault.backend) == (True, "api")
    assert (effect.facts["db.exit_code"], effect.facts["db.status"]) == (137, "exited")
    fault.revert()
    reversal, recovery = fault.verify_reversal(), fault.recovery()
    assert reversal.holds
    assert stage.state(db).pid not in (0, before.pid)
    assert recovery is not None
    assert (recovery.strategy, recovery.success) == ("start", True)
    assert recovery.duration_ns > 0


def test_a_killed_container_comes_back_by_its_restart_policy_without_our_help(stage):
    db = stage.service("db", 10, restart_policy="always")
    before = stage.state(db)
    fault = open_fault(kill("db"), stage.context(db, policy=True))
    began = time.monotonic_ns()
    fault.inject()
    assert fault.verify().holds
    assert fault.backend == "pid"
    wait_until(lambda: stage.state(db).status == "running" and stage.state(db).pid != before.pid)
    assert stage.state(db).restart_count == before.restart_count + 1
    back = time.monotonic_ns()
    wait_until(lambda: time.monotonic_ns() - back > 10**9)  # the fault goes on; its recovery does not
    fault.revert()
    assert fault.verify_reversal().holds
    recovery = fault.recovery()
    assert recovery is not None
    assert (recovery.strategy, recovery.success) == ("policy", True)
    assert 0 < recovery.duration_ns < time.monotonic_ns() - began - 9 * 10**8


def test_the_engines_own_kill_would_never_wake_a_restart_policy(stage):
    db = stage.service("db", 10, restart_policy="always")
    context = stage.context(db, policy=True)
    with pytest.raises(CapabilityError, match="never wakes a restart policy"):
        open_kill(kill("db", backend="api"), context)
    # The same fault, forced onto that rung: the policy sleeps, and the recovery says so.
    unaware = stage.context(db, policy=False)
    fault = open_kill(kill("db", backend="api"), unaware)
    fault._strategies = {"db": "policy"}
    fault.inject()
    assert fault.verify().holds
    fault.revert()
    assert fault.verify_reversal().holds
    recovery = fault.recovery()
    assert recovery is not None
    assert not recovery.success
    assert "did not bring it back (exited, exit code 137, 0 restarts)" in recovery.reason
    assert stage.state(db).status == "exited"


def test_a_process_that_ignores_the_signal_is_no_evidence_of_a_kill(stage, monkeypatch):
    monkeypatch.setattr("cleanroom.faults.container.death.DEATH_TIMEOUT", 0.5)
    # Without an init, `sleep` is the first process, which the kernel shields from signals that it does not handle.
    db = stage.service("db", 10, init=False)
    before = stage.state(db)
    fault = open_fault(kill("db", signal="TERM"), stage.context(db))
    fault.inject()
    effect = fault.verify()
    assert not effect.holds
    assert effect.reason == "db survived signal TERM"
    fault.revert()
    assert stage.state(db).started_at == before.started_at
    assert fault.recovery() is None
