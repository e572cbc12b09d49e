"""Faults on the processes of a container: how many files they may open, how large these may be, how many they may be.

Of a process only the soft limit is moved: root without CAP_SYS_RESOURCE may not raise a hard one again.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cleanroom.canonical import Json
from cleanroom.engine.processes import members
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.resource.cpu import restored
from cleanroom.faults.resource.group import Change, Setting
from cleanroom.faults.resource.stress.ceiling import started_at
from cleanroom.faults.resource.stressor import trial
from cleanroom.faults.resource.strike import Strike, Target, rung_of
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Size

_TRIES = 5
_NAMES = {resource.RLIMIT_NOFILE: "Max open files", resource.RLIMIT_FSIZE: "Max file size"}
_XFSZ = 1 << 24  # SIGXFSZ is signal 25
MOST_FORKS = 500
"""How many processes are started at most to prove a limit of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One process, and a limit of its: bytes or numbers, -1 for none."""

    pid: int
    started: int
    soft: int
    hard: int


class Ceiling:
    """A soft limit of every process of the target; `leave` descriptors to open, or files of `most` bytes."""

    def __init__(
        self, target: Target, limit: int, *, leave: int = 0, most: int = 0, proc: Path = Path("/proc")
    ) -> None:
        self._target = target
        self._limit = limit
        self._leave = leave
        self._most = most
        self._proc = proc
        self._was: dict[tuple[int, int], int] = {}
        self._ours: dict[int, int] = {}
        self.takes = _NAMES[limit].lower()

    def apply(self) -> None:
        """Set it on each; raises `CapabilityError` where that is no restriction, or is not allowed."""
        found = list(self._processes())
        self._was = {(held.pid, held.started): held.soft for held in found}
        for held in found:
            wanted = self._wanted(held)
            if 0 <= held.soft < wanted:
                raise CapabilityError(
                    f"process {held.pid} of {self._target.name} has a soft limit of {held.soft} ({self.takes}) already",
                    remedy="ask for less",
                )
            self._tighten(held, wanted)

    def _tighten(self, held: Held, wanted: int) -> None:
        if held.soft == wanted:
            return
        # Known before it is set: whatever happens then, it is found and put back.
        self._ours.setdefault(wanted, self._original(held))
        self._set(held, wanted)

    def _original(self, held: Held) -> int:
        # One that was started meanwhile was born with what we gave its parent.
        return self._was.get((held.pid, held.started), self._ours.get(held.soft, held.soft))

    def _wanted(self, held: Held) -> int:
        if self._limit == resource.RLIMIT_FSIZE:
            return self._most
        return number_for(opened(held.pid, self._proc), self._leave)

    def _set(self, held: Held, soft: int) -> None:
        status = _status(held.pid, self._proc)
        if not status:
            return
        user, group = int(status["Uid"].split()[1]), int(status["Gid"].split()[1])
        item = [held.pid, held.started, soft, held.hard]
        if (user, group) != (os.geteuid(), os.getegid()):
            trial("ceilings", {"limit": self._limit, "items": [item], "user": user, "group": group})
            return
        try:
            if started_at(held.pid, self._proc) == held.started:
                resource.prlimit(held.pid, self._limit, (soft, held.hard))
        except ProcessLookupError:
            return
        except OSError as err:
            raise CapabilityError(f"the limits of process {held.pid} cannot be changed: {err.strerror}") from err

    def _processes(self) -> Iterator[Held]:
        for process in sorted(members(self._target.state.id), key=lambda one: one.pid):
            found = limits_of(process.pid, _NAMES[self._limit], self._proc)
            if found is not None:
                yield Held(pid=process.pid, started=process.started, soft=found[0], hard=found[1])

    def proof(self) -> Evidence:
        """Hold when no process can do more than asked, by what the kernel says of each; one that could is set again."""
        found = list(self._processes())
        loose = [held for held in found if self._loose(held)]
        for _ in range(_TRIES):
            if not loose:
                break
            for held in loose:
                self._tighten(held, self._wanted(held))
            found = list(self._processes())
            loose = [held for held in found if self._loose(held)]
        facts: dict[str, Json] = {"processes": len(found)}
        for held in found:
            facts[f"{held.pid}.limit"] = held.soft
            facts[f"{held.pid}.limit_before"] = self._original(held)
            if self._limit == resource.RLIMIT_NOFILE:
                facts[f"{held.pid}.open"] = len(opened(held.pid, self._proc))
            else:
                facts[f"{held.pid}.dies_of_it"] = not self._handled(held.pid)
        reason = f"processes {', '.join(str(held.pid) for held in loose)} can still do more" if loose else ""
        return Evidence(holds=bool(found) and not loose, facts=facts, reason=reason)

    def _loose(self, held: Held) -> bool:
        if self._limit == resource.RLIMIT_FSIZE:
            return held.soft != self._most
        taken = opened(held.pid, self._proc)
        free = held.soft - sum(1 for number in taken if number < held.soft)
        return held.soft < 0 or free > self._leave

    def _handled(self, pid: int) -> bool:
        status = _status(pid, self._proc)
        return any(int(status.get(key, "0"), 16) & _XFSZ for key in ("SigIgn", "SigCgt"))

    def take_back(self) -> None:
        """Give each its old limit, those that were born with ours as well; one that set its own keeps it."""
        for held in self._processes():
            if held.soft in self._ours:
                self._set(held, self._original(held))

    def residue(self) -> Evidence:
        """Hold when no process has a limit of ours."""
        kept: list[str] = []
        foreign: list[str] = []
        for held in self._processes():
            if held.soft != self._original(held):
                (kept if held.soft in self._ours else foreign).append(str(held.pid))
        lapsed = f"processes {', '.join(foreign)} set a limit of their own" if foreign else ""
        reason = f"processes {', '.join(kept)} still have the fault's limit" if kept else ""
        return Evidence(holds=not kept, facts={"processes": len(self._was)}, reason=reason, lapsed=lapsed)


class Crowd:
    """A limit of processes on the target's group."""

    takes = "number of processes"

    def __init__(self, target: Target, most: int) -> None:
        self._target = target
        self._most = most
        self._setting: Setting | None = None
        self._refusals = 0

    def apply(self) -> None:
        """Set it; raises `CapabilityError` where it is no restriction, or too far away to be proven."""
        group = self._target.group
        file = group.file("pids", "pids.max", "pids.max")
        before = file.read_text(encoding="ascii").strip()
        if before != "max" and int(before) <= self._most:
            raise CapabilityError(f"{self._target.name} may have {before} processes, so {self._most} is no less")
        if self._most - group.pids() > MOST_FORKS:
            raise CapabilityError(
                f"{self._target.name} has {group.pids()} processes: to prove a limit of {self._most} more than "
                f"{MOST_FORKS} would have to be started",
                remedy="ask for fewer",
            )
        self._refusals = group.pids_refusals()
        self._setting = Setting(group, (Change(file=file, value=str(self._most), back=before),))
        self._setting.apply()

    def proof(self) -> Evidence:
        """Hold when a process of ours in the group cannot start as many as are missing, and the group counts it."""
        group = self._target.group
        before = group.pids()
        tried = trial("forks", {"most": max(1, self._most - before + 10)}, groups=group.places("pids"))
        refused = group.pids_refusals() - self._refusals
        facts: dict[str, Json] = {
            "pids": before, "max": self._most, "started": tried["started"], "fork": tried["error"], "refusals": refused,
        }  # fmt: skip
        holds = tried["error"] == "EAGAIN" and refused > 0
        reason = "" if holds else f"{tried['started']} more processes could be started ({tried['error'] or 'no error'})"
        return Evidence(holds=holds, facts=facts, reason=reason)

    def take_back(self) -> None:
        """Put the old limit back."""
        if self._setting is not None:
            self._setting.restore()

    def residue(self) -> Evidence:
        """Hold when the old limit is there."""
        facts: dict[str, Json] = {}
        if self._target.group.same():
            facts["refusals"] = self._target.group.pids_refusals() - self._refusals
        return restored(self._setting, facts)


