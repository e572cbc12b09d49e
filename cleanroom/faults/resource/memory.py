"""Faults on memory: some of it is taken, more and more of it is taken, or there is less of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from cleanroom.canonical import Json
from cleanroom.engine.processes import members
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.resource.cpu import ended, restored
from cleanroom.faults.resource.group import Change, Group, Setting
from cleanroom.faults.resource.stress.hoard import NOTE
from cleanroom.faults.resource.stress.task import available_memory
from cleanroom.faults.resource.stressor import Stressor, start
from cleanroom.faults.resource.strike import Strike, Target, rung_of
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Duration, Size

_SHARE = 0.9
_PATIENCE = 10.0
_SOON = 1.0
_SLACK = 8 << 20
# Above this much the kernel's choice falls on whoever has it, whatever others use (oom_score_adj).
_CHOSEN = "1000"
_ON_DISK = "/var/tmp"  # noqa: S108 - only a file without a name is put there


class Pressure:
    """So much memory of ours in the target's group; `share` is in percent of its limit."""

    takes = ""

    def __init__(self, target: Target, size: int | None, share: float | None, ramp: Duration) -> None:
        self._target = target
        self._ramp = ramp
        self._size = size if size is not None else _share_of(target, cast("float", share))
        self._stressor: Stressor | None = None
        self._before = 0
        self._full = 0.0

    def apply(self) -> None:
        """Take it; raises `CapabilityError` when the group or the machine has not so much."""
        group = self._target.group
        check_room(self._target, self._size)
        self._before = group.memory_used()
        self._stressor = start(
            "hoard", {"size": self._size, "ramp": self._ramp.seconds}, groups=group.places("memory"),
            watch=self._target.pid, timeout=30 + self._size / (100 << 20),
        )  # fmt: skip
        self._full = time.monotonic() + self._ramp.seconds + _PATIENCE

    def proof(self) -> Evidence:
        """Hold when the group uses more by what is taken so far; of a slow ramp the beginning is enough."""
        assert self._stressor is not None  # noqa: S101 - applied
        end = time.monotonic() + min(self._ramp.seconds, _SOON)
        while True:
            taken = int(cast("int", self._stressor.look()["taken"]))
            if taken >= self._size or (taken and time.monotonic() >= end) or time.monotonic() >= end + _PATIENCE:
                break
            time.sleep(0.02)
        grown = self._target.group.memory_used() - self._before
        facts: dict[str, Json] = {
            "asked": self._size, "taken": taken, "used_before": self._before, "grown": grown,
            "limit": self._target.group.memory_limit(),
        }  # fmt: skip
        holds = taken > 0 and grown >= _SHARE * taken
        return Evidence(holds=holds, facts=facts, reason="" if holds else f"its usage grew by {grown} of {taken} bytes")

    def take_back(self) -> None:
        """Give it back."""
        if self._stressor is not None:
            self._stressor.end()

    def residue(self) -> Evidence:
        """Hold when our process is gone, and say when it had not taken all though it had the time."""
        found = ended(self._stressor)
        taken = found.facts.get("taken", self._size)
        if not found.lapsed and cast("int", taken) < self._size and time.monotonic() > self._full:
            return Evidence(holds=found.holds, facts=found.facts, lapsed=f"it took {taken} of {self._size} bytes")
        return found


