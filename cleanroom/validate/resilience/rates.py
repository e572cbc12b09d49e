"""How much succeeded: success rate, throughput, degradation, operations, the burn of an error budget, stability."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from cleanroom.validate.occurrence import Window
from cleanroom.validate.resilience.samples import Measured, NoBaseError, Sample, asked, common, joined

_SECOND = 10**9


def operations(found: Measured) -> int:
    """Return the number of operations, successful or not."""
    return len(asked(found))


def success_rate(found: Measured) -> float:
    """Return the share of operations that succeeded, 0 to 1."""
    samples = asked(found)
    return sum(s.ok for s in samples) / len(samples)


def throughput(found: Measured) -> float:
    """Return successful operations per second: those that ended in the measured time, by its length."""
    asked(found)
    return float(_pace(found.samples, found.stretches))


def _pace(samples: Sequence[Sample], stretches: Sequence[Window]) -> Fraction:
    length = sum(end - begin for begin, end in stretches)
    if length <= 0:
        raise NoBaseError("the operations took no time to measure a rate in")
    ends = sorted(s.end for s in samples if s.ok)
    counted = at = 0
    for begin, end in stretches:
        while at < len(ends) and ends[at] <= end:
            counted += ends[at] >= begin
            at += 1
    return Fraction(counted * _SECOND, length)


def degradation(whole: Measured, fault: str = "") -> float:
    """Return by what share the throughput was less in the windows of `fault` (or of all faults) than before them.

    The steady phase is the measured time before the first fault of the scenario begins: what follows a fault may still
    suffer from it. Negative where the system was faster under the fault.
    """
    asked(whole)
    windows = joined((s.begin, s.end) for s in whole.struck if not fault or s.fault == fault)
    if not windows:
        raise NoBaseError("no fault struck")
    first = min(s.begin for s in whole.struck)
    steady = common(whole.stretches, ((0, first),))
    if not steady:
        raise NoBaseError("no operation was measured before the first fault: there is no steady phase to compare with")
    before = _pace(whole.samples, steady)
    if not before:
        raise NoBaseError("no operation succeeded before the first fault: there is no steady phase to compare with")
    under = common(whole.stretches, windows)
    if not under:
        raise NoBaseError("no operation was measured while a fault stood")
    return float(1 - _pace(whole.samples, under) / before)


def burn(found: Measured, slo: float) -> float:
    """Return the failures there were, divided by those that the objective allows: (1 - slo) of all operations."""
    samples = asked(found)
    allowed = (1 - Fraction(str(slo))) * len(samples)
    if allowed <= 0:
        raise NoBaseError("an objective of 1 allows no failure to divide by")
    return float(sum(not s.ok for s in samples) / allowed)


def _windows(found: Measured, length: int) -> list[list[Sample]]:
    """Return the operations by windows of `length` ns from when the first was due; windows without any are left out."""
    samples = asked(found)
    parts: dict[int, list[Sample]] = {}
    for sample in samples:
        parts.setdefault((sample.due - samples[0].due) // length, []).append(sample)
    if len(parts) < 2:  # noqa: PLR2004 -- one window has nothing to be compared with
        raise NoBaseError("the operations fall into one window: there is nothing to compare it with")
    return [parts[number] for number in sorted(parts)]


def variance(found: Measured, window: int) -> float:
    """Return the variance of the success rates of windows of `window` ns, in squared percentage points.

    Of the whole population; an operation belongs to the window in which it was due.
    """
    rates = [Fraction(100 * sum(s.ok for s in part), len(part)) for part in _windows(found, window)]
    mean = float(sum(rates) / len(rates))
    # Exact rates of many windows would have denominators without bound.
    return sum((float(rate) - mean) ** 2 for rate in rates) / len(rates)


def last_to_first(found: Measured, window: int) -> float:
    """Return the mean latency of the last window, divided by that of the first."""
    parts = _windows(found, window)
    first, last = (sum(s.latency for s in part) / len(part) for part in (parts[0], parts[-1]))
    if not first:
        raise NoBaseError("the operations of the first window took no time to compare with")
    return last / first
