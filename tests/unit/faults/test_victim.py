from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError
from cleanroom.faults import victim
from cleanroom.faults.victim import send_signal, visible_pid
from tests.unit.faults.scenes import Engine, Time


def state(pid: int, identity: str = "f" * 64) -> ContainerState:
    return replace(Engine(Time(), "db").states["db"], pid=pid, id=identity)


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def own_cgroup(pid: int) -> str:
    """A part of the path of the process's group, as if the container's id were in it; one that is never empty."""
    return Path(f"/proc/{pid}/cgroup").read_text().strip()


def test_the_process_of_the_container_is_known_by_its_control_group(child):
    assert visible_pid(state(child.pid, own_cgroup(child.pid))) == child.pid


def test_a_process_of_another_group_is_not_that_of_the_container(child):
    with pytest.raises(CapabilityError, match="is not that of clr-db"):
        send_signal(state(child.pid), signal.SIGKILL)
    assert child.poll() is None


@pytest.mark.parametrize("pid", [0, -1])
def test_a_container_without_a_process_has_none_to_signal(pid):
    with pytest.raises(CapabilityError, match="has no process"):
        visible_pid(state(pid))


def test_a_process_that_does_not_exist_is_not_visible():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(CapabilityError, match="not visible from here"):
        visible_pid(state(gone.pid))


def test_an_empty_id_matches_no_process(child):
    with pytest.raises(CapabilityError, match="is not that of"):
        visible_pid(state(child.pid, ""))


def test_the_signal_reaches_the_process(child):
    send_signal(state(child.pid, own_cgroup(child.pid)), signal.SIGTERM)
    assert child.wait(10) == -signal.SIGTERM


def test_a_number_that_passed_to_another_process_is_not_signalled(child, monkeypatch):
    answers = [child.pid]

    def once(_: ContainerState) -> int:
        if not answers:
            raise CapabilityError("it is somebody else's now")
        return answers.pop()

    monkeypatch.setattr(victim, "visible_pid", once)
    with pytest.raises(CapabilityError, match="somebody else"):
        send_signal(state(child.pid), signal.SIGKILL)
    assert child.poll() is None


def test_a_process_that_ended_meanwhile_is_an_error_of_ours(monkeypatch):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setattr(victim, "visible_pid", lambda _: gone.pid)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count
    with pytest.raises(EngineError, match="cannot be signalled"):
        send_signal(state(gone.pid), signal.SIGKILL)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - a count
