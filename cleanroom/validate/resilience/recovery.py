"""How the system came through its faults: recovery time, detection time, and the time until it served again (RTO).

What fails from a fault's beginning on, until the next fault begins or the measured operations end, is its doing. The
system *serves again* with the end of the first success among the operations that were due after the last of these
failures was: a success between failures is no recovery. Where none succeeded after them, it never recovered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cleanroom.validate.resilience.samples import Measured, NeverError, NoBaseError, Sample, Struck, asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What one occurrence of a fault did to operations."""

    struck: Struck
    seen: tuple[Sample, ...]
    """Operations that ended after it began and were due before the next fault."""

    @property
    def failed(self) -> tuple[Sample, ...]:
        """Those that failed."""
        return tuple(s for s in self.seen if not s.ok)


def disturbances(found: Measured, whole: Measured) -> Iterator[Disturbance]:
    """Yield what each occurrence in `found` did; `whole` has all operations and all faults of the scenario."""
    if not found.struck:
        raise NoBaseError("no fault struck")
    for struck in found.struck:
        following = min((s.begin for s in whole.struck if s.begin > struck.begin), default=None)
        seen = tuple(
            s for s in whole.samples if s.end >= struck.begin and (following is None or s.due < following)
        )  # fmt: skip
        yield Disturbance(struck=struck, seen=seen)


def _served(of: Disturbance) -> int:
    """Return when the system served again; raises `NeverError` when it never did."""
    last = max(s.due for s in of.failed)
    after = [s.end for s in of.seen if s.ok and s.due > last]
    if not after:
        raise NeverError(f"after fault {of.struck.fault} no operation succeeded any more: the system never recovered")
    return min(after)


def recovery_times(found: Measured, whole: Measured) -> tuple[int, ...]:
    """Return in ns how long each occurrence was recovered from, in order.

    Where a fault ended something that came back, from its end (of a kill: the death) to readiness, as it was measured.
    Else from its end until the system serves again; 0 where that was before. An occurrence after which nothing failed
    and nothing had to come back is no recovery: `NoBaseError` where all are so. `NeverError` for one without an end.
    """
    times: list[int] = []
    for one in disturbances(found, whole):
        struck = one.struck
        if not struck.recovered:
            raise NeverError(f"what fault {struck.fault} ended did not come back")
        if struck.recovery_ns is not None:
            times.append(struck.recovery_ns)
        elif one.failed:
            times.append(max(0, _served(one) - struck.end))
    if not times:
        raise NoBaseError("there was nothing to recover from: no operation failed, and nothing had to come back")
    return tuple(times)


def detection_time(found: Measured, whole: Measured) -> int:
    """Return in ns the longest time from the beginning of an occurrence to the end of the first operation that failed.

    Only operations that overlap the fault show it. An occurrence that none shows raises `NeverError`.
    """
    asked(whole)
    times = []
    for one in disturbances(found, whole):
        shown = [s.end for s in one.failed if s.due <= one.struck.end]
        if not shown:
            raise NeverError(f"no operation failed while fault {one.struck.fault} stood: nothing shows it")
        times.append(min(shown) - one.struck.begin)
    return max(times)


def rto(found: Measured, whole: Measured) -> int:
    """Return in ns the longest time from the beginning of an occurrence until the system serves again.

    0 where operations were under way during the fault and none failed; without any the figure has no base.
    """
    asked(whole)
    times = []
    for one in disturbances(found, whole):
        if not _overlapping(one.seen, one.struck):
            raise NoBaseError(f"no operation was under way while fault {one.struck.fault} stood")
        times.append(_served(one) - one.struck.begin if one.failed else 0)
    return max(times)


def _overlapping(samples: Sequence[Sample], struck: Struck) -> bool:
    return any(s.due <= struck.end for s in samples)
