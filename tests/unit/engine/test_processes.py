from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.engine import processes

# A session leader with a child in a session of its own, which has a child again.
TREE = "import subprocess, sys; subprocess.run(['sh', '-c', 'sleep 60 & wait'], start_new_session=True)"


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", TREE], start_new_session=True)
    yield child
    group = processes.group_of(identify(child.pid)) if child.poll() is None else frozenset()
    processes.send(group, signal.SIGKILL)
    child.wait()


def identify(pid: int) -> processes.Process:
    stat = processes._stat(pid)
    assert stat is not None
    return stat.process


def grown(leader: processes.Process, size: int) -> frozenset[processes.Process]:
    for _ in range(500):
        group = processes.group_of(leader)
        if len(group) >= size:
            return group
        time.sleep(0.01)
    raise AssertionError(f"only {group}")


def test_the_group_holds_descendants_that_left_the_session(leader: subprocess.Popen[bytes]) -> None:
    group = grown(identify(leader.pid), 3)

    def names() -> list[str]:
        return sorted((Path("/proc") / str(p.pid) / "comm").read_text().strip() for p in group)

    for _ in range(500):  # a child has its parent's name until it has become what it is to be
        if "sleep" in names():
            break
        time.sleep(0.01)
    assert "sleep" in names()
    assert "sh" in names()


def test_known_members_stay_in_the_group_when_their_parents_are_dead(leader: subprocess.Popen[bytes]) -> None:
    first = identify(leader.pid)
    group = grown(first, 3)
    leader.kill()
    leader.wait()
    assert processes.group_of(first) == frozenset(), "the negative control: a fresh look does not find them any more"
    orphans = processes.group_of(first, group)
    assert len(orphans) == 2
    processes.send(orphans, signal.SIGKILL)
    for _ in range(500):
        if not processes.group_of(first, orphans):
            return
        time.sleep(0.01)
    raise AssertionError("orphans survived SIGKILL")


def test_a_process_with_the_same_pid_but_another_start_is_not_signalled(leader: subprocess.Popen[bytes]) -> None:
    real = identify(leader.pid)
    processes.send(frozenset({processes.Process(real.pid, real.started - 1)}), signal.SIGKILL)
    time.sleep(0.05)
    assert leader.poll() is None


def test_a_process_outside_of_the_container_is_not_found() -> None:
    assert processes.find(os.getpid(), "0123456789abcdef" * 4) is None
    assert processes.find(0, "") is None
