"""Durations, sizes and rates as value types with exact integer arithmetic.

Syntax of spec.md: durations `250ms`, `2s`, `1m30s`; sizes `64MiB`, `64m`, bytes; rates `1mbit`, `200kbit`, `4MiB/s`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_DURATION_UNITS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_SIZE_UNITS = {
    "": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
}  # fmt: skip
_BIT_UNITS = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = re.compile(rf"(?:{_NUMBER}(?:ns|us|ms|s|m|h|d))+")
_DURATION_PART = re.compile(rf"({_NUMBER})(ns|us|ms|s|m|h|d)")
_SIZE = re.compile(rf"({_NUMBER})\s*([a-zA-Z]*)")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in whole nanoseconds."""

    ns: int

    @property
    def seconds(self) -> float:
        """The duration in seconds, for APIs that take floats."""
        return self.ns / 10**9

    @property
    def ms(self) -> float:
        """The duration in milliseconds, for people."""
        return self.ns / 10**6

    def __str__(self) -> str:
        if self.ns and self.ns % 10**9 == 0:
            return f"{self.ns // 10**9}s"
        return f"{self.ms:g}ms"


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """A number of bytes."""

    bytes: int


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """Bits per second."""

    bits: int


def _exact(number: Fraction, what: str, text: str) -> int:
    if number.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number of {what}")
    return int(number)


def parse_duration(text: str) -> Duration:
    """Return the duration that `text` spells (`250ms`, `1m30s`); raises `ValueError` with what was expected."""
    compact = text.strip()
    if compact == "0":
        return Duration(0)
    if not _DURATION.fullmatch(compact):
        raise ValueError(f"{text!r} is not a duration such as 250ms, 2s or 1m30s")
    parts = _DURATION_PART.findall(compact)
    total = sum((Fraction(number) * _DURATION_UNITS[unit] for number, unit in parts), Fraction(0))
    return Duration(_exact(total, "nanoseconds", text))


def parse_size(value: str | int) -> Size:
    """Return the size that `value` spells (`64MiB`, `64m`, bytes); raises `ValueError`."""
    if isinstance(value, int):
        return Size(value)
    match = _SIZE.fullmatch(value.strip())
    if not match or match[2].lower() not in _SIZE_UNITS:
        raise ValueError(f"{value!r} is not a size such as 64MiB, 64m or a number of bytes")
    return Size(_exact(Fraction(match[1]) * _SIZE_UNITS[match[2].lower()], "bytes", value))


def parse_rate(text: str) -> Rate:
    """Return the rate that `text` spells (`1mbit`, `200kbit`, `4MiB/s`); raises `ValueError`."""
    compact = text.strip().lower()
    match = _SIZE.fullmatch(compact.removesuffix("/s"))
    if match and compact.endswith("/s") and match[2] in _SIZE_UNITS:
        return Rate(8 * _exact(Fraction(match[1]) * _SIZE_UNITS[match[2]], "bytes per second", text))
    if match and match[2] in _BIT_UNITS:
        return Rate(_exact(Fraction(match[1]) * _BIT_UNITS[match[2]], "bits per second", text))
    raise ValueError(f"{text!r} is not a rate such as 1mbit, 200kbit or 4MiB/s")