class Leak:
    """More and more memory of ours in the target's group, for which the kernel will strike the target."""

    takes = "oom_score_adj"

    def __init__(self, target: Target, step: int, every: Duration) -> None:
        self._target = target
        self._step = step
        self._every = every
        self._stressor: Stressor | None = None
        self._before = 0
        self._kills = 0
        self._scores: dict[int, str] = {}
        self._notes: int | None = None
        self._steps = 0

    def apply(self) -> None:
        """Take the first step; raises `CapabilityError` without a limit that ends it."""
        group = self._target.group
        if group.memory_room() is None:
            raise CapabilityError(
                f"{self._target.name} has no memory limit: what leaks would be the machine's",
                remedy="give the service `limits: {memory: ...}`",
            )
        check_room(self._target, self._step)
        self._before, self._kills = group.memory_used(), group.oom_kills()
        self._choose()
        self._notes = os.memfd_create("notes")
        os.pwrite(self._notes, bytes(NOTE), 0)
        self._stressor = start(
            "leak", {"step": self._step, "every": self._every.seconds, "notes": self._notes},
            groups=group.places("memory"), watch=self._target.pid,
        )  # fmt: skip

    def _choose(self) -> None:
        """Let the kernel take the service, as it would one that leaks itself, and not our process, which is larger."""
        for process in members(self._target.state.id):
            file = Path(f"/proc/{process.pid}/oom_score_adj")
            with contextlib.suppress(OSError):  # it has ended
                self._scores[process.pid] = file.read_text(encoding="ascii").strip()
                file.write_text(_CHOSEN, encoding="ascii")

    def proof(self) -> Evidence:
        """Hold when the group uses more by the steps taken so far."""
        assert self._stressor is not None  # noqa: S101 - applied
        found = self._stressor.look()
        taken = int(cast("int", found["taken"]))
        grown = self._target.group.memory_used() - self._before
        facts: dict[str, Json] = {"steps": found["steps"], "taken": taken, "grown": grown, "used_before": self._before}
        holds = taken > 0 and grown >= _SHARE * taken
        return Evidence(holds=holds, facts=facts, reason="" if holds else f"its usage grew by {grown} of {taken} bytes")

    def take_back(self) -> None:
        """Give everything back."""
        if self._stressor is not None:
            self._stressor.end()
        if self._notes is not None:
            self._steps = int.from_bytes(os.pread(self._notes, NOTE, 0), "big")
            os.close(self._notes)
            self._notes = None
        for file, score in self._chosen():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                file.write_text(score, encoding="ascii")

    def _chosen(self) -> Iterator[tuple[Path, str]]:
        """Yield what still bears our mark, and what it bore before; those started meanwhile were born with it."""
        usual = next(iter(self._scores.values()), "0")
        for process in members(self._target.state.id) if self._scores else ():
            file = Path(f"/proc/{process.pid}/oom_score_adj")
            before = self._scores.get(process.pid, usual)
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if before != _CHOSEN and file.read_text(encoding="ascii").strip() == _CHOSEN:
                    yield file, before

    def residue(self) -> Evidence:
        """Hold when our process is gone; the target's end is what a leak leads to."""
        found = ended(self._stressor)
        stopped = str(found.facts.get("stopped", ""))
        facts: dict[str, Json] = {"steps": self._steps, "taken": self._steps * self._step}
        if self._target.group.same():
            facts["oom_kills"] = self._target.group.oom_kills() - self._kills
        marked = [file.parent.name for file, _ in self._chosen()]
        reason = f"processes {', '.join(marked)} are still the kernel's first choice" if marked else found.reason
        return Evidence(holds=found.holds and not marked, facts=facts, reason=reason, lapsed=stopped or found.lapsed)


