"""When the system answered nobody: windows of unavailability, the longest of them, and the share of time without.

A *dry* stretch is time in which operations were under way and none succeeded: from the last success (or, when nothing
was under way then, from when the next operation was due) to the next success, or to the end of what was measured. Every
operation makes a short one. It is a window of unavailability when an operation failed in it, or when it lasted a second
or longer: a system that hangs is as little available as one that fails.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Final

from cleanroom.validate.occurrence import Window
from cleanroom.validate.resilience.samples import Measured, NoBaseError, asked, common

HANGS: Final = 10**9
"""Nanoseconds without a success, though asked, from which on a system is unavailable."""


@dataclass(frozen=True, slots=True)
class Dry:
    """A stretch without a success though operations were under way; `failed` of them ended in it."""

    begin: int
    end: int
    failed: int

    @property
    def unavailable(self) -> bool:
        """Whether it is a window of unavailability."""
        return self.failed > 0 or self.end - self.begin >= HANGS


def dry_stretches(found: Measured) -> Iterator[Dry]:
    """Yield all dry stretches in order of time; n log n."""
    samples = asked(found)
    dues = [s.due for s in samples]
    latest = list(accumulate((s.end for s in samples), max))
    failures = sorted(s.end for s in samples if not s.ok)
    successes = sorted({s.end for s in samples if s.ok})
    moments = successes if successes and successes[-1] >= latest[-1] else [*successes, latest[-1]]
    since = dues[0]
    earlier = bisect_left(failures, since)  # the first operation may fail in no time at all
    for number, moment in enumerate(moments):
        begun = bisect_right(dues, since)
        idle = number > 0 and latest[begun - 1] <= since
        begin = max(since, dues[begun]) if idle and begun < len(dues) else since
        until = bisect_right(failures, moment)
        if begin < moment:
            yield Dry(begin, moment, until - earlier)
        since, earlier = moment, until


def windows(found: Measured) -> tuple[Window, ...]:
    """Return the windows of unavailability, cut to the measured time."""
    return common(tuple((d.begin, d.end) for d in dry_stretches(found) if d.unavailable), found.stretches)


def unavailability(found: Measured) -> int:
    """Return the longest time in ns, within the measured time, in which operations were under way and none succeeded.

    Without a failure or a hang that is about the longest latency.
    """
    dry = tuple((d.begin, d.end) for d in dry_stretches(found))
    return max((end - begin for begin, end in common(dry, found.stretches)), default=0)


def availability(found: Measured) -> float:
    """Return the share of the measured time that is outside the windows of unavailability, 0 to 1."""
    asked(found)
    if not found.length:
        raise NoBaseError("the operations took no time to measure a share of")
    return float(1 - Fraction(sum(end - begin for begin, end in windows(found)), found.length))
