"""Faults on containers and processes from begin to end on real ones, and what is left of them: nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from residue import unchanged
from stage import Stage, open_stage, strike

from cleanroom.drive.reach import Container
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import ActiveFault, Evidence
from cleanroom.faults.ladder import open_fault
from cleanroom.faults.process.crowded import zombies
from cleanroom.quantity import Duration, Size

# What make test has no time for is in make test-full.
pytestmark = pytest.mark.full

LOOP = ("bash", "-c", "trap 'exit 4' TERM; trap : USR1; sleep 600 & while true; do wait; done")


@pytest.fixture
def stage(engine, run) -> Iterator[Stage]:
    with open_stage(engine, run) as made:
        yield made


@pytest.fixture
def target(stage) -> Container:
    return stage.service("target", 10, command=LOOP)


def settled(stage: Stage, container: Container) -> None:
    """Wait until the shell has its child: before, what is compared is not complete."""
    for _ in range(200):
        if Path(f"/proc/{stage.state(container).pid}/task").exists() and "sleep" in commands(stage, container):
            return
        time.sleep(0.05)
    raise AssertionError("the service did not begin")


def commands(stage: Stage, container: Container) -> str:
    namespace = Path(f"/proc/{stage.state(container).pid}/ns/pid").readlink()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "ns/pid").readlink() == namespace:
                found.append((entry / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return " ".join(found)


def opened(stage: Stage, container: Container, kind: str, **parameters: object) -> ActiveFault:
    backend = str(parameters.pop("backend", "auto"))
    return open_fault(
        strike(kind, "target", parameters=parameters, backend=backend), stage.context(container)  # type: ignore[arg-type]
    )  # fmt: skip


def live(fault: ActiveFault) -> tuple[Evidence, Evidence]:
    fault.inject()
    try:
        effect = fault.verify()
    finally:
        fault.revert()
        fault.revert()
    return effect, fault.verify_reversal()


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("container.pause", {}),
        ("container.pause", {"backend": "signal"}),
        ("process.signal", {"match": "^sleep", "signal": "STOP"}),
        ("process.signal", {"match": "^bash", "signal": "USR1"}),
        ("process.zombies", {"count": 20}),
        ("process.fork_bomb", {"pids": 30}),
    ],
)
def test_what_a_running_container_goes_through_leaves_nothing(stage, target, kind, parameters):
    settled(stage, target)
    with unchanged(stage.engine, target.id):
        effect, reversal = live(opened(stage, target, kind, **parameters))
        assert (effect.holds, effect.reason, reversal.holds, reversal.lapsed) == (True, "", True, ""), effect
        settled(stage, target)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("container.stop", {"grace": Duration(10**9)}),
        ("container.restart", {"times": 2, "grace": Duration(10**9)}),
        ("container.crash_loop", {"every": Duration(2 * 10**8), "times": 1}),
        ("container.oom", {"memory": Size(32 << 20)}),
    ],
)
def test_a_container_that_was_started_again_is_as_it_was(stage, target, kind, parameters):
    settled(stage, target)
    pid = stage.state(target).pid
    with unchanged(stage.engine, target.id):
        fault = opened(stage, target, kind, **parameters)
        effect, reversal = live(fault)
        assert (effect.holds, effect.reason, reversal.holds, reversal.lapsed) == (True, "", True, ""), effect
        recovery = fault.recovery()
        assert recovery is not None
        assert recovery.success
        settled(stage, target)
    assert stage.state(target).pid != pid


def test_the_stop_signal_comes_before_the_grace_and_kill_after_it(stage, target):
    settled(stage, target)
    orderly, _ = live(opened(stage, target, "container.stop", grace=Duration(20 * 10**9)))
    assert orderly.facts["target.exit_code"] == 4
    deaf = stage.service("target", 11, command=("bash", "-c", "trap '' TERM; while :; do sleep 0.1; done"))
    effect, _ = live(opened(stage, deaf, "container.stop", grace=Duration(3 * 10**8)))
    assert effect.facts["target.exit_code"] == 137
    assert effect.facts["target.stop_ms"] >= 300


def test_a_signal_that_nobody_takes_is_no_evidence(stage):
    deaf = stage.service("target", 10, command=("bash", "-c", "trap '' TERM; exec sleep 600"))
    for _ in range(100):
        if "sleep" in commands(stage, deaf):
            break
        time.sleep(0.05)
    effect, _ = live(opened(stage, deaf, "process.signal", match="^sleep", signal="TERM"))
    assert not effect.holds
    assert "ignored" in effect.reason


def test_the_drawn_process_is_the_same_for_the_same_stream(stage):
    crowd = stage.service("target", 10, command=("bash", "-c", "for n in 1 2 3 4; do sleep 60$n & done; wait"))
    for _ in range(100):
        if commands(stage, crowd).count("sleep\0") >= 4:
            break
        time.sleep(0.05)
    stopped = []
    for _ in range(2):
        fault = opened(stage, crowd, "process.signal", match="^sleep", signal="STOP", count=1)
        fault.inject()
        stopped.append(fault._chosen[0].before.command)  # type: ignore[attr-defined]
        fault.revert()
    assert stopped[0] == stopped[1]


def test_zombies_are_gone_even_where_the_first_process_waits_for_nobody(stage):
    careless = stage.service("target", 10, init=False)
    pid = stage.state(careless).pid
    before = zombies(pid)
    effect, _ = live(opened(stage, careless, "process.zombies", count=15))
    assert effect.facts["target.zombies"] == 15
    assert zombies(pid) == before


def test_a_memory_limit_below_what_is_there_already_is_refused(stage):
    small = stage.service("target", 10, memory=64 << 20, memory_swap=64 << 20)
    fault = opened(stage, small, "container.oom", memory=Size(256 << 20))
    with pytest.raises(CapabilityError, match="below what is asked for"):
        fault.inject()
    fault.revert()
