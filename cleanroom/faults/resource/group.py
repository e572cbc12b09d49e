"""The limits and counters of a container's control groups, the same words for version 1 and version 2."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanroom.engine.cgroup import CGROUPS, PROC, Groups, groups_of
from cleanroom.engine.ports import ContainerState
from cleanroom.errors import CapabilityError

# What version 1 says for "no limit": the largest number of whole pages, whatever their size.
_BOUNDLESS = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file of a group that is to hold another value; `back` is what to write to have the old one again."""

    file: Path
    value: str
    back: str


@dataclass(frozen=True, slots=True)
class Group:
    """The groups of one running container."""

    groups: Groups
    identity: tuple[int, ...] = ()

    @property
    def version(self) -> int:
        """1 or 2."""
        return self.groups.version

    def place(self, controller: str) -> Path:
        """Return the directory for a controller; raises `CapabilityError`."""
        found = self.groups.place(controller)
        if found is None:
            raise CapabilityError(
                f"the control group ({controller}) of the service is not visible from here",
                remedy="use an engine on this machine (engine cell or own)",
            )
        return found

    def places(self, *controllers: str) -> tuple[str, ...]:
        """Return what a process must join to count for these controllers."""
        return tuple(dict.fromkeys(str(self.place(one)) for one in controllers))

    def file(self, controller: str, first: str, second: str) -> Path:
        """Return a file by its name in version 1 and in version 2; raises `CapabilityError` where it is missing."""
        place = self.place(controller) / (first if self.version == 1 else second)
        if not place.exists():
            raise CapabilityError(
                f"the control group of the service has no {place.name}: the controller {controller} is not in use",
                remedy="`cleanroom doctor` says what each rung needs",
            )
        return place

    def same(self) -> bool:
        """Whether they are still the groups that were opened: a container that starts again has others."""
        return _identity(self.groups) == self.identity

    def cpu_ns(self) -> int:
        """Processor time that its processes have used."""
        if self.version == 1:
            return int(_read(self.file("cpuacct", "cpuacct.usage", "")))
        return 1000 * _entry(self.file("cpu", "", "cpu.stat"), "usage_usec")

    def throttled(self) -> tuple[int, int]:
        """Return how often its processor time ran out, and for how many ns it waited therefore."""
        stat = self.file("cpu", "cpu.stat", "cpu.stat")
        waited = _entry(stat, "throttled_time") if self.version == 1 else 1000 * _entry(stat, "throttled_usec")
        return _entry(stat, "nr_throttled"), waited

    def cpus(self) -> float | None:
        """Return how many processors' worth it may use; None without a limit."""
        quota, period = self.cpu_quota()
        return None if quota is None else quota / period

    def cpu_quota(self) -> tuple[int | None, int]:
        """Return quota and period in µs."""
        if self.version > 1:
            quota, period = _read(self.file("cpu", "", "cpu.max")).split()
            return (None if quota == "max" else int(quota)), int(period)
        found = int(_read(self.file("cpu", "cpu.cfs_quota_us", "")))
        return (None if found < 0 else found), int(_read(self.file("cpu", "cpu.cfs_period_us", "")))

    def memory_used(self) -> int:
        """Bytes in use, without what could be dropped at once."""
        used = int(_read(self.file("memory", "memory.usage_in_bytes", "memory.current")))
        key = "total_inactive_file" if self.version == 1 else "inactive_file"
        return max(0, used - _entry(self.file("memory", "memory.stat", "memory.stat"), key))

    def memory_charged(self) -> int:
        """Bytes in use, cache included."""
        return int(_read(self.file("memory", "memory.usage_in_bytes", "memory.current")))

    def memory_limit(self) -> int | None:
        """Return its own limit in bytes; None without one."""
        return _limit(self.file("memory", "memory.limit_in_bytes", "memory.max"))

    def memory_room(self) -> int | None:
        """Return the bytes that it can still take before a limit of its own or of a group above; None without one."""
        name = "memory.limit_in_bytes" if self.version == 1 else "memory.max"
        used = "memory.usage_in_bytes" if self.version == 1 else "memory.current"
        key = "total_inactive_file" if self.version == 1 else "inactive_file"
        rooms = []
        for place in (self.place("memory"), *self.place("memory").parents):
            if place == self.groups.root or not (place / name).exists():
                break
            limit = _limit(place / name)
            if limit is not None:
                rooms.append(limit - int(_read(place / used)) + _entry(place / "memory.stat", key))
        return max(0, min(rooms)) if rooms else None

    def oom_kills(self) -> int:
        """Return how many of its processes the kernel killed for its memory."""
        return _entry(self.file("memory", "memory.oom_control", "memory.events"), "oom_kill")

    def pids(self) -> int:
        """Return how many processes and threads it has."""
        return int(_read(self.file("pids", "pids.current", "pids.current")))

    def pids_refusals(self) -> int:
        """Return how often it could start no more."""
        return _entry(self.file("pids", "pids.events", "pids.events"), "max")


