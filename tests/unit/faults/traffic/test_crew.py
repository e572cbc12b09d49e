from __future__ import annotations

import os
from pathlib import Path

import pytest

from cleanroom.faults import ladder
from cleanroom.faults.traffic import crew
from tests.unit.faults.scenes import event, kill, latency


def children() -> set[int]:
    """The processes of the crew that this one started; the kernel's own list of children may leave some out."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"faults.traffic.crew" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:  # it has ended
            continue
    return found


def test_what_forks_workers_is_there_before_the_first_fault_and_ends_with_the_last_block():
    assert children() == set()
    with crew.prepared():
        first = children()
        assert len(first) == 1
        with crew.prepared():
            assert children() == first
        assert children() == first
    assert children() == set()


@pytest.mark.parametrize(("made", "count"), [
    ((latency("db"),), 1), ((latency("db", backend="nfqueue"),), 1), ((latency("db", backend="netem"),), 0),
    ((kill("db"),), 0), ((), 0), ((kill("db"), event("network.loss", "db")), 1),
])  # fmt: skip
def test_it_is_there_for_faults_that_may_need_it_only(made, count):
    with ladder.prepared(made):
        assert len(children()) == count
    assert children() == set()
