"""A clock that faults alter while its service runs: prepared when the service starts, and true until then."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.engine.clock import offset_of, offset_words, write_control
from cleanroom.engine.processes import members
from cleanroom.errors import CapabilityError
from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockOffset, ClockRate, ClockSetting, FrozenClock

_PROC: Final = Path("/proc")
_INIT: Final = frozenset({"docker-init", "tini"})
# The library never forgets a rate: a clock that is to run as the machine's must be told so.
_TRUE_RATE: Final = " x1.000000000"


def control_variables(variables: Mapping[str, str], faults: frozenset[str]) -> dict[str, str]:
    """Return the library's variables for a service with these planned faults of its clock."""
    found = {**variables, "FAKETIME_NO_CACHE": "1"}
    if "clock.rate" in faults:
        # A rate counts from a beginning, and all processes of the service must have the same.
        found.pop("FAKETIME_DISABLE_SHM", None)
    return found


@dataclass(frozen=True, slots=True)
class ClockControl:
    """The control file of one service, and what its clock is set to when no fault alters it."""

    directory: Path
    setting: ClockSetting
    begin_ns: int
    """When its environment began, by the machine's clock."""

    @property
    def true(self) -> ClockOffset:
        """How far it is ahead without a fault; raises `CapabilityError` for a clock that stands or has a rate."""
        if isinstance(self.setting, FrozenClock | ClockRate):
            raise CapabilityError(
                "its clock is altered already, and does not run with the machine's",
                remedy="leave `clock` of the service out, or set an offset or an instant",
            )
        return ClockOffset(offset=Duration(offset_of(self.setting, self.begin_ns)))

    def ahead(self, offset_ns: int) -> ClockOffset:
        """Make the clock be further ahead by so much, and return what it is then set to."""
        wanted = ClockOffset(offset=Duration(self.true.offset.ns + offset_ns))
        write_control(self.directory, offset_words(wanted.offset.ns) + _TRUE_RATE)
        return wanted

    def freeze(self, at_ns: int) -> None:
        """Make the clock stand at an instant, to the second."""
        write_control(self.directory, str(at_ns // 10**9))

    def run_at(self, rate: float, age_ns: int) -> None:
        """Make the clock run so many times as fast from now on, for processes that began `age_ns` ago."""
        offset = self.true.offset.ns + round(age_ns * (1 - rate))
        write_control(self.directory, f"{offset_words(offset)} x{rate:.9f}")


def age_of(container: str) -> int:
    """Return the nanoseconds since the first of the container's processes began, to a tick of the kernel's.

    Raises `CapabilityError` when none of them can be seen.
    """
    started = []
    for process in members(container):
        with contextlib.suppress(OSError):
            if (_PROC / str(process.pid) / "exe").readlink().name not in _INIT:
                started.append(process.started)
    if not started:
        raise CapabilityError(
            "none of its processes can be seen from here", remedy="use an engine on this machine (engine cell or own)"
        )
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - min(started) * 10**9 // os.sysconf("SC_CLK_TCK")