class Setting:
    """Values of a group's files, changed together and put back exactly."""

    def __init__(self, group: Group, changes: tuple[Change, ...]) -> None:
        self._group = group
        self._changes = changes
        self._done: list[tuple[Change, str, str]] = []
        self._restored: list[tuple[Change, str, str]] = []
        self.lapsed = ""
        """Why it was not in force all the time until it was put back."""

    def apply(self) -> None:
        """Write them in order; raises `CapabilityError` with the kernel's word, and nothing is changed then."""
        for change in self._changes:
            before = _read(change.file)
            try:
                change.file.write_text(change.value, encoding="ascii")
            except OSError as err:
                self.restore()
                raise CapabilityError(
                    f"{change.file.name} = {change.value} was refused: {err.strerror}",
                    remedy="EBUSY: more than that is in use; EINVAL: a group above has less; EROFS or EACCES: "
                    "the control groups are not ours to change",
                ) from err
            self._done.append((change, before, _read(change.file)))

    def restore(self) -> None:
        """Write the old values, the last first; safe to call twice, and when the group is gone."""
        done, self._done = self._done, []
        if not self._group.same():
            return
        self._restored.extend(done)
        foreign = [change.file.name for change, _, ours in done if _read(change.file) != ours]
        if foreign:
            self.lapsed = f"{', '.join(foreign)} was changed by somebody else meanwhile"
        for change, before, _ in reversed(done):
            if _read(change.file) != before:
                change.file.write_text(change.back, encoding="ascii")

    def leftovers(self) -> tuple[str, ...]:
        """Return the files that do not hold their old value."""
        if not self._group.same():
            return ()
        return tuple(
            f"{c.file.name} is {_read(c.file)!r}, was {before!r}"
            for c, before, _ in (*self._done, *self._restored)
            if _read(c.file) != before
        )


def group_of(state: ContainerState, proc: Path = PROC, cgroups: Path = CGROUPS) -> Group:
    """Return the groups of a running container."""
    groups = groups_of(state, proc, cgroups)
    return Group(groups, _identity(groups))


def device_limits(text: str) -> Mapping[str, Mapping[str, str]]:
    """Return the lines of `io.max` by device: `254:0 rbps=max wbps=1048576 riops=max wiops=max`."""
    lines = (line.split() for line in text.splitlines() if line.strip())
    return {words[0]: dict(word.split("=", 1) for word in words[1:]) for words in lines}


def _identity(groups: Groups) -> tuple[int, ...]:
    found = []
    for controller in ("memory", "cpu", "pids", "blkio"):
        place = groups.place(controller)
        try:
            found.append(os.stat(place).st_ino if place is not None else 0)  # noqa: PTH116 - one call
        except OSError:
            found.append(0)
    return tuple(found)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as err:
        raise CapabilityError(f"{file.name} of the service's control group cannot be read: {err.strerror}") from err


def _limit(file: Path) -> int | None:
    text = _read(file)
    return None if text == "max" or int(text) >= _BOUNDLESS else int(text)


def _entry(file: Path, key: str) -> int:
    for line in _read(file).splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == key:
            return int(words[1])
    raise CapabilityError(f"{file.name} of the service's control group does not count {key}")
