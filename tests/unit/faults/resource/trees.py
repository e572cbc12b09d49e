"""Control groups of one container as the kernel shows them, in a directory of a test's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cleanroom.faults.resource.group import Group, group_of
from cleanroom.faults.resource.strike import Target
from tests.unit.faults.scenes import Engine, Time, context

ID = "c0ffee" * 10
MIB = 1 << 20

FIRST = {
    "cpu": {
        "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000",
        "cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 5000",
    },
    "cpuset": {"cpuset.cpus": ""},
    "cpuacct": {"cpuacct.usage": "7000000"},
    "memory": {
        "memory.limit_in_bytes": f"{64 * MIB}", "memory.memsw.limit_in_bytes": f"{128 * MIB}",
        "memory.usage_in_bytes": f"{20 * MIB}", "memory.stat": f"cache 1\ntotal_inactive_file {4 * MIB}",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2",
    },
    "pids": {"pids.max": "max", "pids.current": "5", "pids.events": "max 3"},
    "blkio": {
        "blkio.throttle.read_bps_device": "", "blkio.throttle.write_bps_device": "8:0 500\n254:0 77",
    },
}  # fmt: skip
SECOND = {
    "": {
        "cpu.max": "max 100000", "cpu.stat": "usage_usec 7000\nnr_throttled 4\nthrottled_usec 5",
        "memory.max": f"{64 * MIB}", "memory.swap.max": "max", "memory.current": f"{20 * MIB}",
        "memory.stat": f"anon 1\ninactive_file {4 * MIB}", "memory.events": "low 0\nmax 1\noom_kill 2",
        "pids.max": "max", "pids.current": "5", "pids.events": "max 3",
        "io.max": "254:0 rbps=max wbps=77 riops=max wiops=max",
    }
}  # fmt: skip


def tree(folder: Path, version: int) -> Group:
    """Return the groups of a container whose first process is 7."""
    root, proc = folder / "cgroup", folder / "proc"
    path = f"docker/{ID}"
    lines = []
    for number, (controller, files) in enumerate((FIRST if version == 1 else SECOND).items()):
        place = root / controller / path
        place.mkdir(parents=True)
        for name, text in files.items():
            (place / name).write_text(f"{text}\n" if text else "")
        lines.append(f"{number}:{controller}:/{path}")
    if version > 1:
        (root / "cgroup.controllers").write_text("cpu memory pids io")
    (proc / "7").mkdir(parents=True)
    (proc / "7" / "cgroup").write_text("\n".join(lines))
    return group_of(state(), proc, root)


def state():
    engine = Engine(Time(), "api")
    return replace(engine.states["api"], id=ID, pid=7)


def target(group: Group) -> Target:
    engine = Engine(Time(), "api")
    return Target(name="api", state=state(), pid=7, group=group, context=context(engine))


def texts(group: Group) -> dict[str, str]:
    """Every file of the groups."""
    root = group.groups.root
    return {str(file.relative_to(root)): file.read_text().strip() for file in root.rglob("*.*") if file.is_file()}
