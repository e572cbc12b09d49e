"""Named streams of random numbers: SHA-256 in counter mode, the same on every platform and Python version.

The definition, so that anybody can draw the same numbers:

- A stream's name is 32 bytes: SHA-256 of the RFC 8785 bytes of `["cleanroom.stream/1", seed, scenario, fault, index]`,
  where seed and index are decimal text.
- A part of a stream is a stream of its own; its name is SHA-256 of the parent's name followed by its label in UTF-8.
- Word `n` (n = 0, 1, …) is the first 8 bytes, as a big-endian integer, of SHA-256(name + n as 8 big-endian bytes).
- A float is `(word >> 11) * 2**-53`, so `0 <= float < 1`.
- An integer below `m` is `word % m`, where words of `2**64 - 2**64 % m` and above are skipped.
- A sample of `k` is the first `k` places of a Fisher-Yates shuffle from the front: place `i` is exchanged with place
  `i + below(n - i)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from cleanroom.canonical import canonical_bytes

_DEFINITION = "cleanroom.stream/1"
_WORD = 2**64
_NAME_BYTES = 32

Item = TypeVar("Item")


def stream_digest(seed: int, scenario: str, fault: str, index: int) -> str:
    """Return the name of a stream as 64 hex digits; no two argument lists share one (design section 5)."""
    return hashlib.sha256(canonical_bytes([_DEFINITION, str(seed), scenario, fault, str(index)])).hexdigest()


class Stream:
    """Random numbers that depend on the stream's name alone; each draw advances by one word, or more for integers."""

    __slots__ = ("_key", "_next")

    def __init__(self, name: str) -> None:
        """Open the stream with this name (64 hex digits) at its first word; raises `ValueError` for another text."""
        self._key = bytes.fromhex(name)
        if len(self._key) != _NAME_BYTES:
            raise ValueError(f"a stream's name is 64 hex digits, got {name!r}")
        self._next = 0

    @property
    def name(self) -> str:
        """The stream's name: 64 hex digits."""
        return self._key.hex()

    def part(self, label: str) -> Stream:
        """Return the independent stream called `label` within this one, wherever this one has got to."""
        return Stream(hashlib.sha256(self._key + label.encode()).hexdigest())

    def word_at(self, index: int) -> int:
        """Return word `index` of the stream (0 to 2**64 - 1) without advancing it."""
        return int.from_bytes(hashlib.sha256(self._key + index.to_bytes(8, "big")).digest()[:8], "big")

    def uniform_at(self, index: int) -> float:
        """Return the float made of word `index`, from 0 (included) to 1 (excluded), without advancing the stream."""
        return (self.word_at(index) >> 11) * 2.0**-53

    def uniform(self) -> float:
        """Draw a float from 0 (included) to 1 (excluded)."""
        return (self._word() >> 11) * 2.0**-53

    def below(self, limit: int) -> int:
        """Draw an integer from 0 to `limit` - 1, all equally likely; raises `ValueError` unless 1 <= limit <= 2**64."""
        if not 1 <= limit <= _WORD:
            raise ValueError(f"a limit from 1 to 2**64 is needed, got {limit}")
        unbiased = _WORD - _WORD % limit
        while (word := self._word()) >= unbiased:
            pass
        return word % limit

    def integer(self, low: int, high: int) -> int:
        """Draw an integer from `low` to `high`, both included; raises `ValueError` for an empty range."""
        return low + self.below(high - low + 1)

    def choice(self, items: Sequence[Item]) -> Item:
        """Draw one of `items`; raises `ValueError` when there is none."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[Item], count: int) -> tuple[Item, ...]:
        """Draw `count` of `items` without replacement, in order of drawing; raises `ValueError` for too many."""
        if not 0 <= count <= len(items):
            raise ValueError(f"cannot draw {count} of {len(items)}")
        pool = list(items)
        for place in range(count):
            other = place + self.below(len(pool) - place)
            pool[place], pool[other] = pool[other], pool[place]
        return tuple(pool[:count])

    def _word(self) -> int:
        word = self.word_at(self._next)
        self._next += 1
        return word
