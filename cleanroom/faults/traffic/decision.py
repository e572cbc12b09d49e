"""What happens to a packet, decided by its index in a seeded stream: the same index always gets the same (design 5)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import NamedTuple

from cleanroom.faults.traffic.draw import DelayDraws, uniforms
from cleanroom.faults.traffic.shape import Corrupt, Delay, Duplicate, Effect, Every, Gilbert, Loss, Reorder

# A digest of as many decisions can be compared between runs that had more packets than these.
WITNESSES = 100
_FLIP_SPACE = 1 << 32
_PERCENT = 100.0


class Decision(NamedTuple):
    """What happens to one packet; `flip` chooses the bit that is changed, wherever the packet ends."""

    drop: bool = False
    delay_ns: int = 0
    copy: bool = False
    flip: int | None = None

    @property
    def bites(self) -> bool:
        """Whether the packet would have had another fate without the fault."""
        return self != PASS


PASS = Decision()
_DROP = Decision(drop=True)
_COPY = Decision(copy=True)


class Decisions:
    """The decisions of one effect on successive packets; raises `TypeError` for one that is not decided by packet."""

    def __init__(self, effect: Effect, stream: str) -> None:
        self._stream = stream
        self._decide = self._decider(effect)
        self._digest = hashlib.sha256()
        self.drawn = 0
        self.bitten = 0

    def next(self) -> Decision:
        """Return what happens to the next packet."""
        decision = self._decide(self.drawn)
        self.drawn += 1
        self.bitten += decision.bites
        if self.drawn <= WITNESSES:
            flip = -1 if decision.flip is None else decision.flip
            self._digest.update(struct.pack(">?Q?q", decision.drop, decision.delay_ns, decision.copy, flip))
        return decision

    @property
    def digest(self) -> str:
        """SHA-256 over the first decisions, the same for the same seed; empty until there were enough of them."""
        return self._digest.hexdigest() if self.drawn >= WITNESSES else ""

    def _hits(self, percent: float, index: int) -> bool:
        return uniforms(self._stream, index)[0] * _PERCENT < percent

    def _decider(self, effect: Effect) -> Callable[[int], Decision]:
        decide: Callable[[int], Decision]
        match effect:
            case Delay():
                delays = DelayDraws(effect, self._stream)
                decide = lambda _: Decision(delay_ns=delays.next())  # noqa: E731 - one of several
            case Loss():
                decide = lambda index: _DROP if self._hits(effect.percent, index) else PASS  # noqa: E731
            case Every():
                decide = lambda index: _DROP if (index + 1) % effect.nth == 0 else PASS  # noqa: E731
            case Gilbert():
                decide = _Chain(effect, self._stream).next
            case Duplicate():
                decide = lambda index: _COPY if self._hits(effect.percent, index) else PASS  # noqa: E731
            case Corrupt():
                decide = lambda index: self._corrupted(effect, index)  # noqa: E731
            case Reorder():
                decide = _Overtaking(effect, self._stream).next
            case _:
                raise TypeError(f"{type(effect).__name__} is not decided packet by packet")
        return decide

    def _corrupted(self, effect: Corrupt, index: int) -> Decision:
        chance, place = uniforms(self._stream, index)
        return Decision(flip=int(place * _FLIP_SPACE)) if chance * _PERCENT < effect.percent else PASS


class _Chain:
    """Gilbert and Elliott: first the state may change, then the state's own loss decides; it begins in the good one."""

    def __init__(self, effect: Gilbert, stream: str) -> None:
        self._effect = effect
        self._stream = stream
        self._bad = False

    def next(self, index: int) -> Decision:
        change, loss = (value * _PERCENT for value in uniforms(self._stream, index))
        if change < (self._effect.r if self._bad else self._effect.p):
            self._bad = not self._bad
        return _DROP if loss < (self._effect.bad if self._bad else self._effect.good) else PASS


class _Overtaking:
    """As netem counts it: a packet may overtake once `gap` - 1 have been held since the last that did."""

    def __init__(self, effect: Reorder, stream: str) -> None:
        self._effect = effect
        self._stream = stream
        self._held = 0
        self._late = Decision(delay_ns=effect.delay.ns)

    def next(self, index: int) -> Decision:
        chance = uniforms(self._stream, index)[0] * _PERCENT
        if self._held >= self._effect.gap - 1 and chance < self._effect.percent:
            self._held = 0
            return PASS
        self._held += 1
        return self._late


def lost_of(effect: Effect, stream: str, count: int) -> tuple[int, ...]:
    """Return which of the first `count` packets are lost, by index, for mechanisms that take a table."""
    decisions = Decisions(effect, stream)
    return tuple(index for index in range(count) if decisions.next().drop)
