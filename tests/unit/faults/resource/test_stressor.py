"""Processes of ours without a container: what they do, say, and refuse, and that they end."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.resource.cpu import ended
from cleanroom.faults.resource.stress.ceiling import started_at
from cleanroom.faults.resource.stressor import Stressor, start, trial

MIB = 1 << 20


@pytest.fixture
def made():
    found: list[Stressor] = []
    yield found
    for one in found:
        one.end()
        assert not one.alive


def test_memory_is_taken_and_given_back(made):
    made.append(start("hoard", {"size": 3 * MIB, "ramp": 0}))
    assert made[0].look() == {"taken": 3 * MIB, "size": 3 * MIB}
    made[0].end()
    made[0].end()
    assert made[0].figures == {"taken": 3 * MIB, "size": 3 * MIB, "ended": "asked"}
    assert ended(made[0]).holds
    assert ended(made[0]).lapsed == ""


def test_a_process_that_was_killed_did_not_last(made):
    made.append(start("hoard", {"size": MIB, "ramp": 0}))
    os.kill(made[0]._process.pid, signal.SIGKILL)
    made[0].end()
    assert "killed" in ended(made[0]).lapsed


def test_it_ends_with_the_process_that_it_watches(made):
    with subprocess.Popen(["sleep", "60"]) as watched:
        made.append(start("hoard", {"size": MIB, "ramp": 0}, watch=watched.pid))
        watched.kill()
    made[0]._process.wait(20)
    made[0].end()
    assert ended(made[0]).lapsed == "the service ended under the fault"


def test_one_that_still_runs_is_not_taken_back(made):
    made.append(start("hoard", {"size": MIB, "ramp": 0}))
    assert not ended(made[0]).holds


def test_workers_burn_and_die_with_their_parent(made):
    made.append(start("burn", {"workers": 2, "load": 50}))
    found = made[0].look()
    assert found["workers"] == 2
    children = subprocess.run(
        ["pgrep", "-P", str(made[0]._process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(children) == 2
    os.kill(made[0]._process.pid, signal.SIGKILL)
    made[0].end()
    limit = time.monotonic() + 20
    while any(started_at(int(child)) is not None for child in children):
        assert time.monotonic() < limit, "the workers outlived their parent"
        time.sleep(0.01)


def test_steps_are_noted_where_they_outlive_the_process(made):
    notes = os.memfd_create("notes")
    try:
        made.append(start("leak", {"step": MIB, "every": 0.01, "notes": notes}))
        made[0].end()
        steps = made[0].figures["steps"]
        assert int.from_bytes(os.pread(notes, 8, 0), "big") == steps >= 1
    finally:
        os.close(notes)


def test_a_trial_says_what_it_found():
    assert trial("forks", {"most": 3}) == {"started": 3, "error": ""}


@pytest.mark.parametrize(
    ("task", "options", "why"),
    [
        ("ballast", {"path": "/not/there", "own": [], "others": {}, "spare": 0}, "No such file"),
        (
            "ballast",
            {"path": "/proc", "own": [], "others": {}, "spare": 0},
            "/proc is on a file system that is not known",
        ),
        ("inodes", {"path": "/proc", "own": [], "others": {}}, "/proc is on"),
        ("blocks", {"folder": "/not/there", "write": 1, "read": 1}, "No such file"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(task, options, why):
    with pytest.raises(CapabilityError, match=why):
        start(task, options)


def test_a_group_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CapabilityError, match=r"cgroup\.procs"):
        start("hoard", {"size": 1, "ramp": 0}, groups=(str(tmp_path / "none"),))


def test_a_file_system_that_the_machine_cannot_spare_is_refused(tmp_path):
    device = tmp_path.stat().st_dev
    own = [f"{os.major(device)}:{os.minor(device)}"]
    with pytest.raises(CapabilityError, match="MiB left, and the machine can spare 0 MiB"):
        start("ballast", {"path": str(tmp_path), "own": own, "others": {}, "spare": 0})


def test_a_file_system_that_has_no_more_left_than_asked_is_refused(tmp_path):
    device = tmp_path.stat().st_dev
    own = [f"{os.major(device)}:{os.minor(device)}"]
    with pytest.raises(CapabilityError, match="left already"):
        start("ballast", {"path": str(tmp_path), "own": own, "others": {}, "spare": 0, "leave": 1 << 60})
