"""What is left of a run that was killed: in the outer engine, on the host, and of everything that its cell had."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from cells import existing
from runs import descendants, owned_by

from cleanroom.engine.control import CONTROL_FD

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
NAMESPACES = ("pid", "net", "mnt")
SUPERVISOR, WORKER = b"cleanroom.engine.supervisor", f"{CONTROL_FD}=".encode()


def names(pid: int, docker_host: str, workspace: Path) -> set[str]:
    """The ids of the runs that the launcher started: by its labels, and by the folders of `own` mode."""
    found = {thing["run"] for thing in owned_by(docker_host, pid)}
    return found | {folder.name for folder in (workspace / "state" / "runs").glob("*")}


def remains(runs: set[str], docker_host: str, pid: int) -> list[str]:
    """What exists of these runs in the outer engine, on the host and as processes and mounts."""
    found = [f"{thing['kind']} {thing['name']}" for thing in owned_by(docker_host, pid)]
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    for name in runs:
        found += existing(name)
        found += [f"mount {line}" for line in mounts.splitlines() if f"/runs/{name}/" in line]
    return found


def host_rules() -> set[str]:
    """The rules of this machine's packet filter that name bridges of ours."""
    found: set[str] = set()
    for tool in ("iptables", "ip6tables"):
        done = subprocess.run((tool, "-w", "5", "-S"), capture_output=True, text=True, check=False)
        found |= {f"{tool} {line}" for line in done.stdout.splitlines() if "clr-" in line}
    return found


def loose_cables() -> set[str]:
    """The pairs of interfaces of which neither end is in a container: an engine died while it made them."""
    there: dict[str, str] = {}
    for entry in Path("/sys/class/net").glob("veth*"):
        with contextlib.suppress(OSError):  # it went away as we looked
            there[(entry / "ifindex").read_text().strip()] = (entry / "iflink").read_text().strip()
    return {f"cable {index}-{peer}" for index, peer in there.items() if there.get(peer) == index}


@dataclass(frozen=True, slots=True)
class Inside:
    """All that lived in a cell at one moment: its processes, and the namespaces and control groups that they were in.

    What our helpers run (stressors, proxies, servers of files) bears no label: they are found by being there.
    """

    supervisor: int
    worker: int
    processes: dict[int, tuple[str, str]]
    """PID → when it started, and its command line."""
    namespaces: frozenset[str]
    groups: frozenset[Path]

    def left(self, began_before: float) -> list[str]:
        """What of it is there still; what has begun since `began_before` (seconds since boot) is somebody else's."""
        found = [f"process {pid} {what}" for pid, (begun, what) in self.processes.items() if _begun(pid) == begun]
        for entry in PROC.glob("[0-9]*"):
            pid = int(entry.name)
            begun = _begun(pid)
            if begun and int(begun) / os.sysconf("SC_CLK_TCK") < began_before:
                shared = self.namespaces & set(_namespaces(pid))
                found += [f"process {pid} in {one}" for one in shared]
        return found + [f"cgroup {path}" for path in self.groups if path.is_dir()]

    def runs(self, *parts: str) -> set[str]:
        """Which of these are part of the command line of some process of it."""
        return {part for part in parts if any(part in what for _, what in self.processes.values())}


def inside(run: str) -> Inside:
    """Look into the cell of a run."""
    first = [pid for pid in _all() if _is_supervisor(pid, run)]
    # A launcher's child may be the parent of the one that is the first of its namespace.
    (supervisor,) = [pid for pid in first if not any(below in first for below in descendants(pid))]
    below = [pid for pid in descendants(supervisor) if _begun(pid)]
    (worker,) = [pid for pid in below if WORKER in _read(pid, "environ") and _parent(pid) == supervisor]
    return Inside(
        supervisor=supervisor,
        worker=worker,
        processes={pid: (_begun(pid), _command(pid)) for pid in (supervisor, *below)},
        namespaces=frozenset(one for pid in (supervisor, *below) for one in _namespaces(pid)) - set(_own()),
        groups=frozenset(path for pid in (supervisor, *below) for path in _groups(pid) if run_group(path)),
    )


def supervised(run: str) -> bool:
    """Whether the run has a cell that lives."""
    return any(_is_supervisor(pid, run) for pid in _all())


def since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def run_group(path: Path) -> bool:
    """Whether a group is not this test's own, nor one above it."""
    ours = {place for group in _groups(os.getpid()) for place in (group, *group.parents)}
    return path not in ours


def _all() -> list[int]:
    return [int(entry.name) for entry in PROC.glob("[0-9]*")]


def _is_supervisor(pid: int, run: str) -> bool:
    return SUPERVISOR in _read(pid, "cmdline") and f"CLEANROOM_RUN={run}".encode() in _read(pid, "environ")


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""


def _command(pid: int) -> str:
    return _read(pid, "cmdline").replace(b"\0", b" ").decode("utf-8", "replace").strip()


def _stat(pid: int) -> list[bytes]:
    return _read(pid, "stat").rpartition(b")")[2].split()


def _begun(pid: int) -> str:
    """When it started, in ticks since boot; empty when it is gone."""
    fields = _stat(pid)
    return fields[19].decode() if fields else ""


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _namespaces(pid: int) -> list[str]:
    found = []
    for name in NAMESPACES:
        with contextlib.suppress(OSError):
            found.append(str((PROC / str(pid) / "ns" / name).readlink()))
    return found


def _own() -> list[str]:
    return _namespaces(os.getpid())


def _groups(pid: int) -> list[Path]:
    found = []
    for line in _read(pid, "cgroup").decode().splitlines():
        number, controllers, path = line.split(":", 2)
        if "/.." not in path and path != "/":
            root = CGROUPS if number == "0" else CGROUPS / controllers.removeprefix("name=")
            found.append(root / path.lstrip("/"))
    return found
