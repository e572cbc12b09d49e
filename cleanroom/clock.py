"""The only place that reads a clock: a Protocol, the real one, and deadlines on monotonic time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Time as the run sees it; tests pass a fake."""

    def now_ns(self) -> int:
        """Wall-clock time in nanoseconds since the epoch (for spans and reports)."""

    def monotonic(self) -> float:
        """Seconds on a clock that never runs backwards (for durations and deadlines)."""

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`."""


class SystemClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        """Wall-clock nanoseconds since the epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block for `seconds`; a negative value returns at once."""
        time.sleep(max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a clock's monotonic scale, in seconds."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        """Return the deadline that lies `seconds` from now on `clock`."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self.clock.monotonic())

    def expired(self) -> bool:
        """Whether the moment has passed."""
        return self.clock.monotonic() >= self.at
