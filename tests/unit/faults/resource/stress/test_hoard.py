from __future__ import annotations

from cleanroom.faults.resource.stress.hoard import Hoard, Leak, take
from cleanroom.faults.resource.stress.task import available_memory

MIB = 1 << 20


class Now:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def test_memory_is_taken_evenly_over_its_ramp():
    now = Now()
    hoard = Hoard(8 * MIB, 4.0, now)
    assert hoard.begin()["taken"] == 0
    now.seconds += 1.0
    assert hoard.tick() is not None
    assert hoard.look()["taken"] == 2 * MIB
    now.seconds += 9.0
    assert hoard.tick() is None
    assert hoard.end() == {"taken": 8 * MIB, "size": 8 * MIB}


def test_without_a_ramp_all_is_taken_at_once():
    assert Hoard(3 * MIB + 5, 0, Now()).begin()["taken"] == 3 * MIB + 5


def test_every_page_is_touched():
    held = take(3 * MIB + 1)
    assert all(held[start] == 1 for start in range(0, 3 * MIB + 1, 4096))


def test_a_leak_takes_a_step_each_time_it_is_due():
    now = Now()
    leak = Leak(MIB, 0.5, now=now, machine=lambda: (100 * MIB, 10 * MIB))
    assert leak.begin()["steps"] == 1
    assert leak.tick() == 0.5
    now.seconds += 0.5
    leak.tick()
    assert leak.look() == {"steps": 2, "taken": 2 * MIB, "stopped": ""}
    # Where it came late it makes up for it, one step at a time.
    now.seconds += 1.0
    assert leak.tick() == 0.0
    leak.tick()
    assert leak.end()["steps"] == 4


def test_a_leak_ends_before_the_machine_does():
    leak = Leak(MIB, 0.5, now=Now(), machine=lambda: (10 * MIB, 10 * MIB))
    found = leak.begin()
    assert found["steps"] == 0
    assert found["stopped"] == "the machine has 10 MiB left, of which 10 MiB must stay free"
    assert leak.tick() is None


def test_what_a_machine_has_and_must_keep(tmp_path):
    file = tmp_path / "meminfo"
    file.write_text("MemTotal: 4000 kB\nMemFree: 1 kB\nMemAvailable: 3000 kB\n")
    assert available_memory(file) == (3000 << 10, 400 << 10)
    file.write_text("MemTotal: 99999999 kB\nMemAvailable: 3000 kB\n")
    assert available_memory(file) == (3000 << 10, 1 << 30)
