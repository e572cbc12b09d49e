"""The ends that a step must not outlive: its own timeout, that of a step around it, the scenario's two."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from cleanroom.clock import Clock, Deadline
from cleanroom.quantity import Duration
from cleanroom.spec.scenario import Scenario

Kind: TypeAlias = Literal["step", "scenario", "deadline"]
_NO_TIME: Final = 0.001
"""Seconds in which nothing can begin: a wait that is cut at an end may be over a little before it."""


@dataclass(frozen=True, slots=True)
class _End:
    at: Deadline
    kind: Kind
    allowed: Duration
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What a step may take: the time, and which end it comes from."""

    time: Duration
    kind: Kind
    allowed: Duration
    """The time that this end allows from its own beginning."""
    words: str = ""
    """The end in words; empty for the step's own timeout."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Every end around a step, on one clock."""

    clock: Clock
    ends: tuple[_End, ...] = ()

    @classmethod
    def of(cls, scenario: Scenario, clock: Clock) -> Bounds:
        """Return the bounds of a scenario that starts now."""
        ends = [_End(Deadline.after(clock, scenario.timeout.seconds), "scenario", scenario.timeout,
                     f"the scenario's timeout of {scenario.timeout}")]  # fmt: skip
        if scenario.deadline is not None:
            ends.append(_End(Deadline.after(clock, scenario.deadline.seconds), "deadline", scenario.deadline,
                             f"the scenario's deadline of {scenario.deadline}"))  # fmt: skip
        return cls(clock, tuple(ends))

    def within(self, cut: Cut, name: str) -> Bounds:
        """Return the bounds of what runs inside the step `name`, which is so cut."""
        words = cut.words or f"the timeout of step {name!r}, {cut.allowed},"
        end = _End(Deadline.after(self.clock, cut.time.seconds), cut.kind, cut.allowed, words)
        return Bounds(self.clock, (*self.ends, end))

    def passed(self) -> str:
        """Return which end has passed, in words; empty while there is time."""
        return next((end.words for end in self.ends if end.at.remaining() < _NO_TIME), "")

    def remaining(self) -> float:
        """Seconds until the first end, never negative."""
        return min((end.at.remaining() for end in self.ends), default=0.0)

    def cut(self, timeout: Duration) -> Cut:
        """Return what a step with this timeout may take from now on."""
        first = min(self.ends, key=lambda end: end.at.remaining(), default=None)
        left = Duration(max(1, math.ceil(first.at.remaining() * 10**9))) if first else timeout
        if first is None or timeout <= left:
            return Cut(time=timeout, kind="step", allowed=timeout)
        return Cut(time=left, kind=first.kind, allowed=first.allowed, words=first.words)
