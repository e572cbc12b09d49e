"""What a container uses, by its control group (v1 or v2) and /proc, where the engine's processes are ours to see.

The group of a container keeps its path when the container is started again, and is then another group: its inode says
so. Needs the engine's pid namespace and root's eyes; a figure that cannot be read is None, never 0.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError, EngineError

CGROUPS: Final = Path("/sys/fs/cgroup")
PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One look at a container; sizes in bytes, time in ns."""

    group: int
    """Which group it was: another one after each start."""
    memory: int | None = None
    """In use, without what the kernel could drop at once (inactive file cache)."""
    peak: int | None = None
    """The most that was in use since the group was made, file cache included, as the kernel keeps it."""
    cpu_ns: int | None = None
    files: int | None = None
    """Open file descriptors of all its processes."""
    oom_kills: int = 0
    """Processes that the kernel killed for the group's memory."""


class Gauge(Protocol):
    """Reads one container's usage, also after it was started again."""

    def read(self) -> Usage | None:
        """Return what it uses now; None while it does not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupGauge:
    """The directories of one container's control group; one and the same in version 2."""

    memory: Path | None
    cpu: Path | None
    version: int
    proc: Path = PROC

    def read(self) -> Usage | None:
        """Return what the group says; None where it is not there."""
        place = self.memory or self.cpu
        try:
            group = place.stat().st_ino if place else 0
        except OSError:
            return None
        usage = self._second(group) if self.version > 1 else self._first(group)
        # A group that went away meanwhile must not count with what could still be read of it.
        return usage if place is not None and place.exists() else None

    def _second(self, group: int) -> Usage:
        of_cpu = _number_of(self.cpu, "cpu.stat", "usage_usec")
        return Usage(
            group=group, memory=_working(self.memory, "memory.current", "inactive_file"),
            peak=_number(self.memory, "memory.peak"), cpu_ns=None if of_cpu is None else of_cpu * 1000,
            files=self._files(), oom_kills=_number_of(self.memory, "memory.events", "oom_kill") or 0,
        )  # fmt: skip

    def _first(self, group: int) -> Usage:
        return Usage(
            group=group, memory=_working(self.memory, "memory.usage_in_bytes", "total_inactive_file"),
            peak=_number(self.memory, "memory.max_usage_in_bytes"), cpu_ns=_number(self.cpu, "cpuacct.usage"),
            files=self._files(), oom_kills=_number_of(self.memory, "memory.oom_control", "oom_kill") or 0,
        )  # fmt: skip

    def _files(self) -> int | None:
        """Count the descriptors of every process of the group; None where we may not look."""
        total = 0
        try:
            for pid in _members(self.memory or self.cpu):
                # A process that has ended meanwhile has none.
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    total += sum(1 for _ in (self.proc / pid / "fd").iterdir())
        except OSError:
            return None
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One container's control group of one controller; in version 2 the same directory for all of them."""

    place: Path
    version: int

    def read(self, name: str) -> str:
        """Return what a file of the group says, without the end of the line; raises `EngineError`."""
        try:
            return (self.place / name).read_text(encoding="ascii").strip()
        except OSError as err:
            raise EngineError(f"{self.place / name} cannot be read: {err.strerror}") from err

    def write(self, name: str, value: str) -> None:
        """Write a file of the group; raises `EngineError` with the kernel's reason."""
        try:
            (self.place / name).write_text(value, encoding="ascii")
        except OSError as err:
            raise EngineError(f"{self.place / name} does not take {value}: {err.strerror}") from err

    def number(self, name: str, key: str = "") -> int | None:
        """Return a file's number, or the one behind `key` in lines of `key number`; None where there is none."""
        return _number_of(self.place, name, key) if key else _number(self.place, name)


def group_of(state: ContainerState, controller: str, proc: Path = PROC, cgroups: Path = CGROUPS) -> Group:
    """Return the group of a running container; `controller` is a name of version 1, e.g. `memory` or `pids`.

    Raises `CapabilityError` where its process or its group is not ours to see, or the controller is not there.
    """
    groups = groups_of(state, proc, cgroups)
    place = groups.place(controller)
    if place is None:
        raise CapabilityError(
            f"the {controller} control group of {state.name} is not visible from here",
            remedy="use an engine on this machine (engine cell or own), with that controller in its kernel",
        )
    return Group(place=place, version=groups.version)