class Limit:
    """Another memory limit; swap does not make up for it."""

    takes = "memory limit"

    def __init__(self, target: Target, size: int) -> None:
        self._target = target
        self._size = size
        self._setting: Setting | None = None
        self._before: int | None = None

    def apply(self) -> None:
        """Set it; raises `CapabilityError` when more than that is in use, or the machine has not so much."""
        group = self._target.group
        self._before = group.memory_limit()
        self._size = whole_pages(self._size)
        if self._size == self._before:
            raise CapabilityError(f"{self._target.name} has a limit of {self._size} bytes already")
        used = group.memory_used()
        if used >= self._size:
            raise CapabilityError(
                f"{self._target.name} uses {used} bytes: with a limit of {self._size} the kernel would kill it",
                remedy="ask for more, or for container.oom",
            )
        free, reserve = available_memory()
        if self._size - used > free - reserve:
            raise CapabilityError(f"the machine has {free >> 20} MiB left: this limit could never be reached")
        self._setting = Setting(group, limit_changes(group, self._size))
        self._setting.apply()

    def proof(self) -> Evidence:
        """Hold when of page cache of ours, which can be dropped at any time, only as much stays as the limit allows."""
        group = self._target.group
        charged = group.memory_charged()
        size = max(0, self._size - charged) + _SLACK
        cache = start(
            "cached",
            {"folder": _ON_DISK, "size": size},
            groups=group.places("memory"),
            timeout=30 + size / (50 << 20),
        )
        try:
            full = group.memory_charged()
        finally:
            cache.end()
        facts: dict[str, Json] = {
            "limit_before": self._before, "limit": group.memory_limit(), "used": group.memory_used(),
            "charged_before": charged, "cache_read": cache.facts["read"], "charged_with_it": full,
        }  # fmt: skip
        # The kernel drops more than it must: half of it is more than there was.
        holds = max(charged, self._size // 2) < full <= self._size == group.memory_limit()
        reason = "" if holds else f"{full} bytes are charged after {size} more were read, of {self._size} allowed"
        return Evidence(holds=holds, facts=facts, reason=reason)

    def take_back(self) -> None:
        """Put the old limit back."""
        if self._setting is not None:
            self._setting.restore()

    def residue(self) -> Evidence:
        """Hold when the old limit is there."""
        return restored(self._setting)


def limit_changes(group: Group, size: int) -> tuple[Change, ...]:
    """Return what to write for a limit of memory without swap, in the order in which the kernel takes it."""
    if group.version > 1:
        files = (group.file("memory", "", "memory.max"),)
        swap = group.place("memory") / "memory.swap.max"
        values = [Change(file=files[0], value=str(size), back=files[0].read_text(encoding="ascii").strip())]
        if swap.exists():
            values.append(Change(file=swap, value="0", back=swap.read_text(encoding="ascii").strip()))
        return tuple(values)
    limit = group.file("memory", "memory.limit_in_bytes", "")
    both = group.place("memory") / "memory.memsw.limit_in_bytes"
    change = Change(file=limit, value=str(size), back=limit.read_text(encoding="ascii").strip())
    if not both.exists():
        return (change,)
    together = Change(file=both, value=str(size), back=both.read_text(encoding="ascii").strip())
    # With swap it may never be less than without.
    return (change, together) if size < int(together.back) else (together, change)


def whole_pages(size: int) -> int:
    """Return what the kernel makes of a limit."""
    page = os.sysconf("SC_PAGESIZE")
    return size // page * page


def check_room(target: Target, size: int) -> None:
    """Raise `CapabilityError` when the group or the machine has not so much memory left."""
    room = target.group.memory_room()
    if room is not None and size > room:
        raise CapabilityError(
            f"{target.name} has {room >> 10} KiB left below its limit, and {size >> 10} KiB were asked for",
            remedy="ask for less; for the kernel's kill use container.oom or resource.memory_leak",
        )
    free, reserve = available_memory()
    if size > free - reserve:
        raise CapabilityError(
            f"the machine has {free >> 20} MiB left, of which {reserve >> 20} MiB must stay free, "
            f"and {size >> 20} MiB were asked for",
            remedy="ask for less",
        )


def _share_of(target: Target, share: float) -> int:
    limit = target.group.memory_limit()
    if limit is None:
        raise CapabilityError(
            f"{target.name} has no memory limit that {share:g} percent could be taken of",
            remedy="give the service `limits: {memory: ...}`, or say `size`",
        )
    return int(limit * share / 100)


def open_memory_pressure(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    size = cast("Size | None", event.parameters.get("size"))
    share = cast("float | None", event.parameters.get("percent"))
    ramp = cast("Duration", event.parameters.get("ramp", Duration(0)))
    number = size.bytes if size is not None else None
    return Strike(event, context, rung_of(event, "stressor"), lambda t: Pressure(t, number, share, ramp))


def open_memory_limit(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    size = cast("Size", event.parameters["memory"]).bytes
    return Strike(event, context, rung_of(event, "cgroup"), lambda target: Limit(target, size), kills=True)


def open_memory_leak(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    step, every = cast("Size", event.parameters["step"]).bytes, cast("Duration", event.parameters["every"])
    backend = rung_of(event, "stressor")
    return Strike(event, context, backend, lambda target: Leak(target, step, every), kills=True, until_death=True)
