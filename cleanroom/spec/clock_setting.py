"""What a service's wall clock says (spec.md section 2, `clock`); its monotonic time is never altered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.instant import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RealClock:
    """`real`: the machine's own time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenClock:
    """`frozen`: stands still at the instant at which its environment begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAt:
    """`{at: …}`: says this instant when the environment begins, and goes on: one offset for the whole environment."""

    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """`{offset: …}`: ahead of the machine's time by this much; behind it when negative."""

    offset: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRate:
    """`{rate: …}`: runs this many times as fast as the machine's, from the start of the service."""

    rate: float


ClockSetting: TypeAlias = RealClock | FrozenClock | ClockAt | ClockOffset | ClockRate
