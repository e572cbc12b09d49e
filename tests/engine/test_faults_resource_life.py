"""The life of every fault on a resource, on containers of a test's own: evidence, and nothing left."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from residue import state_of, unchanged
from stage import Stage, open_stage, strike

from cleanroom.errors import CapabilityError
from cleanroom.faults.ladder import open_fault
from cleanroom.quantity import Duration, Rate, Size

# What make test has no time for is in make test-full.
pytestmark = pytest.mark.full

MIB = 1 << 20
SECOND = 10**9
LIMITED = {"memory": 64 * MIB, "memory_swap": 64 * MIB, "tmpfs": {"/data": 8 * MIB}}

LIVES = {
    "cpu_stress": {"workers": 2, "load": 50.0},
    "cpu_throttle": {"cpus": 0.1},
    "memory_pressure": {"size": Size(20 * MIB)},
    "memory_limit": {"memory": Size(32 * MIB)},
    "memory_leak": {"step": Size(MIB), "every": Duration(SECOND // 10)},
    "disk_full": {"path": "/data"},
    "inode_exhaustion": {"path": "/data", "leave": 3},
    "fd_exhaustion": {"leave": 2},
    "pids_limit": {"max": 6},
    "io_throttle": {"read": Rate(32 * MIB), "write": Rate(8 * MIB)},
    "file_size": {"max": Size(4096)},
}


@pytest.fixture
def stage(engine, run) -> Iterator[Stage]:
    with open_stage(engine, run) as found:
        yield found


@pytest.mark.parametrize("kind", LIVES)
def test_a_fault_is_proven_and_leaves_nothing(stage: Stage, engine, kind):
    target = stage.service("target", 10, **LIMITED)
    event = strike(f"resource.{kind}", "target", parameters=LIVES[kind])
    with unchanged(engine, target.id):
        fault = open_fault(event, stage.context(target))
        try:
            fault.inject()
            effect = fault.verify()
        finally:
            fault.revert()
        reversal = fault.verify_reversal()
    assert effect.holds, effect
    assert reversal.holds, reversal
    assert not reversal.lapsed
    assert fault.recovery() is None


def life(kind: str, parameters, context):
    return open_fault(strike(f"resource.{kind}", "target", parameters=parameters), context)


def test_processes_of_another_user_are_limited_and_have_their_limits_again(stage: Stage, engine):
    """Root without CAP_SYS_RESOURCE may not touch them: a process of ours becomes that user."""
    target = stage.service("target", 10, user="1234:1234")
    with unchanged(engine, target.id):
        fault = life("fd_exhaustion", {"leave": 1}, stage.context(target))
        fault.inject()
        assert fault.verify().holds
        fault.revert()
        assert fault.verify_reversal().holds


def test_two_faults_on_the_same_limit_do_not_overlap_and_others_do(stage: Stage, engine):
    target = stage.service("target", 10, **LIMITED)
    context = stage.context(target)
    with unchanged(engine, target.id):
        kinds = ("cpu_stress", "cpu_throttle", "memory_pressure", "disk_full", "pids_limit", "file_size")
        faults = [life(kind, LIVES[kind], context) for kind in kinds]
        for fault in faults:
            fault.inject()
        with pytest.raises(CapabilityError, match="another fault changes the same"):
            life("cpu_throttle", {"cpus": 0.2}, context).inject()
        assert [fault.verify().holds for fault in faults] == [True] * len(faults)
        # Not in reverse: each must find its own, whatever the order.
        for fault in faults:
            fault.revert()
        assert [fault.verify_reversal().holds for fault in faults] == [True] * len(faults)


@pytest.mark.parametrize("kind", ["disk_full", "inode_exhaustion", "memory_pressure"])
def test_a_fault_whose_process_is_killed_did_not_last_and_leaves_nothing(stage: Stage, engine, kind):
    target = stage.service("target", 10, **LIMITED)
    with unchanged(engine, target.id):
        before = our_processes()
        fault = life(kind, LIVES[kind], stage.context(target))
        fault.inject()
        (worker,) = our_processes() - before
        os.kill(worker, signal.SIGKILL)
        fault.revert()
        found = fault.verify_reversal()
    assert found.holds, found
    assert "was killed" in found.lapsed


@pytest.mark.parametrize("kind", ["cpu_throttle", "memory_limit", "pids_limit", "disk_full", "fd_exhaustion"])
def test_a_target_that_is_started_anew_under_the_fault_ran_on_without_it(stage: Stage, engine, kind):
    target = stage.service("target", 10, init=True, **LIMITED)
    before = of_resources(engine, target.id)
    fault = life(kind, LIVES[kind], stage.context(target))
    fault.inject()
    engine.kill(target.id)
    engine.wait(target.id, Duration(20 * SECOND))
    engine.start(target.id)
    fault.revert()
    found = fault.verify_reversal()
    assert found.holds, found
    assert "restarted under the fault" in found.lapsed
    assert of_resources(engine, target.id) == before


def of_resources(engine, container: str) -> dict[str, object]:
    """What does not change with a start."""
    state = state_of(engine, container)
    return {key: state[key] for key in ("limits", "rlimits", "processes", "mounts")}


def test_a_leak_leaves_the_kernels_choice_as_it_was(stage: Stage, engine):
    target = stage.service("target", 10, **LIMITED)
    score = Path(f"/proc/{engine.inspect(target.id).pid}/oom_score_adj")
    before = score.read_text()
    fault = life("memory_leak", LIVES["memory_leak"], stage.context(target))
    fault.inject()
    assert score.read_text() != before
    fault.revert()
    assert fault.verify_reversal().holds
    assert score.read_text() == before
    score.write_text("1000")
    assert not fault.verify_reversal().holds


def our_processes() -> set[int]:
    """The processes that work for faults."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"faults.resource.stress.worker" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
    return found
