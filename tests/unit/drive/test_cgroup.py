from __future__ import annotations

import pytest

from cleanroom.drive.cgroup import read_figure
from cleanroom.quantity import Duration, Size

ID = "abc"
V1 = {
    "cpu/docker/abc/cpu.stat": "nr_periods 3\nnr_throttled 2\nthrottled_time 1500000\n",
    "memory/docker/abc/memory.max_usage_in_bytes": "4096\n",
    "memory/docker/abc/memory.usage_in_bytes": "1024\n",
    "memory/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "pids/docker/abc/pids.current": "7\n",
}
V2 = {
    "docker/abc/cpu.stat": "usage_usec 9\nthrottled_usec 1500\n",
    "docker/abc/memory.peak": "4096\n",
    "docker/abc/memory.current": "1024\n",
    "docker/abc/memory.events": "low 0\noom 3\noom_kill 2\n",
    "docker/abc/pids.current": "7\n",
}
WANTED = {
    "throttled": Duration(1_500_000), "memory_peak": Size(4096), "memory_current": Size(1024), "oom_kill": 2, "pids": 7,
}  # fmt: skip


def tree(tmp_path, version, root="/"):
    for name, text in (V1 if version == 1 else V2).items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inside = "" if root == "/" else root
    if version == 1:
        groups = "".join(f"{n}:{c}:{inside}/docker/abc\n" for n, c in enumerate(("cpu,cpuacct", "memory", "pids"), 1))
        mounts = "".join(
            f"2{n} 1 0:2{n} {root} {tmp_path}/fs/{c} rw,nosuid shared:9 - cgroup cgroup rw,{c}\n"
            for n, c in enumerate(("cpu", "memory", "pids"))
        )
    else:
        groups = f"0::{inside}/docker/abc\n"
        mounts = f"20 1 0:20 {root} {tmp_path}/fs rw - cgroup2 cgroup2 rw\n"
    (tmp_path / "cgroup").write_text(groups)
    (tmp_path / "mountinfo").write_text("1 0 0:1 / / rw - ext4 /dev/x rw\n" + mounts)
    return tmp_path / "cgroup", tmp_path / "mountinfo"


@pytest.mark.parametrize("root", ["/", "/docker/cell"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("what", WANTED)
def test_every_figure_is_read_of_both_versions_whatever_part_of_the_tree_is_mounted(tmp_path, version, root, what):
    assert read_figure(*tree(tmp_path, version, root), what).value == WANTED[what]


@pytest.mark.parametrize("version", [1, 2])
def test_a_figure_that_the_kernel_does_not_keep_is_no_value(tmp_path, version):
    places = tree(tmp_path, version)
    for path in (tmp_path / "fs").rglob("memory.*"):
        path.unlink()
    found = read_figure(*places, "memory_peak")
    assert (found.present, found.error_type) == (False, "not_found")


def test_a_group_that_is_gone_is_no_value(tmp_path):
    membership, mounts = tree(tmp_path, 2)
    membership.unlink()
    assert read_figure(membership, mounts, "pids").error_type == "not_started"
