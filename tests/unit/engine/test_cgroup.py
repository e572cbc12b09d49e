"""Gauges read control groups of both versions as the kernel writes them; here in a directory of our own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.engine.cgroup import Group, Usage, frozen, gauge_of, group_of, oom_kills
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError

ID = "c0ffee" * 10
STATE = ContainerState(
    id=ID, name="api", status="running", pid=7, exit_code=0, oom_killed=False, started_at="", finished_at="",
    restart_count=0, address="",
)  # fmt: skip


def write(place, **files):
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(f"{text}\n")
    return place


def process(proc, pid, files, *lines):
    write(proc / str(pid), cgroup="\n".join(lines))
    for number in range(files):
        write(proc / str(pid) / "fd", **{str(number): ""})


@pytest.fixture
def first(tmp_path):
    """Version 1, seen from a cell: the paths begin above what is mounted."""
    path = f"/docker/cell/docker/{ID}"
    process(tmp_path / "proc", 7, 3, "9:name=systemd:/", f"4:memory:{path}", f"2:cpu,cpuacct:{path}")
    process(tmp_path / "proc", 8, 2, f"4:memory:{path}")
    memory = write(
        tmp_path / "cgroup/memory/docker" / ID, memory__usage_in_bytes=900, memory__max_usage_in_bytes=1000,
        memory__stat="cache 500\ntotal_inactive_file 400", memory__oom_control="under_oom 0\noom_kill 1",
        cgroup__procs="7\n8",
    )  # fmt: skip
    write(tmp_path / "cgroup/cpuacct/docker" / ID, cpuacct__usage=5_000)
    return tmp_path, memory


@pytest.fixture
def second(tmp_path):
    path = f"/system.slice/docker-{ID}.scope"
    process(tmp_path / "proc", 7, 3, f"0::{path}/init")
    write(tmp_path / "cgroup", cgroup__controllers="cpu memory")
    place = write(
        tmp_path / f"cgroup{path}", memory__current=900, memory__peak=1000, memory__stat="inactive_file 400",
        memory__events="low 0\noom_kill 0", cpu__stat="usage_usec 5\nuser_usec 4", cgroup__procs="7",
    )  # fmt: skip
    return tmp_path, place


def gauge(place: Path):
    return gauge_of(STATE, place / "proc", place / "cgroup")


def test_version_1(first):
    place, memory = first
    read = gauge(place).read()
    assert read == Usage(
        group=memory.stat().st_ino, memory=500, peak=1000, cpu_ns=5_000, files=5, oom_kills=1
    )  # fmt: skip


def test_version_2_and_processes_of_groups_below(second):
    place, group = second
    process(place / "proc", 9, 4, "")
    write(group / "worker", cgroup__procs="9\n999")
    read = gauge(place).read()
    assert read == Usage(group=group.stat().st_ino, memory=500, peak=1000, cpu_ns=5_000, files=7, oom_kills=0)


def test_an_old_kernel_keeps_no_peak(second):
    place, group = second
    (group / "memory.peak").unlink()
    assert gauge(place).read().peak is None


def test_a_group_that_is_gone_has_no_usage_and_another_of_the_same_path_is_another(second):
    place, group = second
    reader = gauge(place)
    before = reader.read()
    moved = group.rename(group.parent / "old")
    assert reader.read() is None
    write(group, memory__current=1, cpu__stat="usage_usec 1", cgroup__procs="")
    assert reader.read().group != before.group
    assert moved.exists()


def test_what_cannot_be_read_is_unknown_never_0(second):
    place, group = second
    for name in ("memory.current", "cpu.stat"):
        (group / name).write_text("nonsense\n")
    (place / "proc/7/fd").rename(place / "proc/7/old")
    (place / "proc/7/fd").write_text("no directory")
    read = gauge(place).read()
    assert (read.memory, read.cpu_ns, read.files) == (None, None, None)


def test_a_container_that_is_not_ours_to_see_has_no_gauge(second):
    place, group = second
    (place / "proc/7/cgroup").write_text("0::/somebody/else\n")
    assert gauge(place) is None
    (place / "proc/7/cgroup").unlink()
    assert gauge(place) is None
    assert group.exists()


def test_a_group_of_version_1_is_that_of_its_controller(first):
    place, memory = first
    found = group_of(STATE, "memory", place / "proc", place / "cgroup")
    assert (found.place, found.version, oom_kills(found)) == (memory, 1, 1)
    found.write("memory.limit_in_bytes", "123")
    assert found.read("memory.limit_in_bytes") == "123"
    assert found.number("memory.limit_in_bytes") == 123
    with pytest.raises(CapabilityError, match="pids control group of api"):
        group_of(STATE, "pids", place / "proc", place / "cgroup")


def test_a_group_of_version_2_is_the_same_for_every_controller(second):
    place, group = second
    found = group_of(STATE, "pids", place / "proc", place / "cgroup")
    assert (found.place, found.version, oom_kills(found)) == (group, 2, 0)


def test_a_container_whose_process_is_not_ours_to_see_has_no_group(second):
    place, _ = second
    with pytest.raises(CapabilityError, match="not visible from here"):
        group_of(replace(STATE, pid=99), "memory", place / "proc", place / "cgroup")


@pytest.mark.parametrize("held", [True, False])
def test_what_the_freezer_holds_is_told_by_both_versions(tmp_path, held):
    one = write(tmp_path / "one", freezer__state="FROZEN" if held else "THAWED")
    two = write(tmp_path / "two", cgroup__events=f"populated 1\nfrozen {int(held)}")
    assert (frozen(Group(place=one, version=1)), frozen(Group(place=two, version=2))) == (held, held)


def test_a_file_of_a_group_that_is_not_there_is_named(tmp_path):
    group = Group(place=tmp_path, version=1)
    with pytest.raises(EngineError, match=r"freezer\.state cannot be read: No such file"):
        frozen(group)
    with pytest.raises(EngineError, match="pids does not take 5: "):
        Group(place=tmp_path / "gone", version=1).write("pids", "5")
    assert group.number("memory.limit_in_bytes") is None
