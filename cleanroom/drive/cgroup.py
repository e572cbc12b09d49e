"""Probes of a container's control group, version 1 and 2: what the kernel itself counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cleanroom.drive.answer import Fact
from cleanroom.engine.ports import ContainerState
from cleanroom.engine.processes import find
from cleanroom.quantity import Duration, Size

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a figure stands: the controller of version 1, the file, and the word before it where there are several."""

    controller: str
    file: str
    word: str = ""


_V1: Mapping[str, _Source] = {
    "throttled": _Source("cpu", "cpu.stat", "throttled_time"),
    "memory_peak": _Source("memory", "memory.max_usage_in_bytes"),
    "memory_current": _Source("memory", "memory.usage_in_bytes"),
    "oom_kill": _Source("memory", "memory.oom_control", "oom_kill"),
    "pids": _Source("pids", "pids.current"),
}
_V2: Mapping[str, _Source] = {
    "throttled": _Source("", "cpu.stat", "throttled_usec"),
    "memory_peak": _Source("", "memory.peak"),
    "memory_current": _Source("", "memory.current"),
    "oom_kill": _Source("", "memory.events", "oom_kill"),
    "pids": _Source("", "pids.current"),
}


def ask_cgroup(state: ContainerState, what: str, proc: Path = _PROC) -> Fact:
    """Read one figure of the container's group; a container without a process has none any more."""
    if find(state.pid, state.id) is None:
        return Fact(
            present=False, error_type="not_started",
            why=f"the container has no process whose control group could be read (it is {state.status})",
        )  # fmt: skip
    return read_figure(proc / str(state.pid) / "cgroup", proc / "self" / "mountinfo", what)


def read_figure(membership: Path, mountinfo: Path, what: str) -> Fact:
    """Read a figure of the group that `membership` (`/proc/<pid>/cgroup`) names, below the mounts of `mountinfo`.

    A figure that this kernel does not keep, or not for this group, is no value: never taken for zero.
    """
    try:
        groups = dict(_groups(membership.read_text(encoding="utf-8", errors="replace")))
        mounts = tuple(_mounts(mountinfo.read_text(encoding="utf-8", errors="surrogateescape")))
    except OSError as err:
        return Fact(present=False, error_type="not_started", why=f"its control group cannot be read: {err.strerror}")
    for unified, table in ((False, _V1), (True, _V2)):
        source = table[what]
        if source.controller not in groups:
            continue
        for place in _places(groups[source.controller], mounts, source.controller, unified=unified):
            try:
                number = _number((place / source.file).read_text(encoding="ascii", errors="replace"), source.word)
            except OSError:
                continue
            if number is not None:
                return Fact(value=_quantity(what, number, unified=unified))
    return Fact(present=False, error_type="not_found", why=f"the kernel keeps no {what} for its control group")


def _groups(text: str) -> Iterable[tuple[str, str]]:
    """Yield (controller, path); the controller of version 2 is empty (cgroups(7), `/proc/<pid>/cgroup`)."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _mounts(text: str) -> Iterable[tuple[str, str, str, tuple[str, ...]]]:
    """Yield (root, mount point, type, super options) of each cgroup mount (proc_pid_mountinfo(5))."""
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = [*rest.split(" ", 2), "", ""][:3]
        if kind in ("cgroup", "cgroup2"):
            root, point = fields.split(" ")[3:5]
            yield root, point, kind, tuple(options.split(","))


def _places(
    path: str, mounts: Iterable[tuple[str, str, str, tuple[str, ...]]], controller: str, *, unified: bool
) -> Iterable[Path]:
    for root, point, kind, options in mounts:
        if (kind == "cgroup2") is not unified or (not unified and controller not in options):
            continue
        # A mount may show a part of the tree only: what is above its root is not below its point.
        if PurePosixPath(path).is_relative_to(root):
            yield Path(point) / PurePosixPath(path).relative_to(root)


def _number(text: str, word: str) -> int | None:
    for line in text.splitlines():
        name, _, number = line.rpartition(" ")
        if name == word and number.isdigit():
            return int(number)
    return None


def _quantity(what: str, number: int, *, unified: bool) -> object:
    if what == "throttled":
        return Duration(number * (1000 if unified else 1))
    return Size(number) if what.startswith("memory_") else number
