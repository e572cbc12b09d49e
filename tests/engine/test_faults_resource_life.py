"""The life of every fault on a resource, on containers of a test's own: evidence, and nothing left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from residue import unchanged
from stage import Stage, open_stage, strike

from cleanroom.faults.ladder import open_fault
from cleanroom.quantity import Duration, Rate, Size

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
