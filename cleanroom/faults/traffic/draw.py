"""Delays by packet index from a seeded stream: the same index always gets the same delay (design section 5)."""

from __future__ import annotations

import hashlib
import math
import struct

from cleanroom.faults.traffic.shape import Delay

# A float has 53 bits: with more, the largest numbers would round up to 1.
_SPARE_BITS = 11
_SCALE = float(1 << (64 - _SPARE_BITS))
_PARETO_ALPHA = 3.0
_PARETO_MEAN = _PARETO_ALPHA / (_PARETO_ALPHA - 1)
_PARETO_SIGMA = math.sqrt(_PARETO_ALPHA / ((_PARETO_ALPHA - 1) ** 2 * (_PARETO_ALPHA - 2)))


def uniforms(stream: str, index: int) -> tuple[float, float]:
    """Return two numbers in [0, 1) for packet `index`: SHA-256 over the stream's bytes and the index, big-endian."""
    block = hashlib.sha256(bytes.fromhex(stream) + struct.pack(">Q", index)).digest()
    first, second = struct.unpack(">QQ", block[:16])
    return (first >> _SPARE_BITS) / _SCALE, (second >> _SPARE_BITS) / _SCALE


def deviation(distribution: str, first: float, second: float) -> float:
    """Return a deviation with mean 0: within [-1, 1] for uniform, of standard deviation 1 for normal and pareto."""
    if distribution == "normal":
        return math.sqrt(-2.0 * math.log(1.0 - first)) * math.cos(2.0 * math.pi * second)
    if distribution == "pareto":
        return (math.pow(1.0 - first, -1.0 / _PARETO_ALPHA) - _PARETO_MEAN) / _PARETO_SIGMA
    return 2.0 * first - 1.0


class DelayDraws:
    """The delays of successive packets, in nanoseconds, never negative."""

    def __init__(self, delay: Delay, stream: str) -> None:
        self._delay = delay
        self._stream = stream
        self._index = 0
        self._previous = 0.0

    @property
    def drawn(self) -> int:
        """How many packets have had a delay."""
        return self._index

    def next(self) -> int:
        """Return the delay of the next packet."""
        index = self._index
        self._index += 1
        if not self._delay.jitter.ns:
            return self._delay.delay.ns
        weight = self._delay.correlation / 100.0
        fresh = deviation(self._delay.distribution, *uniforms(self._stream, index))
        # As netem does it: a share of the previous draw is carried over, which narrows the spread as well.
        value = fresh if index == 0 else weight * self._previous + (1.0 - weight) * fresh
        self._previous = value
        return max(0, self._delay.delay.ns + round(self._delay.jitter.ns * value))


_TRIALS = 1000


def delay_at_least(delay: Delay, share: float) -> int:
    """Return the nanoseconds that all but `share` (0 to 1) of the packets are held at least, from a fixed sample."""
    draws = DelayDraws(delay, hashlib.sha256(b"delay_at_least").hexdigest())
    return sorted(draws.next() for _ in range(_TRIALS))[int(share * _TRIALS)]