def number_for(taken: frozenset[int], leave: int) -> int:
    """Return the limit below which `leave` numbers are not taken: the kernel gives the lowest number that is free."""
    number = 0
    while leave or number in taken:
        leave -= number not in taken
        number += 1
    return number


def opened(pid: int, proc: Path) -> frozenset[int]:
    """Return the numbers of the descriptors of a process; none when it has ended."""
    try:
        return frozenset(int(entry.name) for entry in (proc / str(pid) / "fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return frozenset()
    except OSError as err:
        raise CapabilityError(f"the descriptors of process {pid} cannot be seen: {err.strerror}") from err


def limits_of(pid: int, name: str, proc: Path) -> tuple[int, int] | None:
    """Return soft and hard limit by its name in /proc/<pid>/limits; None when the process has ended."""
    try:
        text = (proc / str(pid) / "limits").read_text(encoding="ascii")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(name):
            soft, hard = (-1 if word == "unlimited" else int(word) for word in line[len(name) :].split()[:2])
            return soft, hard
    return None


def _status(pid: int, proc: Path) -> dict[str, str]:
    try:
        text = (proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def open_fd_exhaustion(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    leave = int(cast("int", event.parameters["leave"]))
    return Strike(
        event, context, rung_of(event, "prlimit"), lambda t: Ceiling(t, resource.RLIMIT_NOFILE, leave=leave)
    )  # fmt: skip


def open_file_size(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    most = cast("Size", event.parameters["max"]).bytes
    return Strike(event, context, rung_of(event, "prlimit"), lambda t: Ceiling(t, resource.RLIMIT_FSIZE, most=most))


def open_pids_limit(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    most = int(cast("int", event.parameters["max"]))
    return Strike(event, context, rung_of(event, "cgroup"), lambda target: Crowd(target, most))
