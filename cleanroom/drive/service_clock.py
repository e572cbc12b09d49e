"""The probe of the clock that a service sees: read inside its container, by its own `date`."""

from __future__ import annotations

from cleanroom.drive.answer import Fact
from cleanroom.drive.execute import run_exec
from cleanroom.drive.reach import Limits, Reach
from cleanroom.quantity import Duration
from cleanroom.spec.query import ExecAction

READINGS = 5
_NARROW_NS = 20 * 10**6
_SECOND = 10**9


def ask_clock(reach: Reach, service: str, timeout: Duration, context: str) -> Fact:
    """Return how far the service's clock is from ours, without sign.

    Each reading lies somewhere between our clock before and after it: the narrowest of a few is taken, by its middle.
    """
    action = ExecAction(service=service, command=("date", "+%s %N"))
    best: tuple[int, int] | None = None
    end = reach.clock.monotonic() + timeout.seconds
    for _ in range(READINGS):
        before = reach.clock.now_ns()
        result = run_exec(reach, action, Limits(timeout=timeout, grace=Duration(10**8)), context)
        after = reach.clock.now_ns()
        if result.error_type:
            why = f"its clock could not be read by `date`: {result.message}"
            return Fact(present=False, error_type=result.error_type, why=why)
        reading = clock_reading(result.stdout or "")
        if reading is None:
            why = f"its `date` said {(result.stdout or '').strip()[:80]!r} instead of seconds"
            return Fact(present=False, error_type="exit_code", why=why)
        inside, resolution = reading
        middle = (before + after) // 2
        width = after - before
        # A clock of whole seconds says only that it is somewhere within one.
        off = max(0, abs(inside + (resolution - 1) // 2 - middle) - resolution // 2)
        if best is None or width < best[0]:
            best = (width, off)
        if width <= _NARROW_NS or reach.clock.monotonic() >= end:
            break
    return Fact(value=Duration(best[1] if best else 0))


def clock_reading(said: str) -> tuple[int, int] | None:
    """Return (nanoseconds since the epoch, resolution in ns) of `date +'%s %N'`; None for anything else.

    Some implementations know no `%N` and leave it out, or print it as it is.
    """
    seconds, _, fraction = said.strip().partition(" ")
    if not seconds.removeprefix("-").isdigit():
        return None
    if fraction.isdigit():
        return int(seconds) * _SECOND + int(fraction), 1
    return int(seconds) * _SECOND, _SECOND
