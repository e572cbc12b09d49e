"""A fault on disks: the container reads or writes them slowly.

Version 1 of control groups counts what a process reads or writes itself: what it leaves to the page cache is written by
the kernel, at full speed. Version 2 counts that as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from cleanroom.canonical import Json
from cleanroom.errors import CapabilityError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.resource.cpu import restored
from cleanroom.faults.resource.group import Change, Group, Setting, device_limits
from cleanroom.faults.resource.mounts import disk_of
from cleanroom.faults.resource.stressor import trial
from cleanroom.faults.resource.strike import Strike, Target, rung_of
from cleanroom.plan.model import FaultEvent
from cleanroom.quantity import Rate

# Half a second's worth, in which the bucket's first tenth is little; at least a few blocks.
_SHARE_OF_SECOND = 0.5
_LEAST, _MOST = 1 << 18, 1 << 26
_OVER = 1.5
_KEYS = {"read": ("blkio.throttle.read_bps_device", "rbps"), "write": ("blkio.throttle.write_bps_device", "wbps")}


class Slow:
    """A limit of bytes per second on the disk that the target's own layer is on; `rates` by `read` and `write`."""

    takes = "speed of its disk"

    def __init__(self, target: Target, rates: Mapping[str, int]) -> None:
        self._target = target
        self._rates = rates
        self._disk = ""
        self._folder = ""
        self._setting: Setting | None = None
        self._before: Mapping[str, Json] = {}

    def apply(self) -> None:
        """Set it; raises `CapabilityError` where the disk is no faster, or has no such limit."""
        self._disk, self._folder = disk_of(self._target.pid)
        group = self._target.group
        changes = speed_changes(group, self._disk, self._rates)
        self._before = self._measure()
        slow = [way for way, rate in self._rates.items() if cast("int", self._before[way]) < _OVER * rate]
        if slow:
            raise CapabilityError(
                f"the disk's own speed to {' and '.join(slow)} is no more than what was asked for",
                remedy="ask for less",
            )
        self._setting = Setting(group, changes)
        self._setting.apply()

    def _measure(self) -> Mapping[str, Json]:
        sizes = {
            way: min(_MOST, max(_LEAST, int(self._rates[way] * _SHARE_OF_SECOND))) if way in self._rates else 0
            for way in _KEYS
        }
        controller = "blkio" if self._target.group.version == 1 else "io"
        places = self._target.group.places(controller)
        slowest = max(sizes[way] / rate for way, rate in self._rates.items())
        return trial("blocks", {"folder": self._folder, **sizes}, groups=places, timeout=30 + 5 * slowest)

    def proof(self) -> Evidence:
        """Hold when a process of ours in the group reads and writes past the cache no faster than that."""
        now = self._measure()
        facts: dict[str, Json] = {"disk": self._disk}
        for way, rate in self._rates.items():
            facts |= {f"{way}.before": self._before[way], f"{way}.during": now[way], f"{way}.asked": rate}
        fast = [way for way, rate in self._rates.items() if cast("int", now[way]) > _OVER * rate]
        reason = f"it can {' and '.join(fast)} faster than asked" if fast else ""
        return Evidence(holds=not fast, facts=facts, reason=reason)

    def take_back(self) -> None:
        """Put the old limits back."""
        if self._setting is not None:
            self._setting.restore()

    def residue(self) -> Evidence:
        """Hold when the old limits are there."""
        return restored(self._setting)


def speed_changes(group: Group, disk: str, rates: Mapping[str, int]) -> tuple[Change, ...]:
    """Return what to write for these bytes per second."""
    if group.version == 1:
        return tuple(_first(group.file("blkio", _KEYS[way][0], ""), disk, rate) for way, rate in rates.items())
    file = group.file("io", "", "io.max")
    known = device_limits(file.read_text(encoding="ascii")).get(disk, {})
    wanted = " ".join(f"{_KEYS[way][1]}={rate}" for way, rate in rates.items())
    back = " ".join(f"{_KEYS[way][1]}={known.get(_KEYS[way][1], 'max')}" for way in rates)
    return (Change(file=file, value=f"{disk} {wanted}", back=f"{disk} {back}"),)


def _first(file: Path, disk: str, rate: int) -> Change:
    lines = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    known = next((words[1] for words in lines if words and words[0] == disk), "0")
    return Change(file=file, value=f"{disk} {rate}", back=f"{disk} {known}")


def open_io_throttle(event: FaultEvent, context: FaultContext) -> Strike:
    """Return the fault; raises `CapabilityError` for a backend that it does not have."""
    found = {way: event.parameters.get(way) for way in _KEYS}
    rates = {way: max(1, cast("Rate", rate).bits // 8) for way, rate in found.items() if rate is not None}
    return Strike(event, context, rung_of(event, "cgroup"), lambda target: Slow(target, rates))
