"""Faults on the room of a file system: its bytes or its files run out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.resource.cpu import ended
from cleanroom.faults.resource.mounts import memory_file_systems, own_file_systems, read_mounts
from cleanroom.faults.resource.stress.inodes import MOST
from cleanroom.faults.resource.stress.task import available_memory
from cleanroom.faults.resource.stressor import Stressor, start
from cleanroom.faults.resource.strike import Strike, Target, rung_of
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Size

_REMEDY = "give the service a file system of its own with a size there, e.g. `tmpfs: {/data: 16MiB}`"


class _Filled:
    """A job in the target's mounts, in no control group of it: what it holds counts as ours."""

    def __init__(self, target: Target, path: str) -> None:
        self._target = target
        self._path = path
        self._stressor: Stressor | None = None
        self.takes = f"the room of {path}"

    def _start(self, task: str, options: Mapping[str, object], *, in_memory: bool = False) -> Stressor:
        inside, ours = (
            read_mounts(Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8", errors="replace"))
            for pid in (self._target.pid, "self")
        )
        own, others = own_file_systems(inside, ours)
        if in_memory:
            own = tuple(device for device in own if device in memory_file_systems(inside))
        try:
            return start(
                task, {"path": self._path, "own": own, "others": dict(others), **options},
                watch=self._target.pid, mounts_of=self._target.pid,
            )  # fmt: skip
        except CapabilityError as err:
            raise CapabilityError(f"{self._target.name}: {err.message}", remedy=_REMEDY) from err

    def take_back(self) -> None:
        """Give the room back."""
        if self._stressor is not None:
            self._stressor.end()


class Full(_Filled):
    """A ballast file in a file system of the target's."""

    def __init__(self, target: Target, path: str, leave: int, share: float | None) -> None:
        super().__init__(target, path)
        self._leave = leave
        self._share = share

    def apply(self) -> None:
        """Fill it; raises `CapabilityError` where it is not the container's own, or has no size."""
        free, reserve = available_memory()
        options = {"leave": self._leave, "percent": self._share, "spare": free - reserve}
        self._stressor = self._start("ballast", options)

    def proof(self) -> Evidence:
        """Hold when no more than asked is left, and a write of more failed for want of room."""
        assert self._stressor is not None  # noqa: S101 - applied
        begun, now = self._stressor.facts, self._stressor.look()
        wanted, free = cast("int", begun["wanted"]), cast("int", now["free"])
        facts: dict[str, Json] = {
            "size": now["size"], "free_before": begun["free_before"], "free": free, "wanted": wanted,
            "ballast": now["ballast"], "write": begun["write"],
        }  # fmt: skip
        holds = free <= wanted and begun["write"] == "ENOSPC"
        reason = "" if holds else f"{free} bytes are left of {wanted} wanted, and a write said {begun['write'] or 'ok'}"
        return Evidence(holds=holds, facts=facts, reason=reason)

    def residue(self) -> Evidence:
        """Hold when our file is gone, with its room."""
        found = ended(self._stressor)
        kept = cast("int", found.facts.get("ballast", 0))
        given = cast("int", found.facts.get("given_back", 0))
        if kept and given < kept // 2:
            return Evidence(holds=False, facts=found.facts, reason=f"of {kept} bytes {given} came back")
        return found


class Crowded(_Filled):
    """A limit of files on a file system in memory of the target's."""

    def __init__(self, target: Target, path: str, leave: int) -> None:
        super().__init__(target, path)
        self._leave = leave
        self._limit = 0
        self._after = 0

    def apply(self) -> None:
        """Move the limit; raises `CapabilityError` where it cannot be."""
        self._stressor = self._start("inodes", {"leave": self._leave}, in_memory=True)
        self._limit = cast("int", self._stressor.facts["limit_before"])

    def proof(self) -> Evidence:
        """Hold when there is room for no more than asked, and making more failed for want of room."""
        assert self._stressor is not None  # noqa: S101 - applied
        begun, now = self._stressor.facts, self._stressor.look()
        left = cast("int", now["files_free"])
        facts: dict[str, Json] = {
            "files_before": begun["files_before"], "limit_before": self._limit, "limit": now["limit"],
            "files_free": left, "made": begun["made"], "create": begun["create"],
        }  # fmt: skip
        holds = left <= self._leave and begun["create"] == "ENOSPC"
        reason = "" if holds else f"there is room for {left} files, and making one said {begun['create'] or 'ok'}"
        return Evidence(holds=holds, facts=facts, reason=reason)

    def take_back(self) -> None:
        """Put the limit back; where our process was killed, by another one."""
        super().take_back()
        if self._stressor is None:
            return
        self._after = cast("int", self._stressor.figures.get("limit_after", 0))
        if self._after != self._limit and self._target.group.same():
            again = self._start("inodes", {"limit": self._limit}, in_memory=True)
            again.end()
            self._after = cast("int", again.figures.get("limit_after", 0))

    def residue(self) -> Evidence:
        """Hold when the limit is the old one, or the file system went away with the container."""
        found = ended(self._stressor)
        if self._stressor is not None and self._after != self._limit and self._target.group.same():
            return Evidence(holds=False, facts=found.facts, reason=f"the limit is {self._after}, was {self._limit}")
        return found


def open_disk_full(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    path = str(event.parameters["path"])
    leave = cast("Size", event.parameters.get("leave", Size(0))).bytes
    share = cast("float | None", event.parameters.get("percent"))
    return Strike(event, context, rung_of(event, "ballast"), lambda target: Full(target, path, leave, share))


def open_inode_exhaustion(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have, and for what it cannot prove."""
    path, leave = str(event.parameters["path"]), int(cast("int", event.parameters["leave"]))
    if leave > MOST:
        raise CapabilityError(
            f"leave: {leave}: more than {MOST} files would have to be made to prove it", remedy="leave fewer"
        )
    return Strike(event, context, rung_of(event, "remount"), lambda target: Crowded(target, path, leave))