def frozen(group: Group) -> bool:
    """Whether the kernel holds every process of the group (`freezer` in version 1); raises `EngineError`."""
    if group.version > 1:
        return group.number("cgroup.events", "frozen") == 1
    return group.read("freezer.state") == "FROZEN"


def oom_kills(group: Group) -> int | None:
    """Return how many processes the kernel killed for the memory of the group (`memory`); None where it cannot say."""
    return group.number("memory.events" if group.version > 1 else "memory.oom_control", "oom_kill")


def gauge_of(state: ContainerState, proc: Path = PROC, cgroups: Path = CGROUPS) -> Gauge | None:
    """Return the gauge of a running container; None where its process or its group is not ours to see."""
    groups = groups_of(state, proc, cgroups)
    memory, cpu = groups.place("memory"), groups.place("cpuacct")
    return GroupGauge(memory=memory, cpu=cpu, version=groups.version, proc=proc) if memory or cpu else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The control groups of one container: one for each controller in version 1, a single one in version 2."""

    version: int
    root: Path
    paths: Mapping[str, str]
    """Path of the group by controller, as /proc tells it; in version 2 the controller is ""."""
    container: str

    def place(self, controller: str) -> Path | None:
        """Return the directory of the container's group for `controller`; None where it is not ours to see."""
        if self.version > 1:
            return _place(self.root, self.paths.get("", ""), self.container)
        return _place(self.root / controller, self.paths.get(controller, ""), self.container)


def groups_of(state: ContainerState, proc: Path = PROC, cgroups: Path = CGROUPS) -> Groups:
    """Return the groups of a running container; without a place where its process is not ours to see."""
    try:
        lines = (proc / str(state.pid) / "cgroup").read_text(encoding="utf-8").splitlines() if state.pid else []
    except OSError:
        lines = []
    paths = {name: path for line in lines for name, path in _controllers(line) if state.id and state.id in path}
    version = 2 if (cgroups / "cgroup.controllers").exists() else 1
    return Groups(version=version, root=cgroups, paths=paths, container=state.id)


def _controllers(line: str) -> Iterator[tuple[str, str]]:
    """Yield (controller, path) of a line of /proc/<pid>/cgroup: `4:cpu,cpuacct:/docker/…`, `0::/docker/…`."""
    _, _, rest = line.partition(":")
    names, _, path = rest.partition(":")
    yield from ((name, path) for name in names.split(","))


def _place(root: Path, path: str, container: str) -> Path | None:
    """Return the directory of a container's group; inside a cell the path may begin above what is mounted."""
    parts = [part for part in path.split("/") if part and part != ".."]
    while parts and container not in parts[-1]:
        parts.pop()
    for first in range(len(parts)):
        place = root.joinpath(*parts[first:])
        if place.is_dir():
            return place
    return None


def _members(place: Path | None) -> Iterator[str]:
    """Yield the pids of a group and of those below it."""
    for folder, _, names in os.walk(place) if place is not None else ():
        if "cgroup.procs" in names:
            yield from (Path(folder) / "cgroup.procs").read_text(encoding="ascii").split()


def _number(place: Path | None, name: str) -> int | None:
    try:
        return int((place / name).read_text(encoding="ascii")) if place is not None else None
    except (OSError, ValueError):
        return None


def _number_of(place: Path | None, name: str, key: str) -> int | None:
    """Return the number behind `key` in a file of lines `key number`."""
    try:
        lines = (place / name).read_text(encoding="ascii").splitlines() if place is not None else []
        return next((int(line.split()[1]) for line in lines if line.split()[0] == key), None)
    except (OSError, ValueError, IndexError):
        return None


def _working(place: Path | None, name: str, droppable: str) -> int | None:
    used, cache = _number(place, name), _number_of(place, "memory.stat", droppable)
    return None if used is None else max(0, used - (cache or 0))
