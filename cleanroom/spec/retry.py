"""How often something that failed is tried again, and with what pauses (spec.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.quantity import Duration

INITIAL = Duration(100 * 10**6)
LONGEST = Duration(10 * 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """`retry`: the pause before attempt n + 1 is `initial * factor ** (n - 1)`, at most `max`, then jittered."""

    attempts: int
    """All of them, the first included."""
    initial: Duration = INITIAL
    factor: float = 2.0
    max: Duration = LONGEST
    jitter: float = 0.0
    """The share of each pause that is drawn from the seed, 0 to 1."""
    on: tuple[str, ...] = ()
    """The error types that are tried again; empty: all of them."""
