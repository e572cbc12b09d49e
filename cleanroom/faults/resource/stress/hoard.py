"""Memory that is taken and touched, at once, over a time, or in steps without an end."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable

from cleanroom.faults.resource.stress.task import available_memory

_CHUNK = 1 << 20
_OFTEN = 0.02
NOTE = 8
"""Bytes of a note."""


class Hoard:
    """`size` bytes, taken evenly over `ramp` seconds, and kept."""

    def __init__(self, size: int, ramp: float, now: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._ramp = ramp
        self._now = now
        self._begun = 0.0
        self._held: list[mmap.mmap] = []
        self._taken = 0

    def begin(self) -> dict[str, object]:
        """Take what is due at once."""
        self._begun = self._now()
        self.tick()
        return self.look()

    def look(self) -> dict[str, object]:
        """Say how much is taken."""
        return {"taken": self._taken, "size": self._size}

    def tick(self) -> float | None:
        """Take what is due by now."""
        share = 1.0 if self._ramp <= 0 else min(1.0, (self._now() - self._begun) / self._ramp)
        due = self._size if share >= 1 else int(self._size * share) // _CHUNK * _CHUNK
        if due > self._taken:
            self._held.append(take(due - self._taken))
            self._taken = due
        return None if self._taken >= self._size else _OFTEN

    def end(self) -> dict[str, object]:
        """Give it back."""
        found = self.look()
        self._held.clear()
        return found


class Leak:
    """`step` bytes more every `every` seconds, until the kernel, or what the machine must keep, stops it.

    The kernel may stop this process as well: the number of steps is in the file `notes`, too.
    """

    def __init__(
        self,
        step: int,
        every: float,
        notes: int | None = None,
        now: Callable[[], float] = time.monotonic,
        machine: Callable[[], tuple[int, int]] = available_memory,
    ) -> None:
        self._step = step
        self._every = every
        self._notes = notes
        self._now = now
        self._machine = machine
        self._begun = 0.0
        self._held: list[mmap.mmap] = []
        self._stopped = ""

    def begin(self) -> dict[str, object]:
        """Take the first step."""
        self._begun = self._now()
        self.tick()
        return self.look()

    def look(self) -> dict[str, object]:
        """Say how many steps were taken, how much that is, and why there are no more."""
        steps = len(self._held)
        return {"steps": steps, "taken": steps * self._step, "stopped": self._stopped}

    def tick(self) -> float | None:
        """Take the step that is due, one at a time: where one comes late the next follows at once."""
        due = self._begun + len(self._held) * self._every
        if self._stopped:
            return None
        if self._now() < due:
            return due - self._now()
        free, reserve = self._machine()
        if free - self._step < reserve:
            self._stopped = f"the machine has {free >> 20} MiB left, of which {reserve >> 20} MiB must stay free"
            return None
        self._held.append(take(self._step))
        if self._notes is not None:
            os.pwrite(self._notes, len(self._held).to_bytes(NOTE, "big"), 0)
        return max(0.0, due + self._every - self._now())

    def end(self) -> dict[str, object]:
        """Give it back."""
        found = self.look()
        self._held.clear()
        return found


def take(size: int) -> mmap.mmap:
    """Return so much memory of our own, every page of it touched."""
    held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for start in range(0, size, mmap.PAGESIZE):
        held[start] = 1
    return held
