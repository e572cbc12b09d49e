"""Real processes in groups that are only files: nothing bites there, and no proof may say that it does."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from cleanroom.faults.resource import cpu, io, memory
from cleanroom.faults.resource.cpu import Burn, Throttle
from cleanroom.faults.resource.io import Slow
from cleanroom.faults.resource.memory import Leak, Limit, Pressure
from cleanroom.faults.resource.processes import Crowd
from cleanroom.quantity import Duration
from tests.unit.faults.resource.trees import MIB, target, tree

MAKE = {
    "cpu_stress": lambda t: Burn(t, 1, 100),
    "cpu_throttle": lambda t: Throttle(t, 0.5),
    "memory_pressure": lambda t: Pressure(t, 2 * MIB, None, Duration(0)),
    "memory_leak": lambda t: Leak(t, MIB, Duration(10**9)),
    "memory_limit": lambda t: Limit(t, 18 * MIB),
    "pids_limit": lambda t: Crowd(t, 7),
    "io_throttle": lambda t: Slow(t, {"read": MIB, "write": MIB}),
}


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.setattr(cpu, "_PROBE", 0.2)
    monkeypatch.setattr(cpu, "_WINDOW", 0.2)
    monkeypatch.setattr(memory, "available_memory", lambda: (1000 * MIB, 100 * MIB))
    monkeypatch.setattr(memory, "members", lambda _: frozenset())
    monkeypatch.setattr(memory, "_ON_DISK", str(tmp_path))
    monkeypatch.setattr(io, "disk_of", lambda _: ("254:0", str(tmp_path)))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", MAKE)
def test_what_has_no_effect_is_not_proven_and_is_taken_back(tmp_path, kind, version):
    group = tree(tmp_path, version)
    hit = MAKE[kind](replace(target(group), pid=os.getpid()))
    try:
        hit.apply()
        found = hit.proof()
    finally:
        hit.take_back()
    assert not found.holds, found
    assert found.reason
    # Only the kernel puts the limit of one disk among those of others.
    assert hit.residue().holds or kind == "io_throttle"
    hit.take_back()
