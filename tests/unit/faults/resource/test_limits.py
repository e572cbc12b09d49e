"""What is written into control groups of both versions, and what is refused before it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.errors import CapabilityError
from cleanroom.faults.resource import memory
from cleanroom.faults.resource.cpu import Throttle, quota_changes
from cleanroom.faults.resource.group import Setting
from cleanroom.faults.resource.io import speed_changes
from cleanroom.faults.resource.memory import Leak, Limit, Pressure, limit_changes
from cleanroom.faults.resource.processes import Crowd
from cleanroom.quantity import Duration
from tests.unit.faults.resource.trees import MIB, target, texts, tree

BOTH = pytest.mark.parametrize("version", [1, 2])


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with 1000 MiB, of which 100 stay free."""
    monkeypatch.setattr(memory, "available_memory", lambda: (1000 * MIB, 100 * MIB))


def written(changes):
    return [(change.file.name, change.value, change.back) for change in changes]


@pytest.mark.parametrize(
    ("version", "cpus", "expected"),
    [
        (1, 0.25, [("cpu.cfs_period_us", "100000", "100000"), ("cpu.cfs_quota_us", "25000", "-1")]),
        (1, 0.002, [("cpu.cfs_period_us", "1000000", "100000"), ("cpu.cfs_quota_us", "2000", "-1")]),
        (2, 1.5, [("cpu.max", "150000 100000", "max 100000")]),
        (2, 0.002, [("cpu.max", "2000 1000000", "max 100000")]),
    ],
)
def test_so_many_processors_are_a_quota(tmp_path, version, cpus, expected):
    assert written(quota_changes(tree(tmp_path, version), cpus)) == expected


@BOTH
def test_less_than_the_kernel_counts_is_refused(tmp_path, version):
    with pytest.raises(CapabilityError, match=r"less than 0\.001 CPUs"):
        quota_changes(tree(tmp_path, version), 0.0001)


@BOTH
def test_no_less_processor_time_is_refused(tmp_path, version):
    with pytest.raises(CapabilityError, match="5000 would take nothing away"):
        Throttle(target(tree(tmp_path, version)), 5000).apply()


@pytest.mark.parametrize(
    ("version", "size", "expected"),
    [
        (1, 32 * MIB, ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]),
        (1, 500 * MIB, ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]),
        (2, 32 * MIB, ["memory.max", "memory.swap.max"]),
    ],
)
def test_a_memory_limit_is_written_in_the_order_in_which_the_kernel_takes_it(tmp_path, version, size, expected):
    group = tree(tmp_path, version)
    before = texts(group)
    changes = limit_changes(group, size)
    assert [change.file.name for change in changes] == expected
    setting = Setting(group, changes)
    setting.apply()
    assert texts(group) != before
    setting.restore()
    assert texts(group) == before


@BOTH
@pytest.mark.parametrize(
    ("size", "why"),
    [
        (10 * MIB, f"uses {16 * MIB} bytes: with a limit of {10 * MIB} the kernel would kill it"),
        (64 * MIB, "already"),
        (990 * MIB, "could never be reached"),
    ],
)
def test_a_memory_limit_that_cannot_be_is_refused_and_nothing_is_written(tmp_path, version, size, why):
    group = tree(tmp_path, version)
    before = texts(group)
    with pytest.raises(CapabilityError, match=why):
        Limit(target(group), size).apply()
    assert texts(group) == before


@BOTH
def test_pressure_beyond_the_limit_is_refused(tmp_path, version):
    with pytest.raises(CapabilityError, match="has 49152 KiB left below its limit, and 50176 KiB were asked for"):
        Pressure(target(tree(tmp_path, version)), 49 * MIB, None, Duration(0)).apply()


@BOTH
def test_pressure_beyond_the_machine_is_refused(tmp_path, version):
    group = tree(tmp_path, version)
    group.file("memory", "memory.limit_in_bytes", "memory.max").write_text(f"{1 << 40}\n")
    with pytest.raises(CapabilityError, match="the machine has 1000 MiB left, of which 100 MiB must stay free"):
        Pressure(target(group), 901 * MIB, None, Duration(0)).apply()


@BOTH
def test_a_share_needs_a_limit(tmp_path, version):
    group = tree(tmp_path, version)
    group.file("memory", "memory.limit_in_bytes", "memory.max").write_text(f"{1 << 62}\n")
    with pytest.raises(CapabilityError, match="no memory limit that 50 percent could be taken of"):
        Pressure(target(group), None, 50, Duration(0))


@BOTH
def test_a_leak_without_a_limit_is_refused(tmp_path, version):
    group = tree(tmp_path, version)
    group.file("memory", "memory.limit_in_bytes", "memory.max").write_text(f"{1 << 62}\n")
    with pytest.raises(CapabilityError, match="what leaks would be the machine's"):
        Leak(target(group), MIB, Duration(1)).apply()


@BOTH
@pytest.mark.parametrize(("most", "why"), [(20, "may have 20 processes, so 20 is no less"), (999, "more than 500")])
def test_a_limit_of_processes_that_cannot_be_proven_is_refused(tmp_path, version, most, why):
    group = tree(tmp_path, version)
    if most == 20:
        group.file("pids", "pids.max", "pids.max").write_text("20\n")
    with pytest.raises(CapabilityError, match=why):
        Crowd(target(group), most).apply()


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (1, [
            ("blkio.throttle.read_bps_device", "254:0 9", "254:0 0"),
            ("blkio.throttle.write_bps_device", "254:0 8", "254:0 77"),
        ]),
        (2, [("io.max", "254:0 rbps=9 wbps=8", "254:0 rbps=max wbps=77")]),
    ],
)  # fmt: skip
def test_speeds_are_written_for_one_disk_and_what_it_had_is_known(tmp_path, version, expected):
    assert written(speed_changes(tree(tmp_path, version), "254:0", {"read": 9, "write": 8})) == expected


def test_a_kernel_without_the_controller_is_refused(tmp_path):
    group = tree(tmp_path, 2)
    Path(group.place("io"), "io.max").unlink()
    with pytest.raises(CapabilityError, match="the controller io is not in use"):
        speed_changes(group, "254:0", {"read": 9})
