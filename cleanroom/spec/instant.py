"""Instants: points in time as RFC 3339 text (spec.md, introduction), exact to the nanosecond."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_RFC_3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOURS = 24
_MINUTES = 60


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A point in time in whole nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted."""

    ns: int

    def __str__(self) -> str:
        seconds, rest = divmod(self.ns, 10**9)
        text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
        fraction = f".{rest:09d}".rstrip("0") if rest else ""
        return f"{text}{fraction}Z"


def parse_instant(text: str) -> Instant:
    """Return the instant that `text` spells (`2025-01-01T00:00:00Z`); raises `ValueError`.

    A date, a time and an offset are all required. A leap second (`:60`) is refused: a clock cannot be set to one.
    """
    match = _RFC_3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an instant such as 2025-01-01T00:00:00Z")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, hours, minutes = match.groups()[6:]
    if sign and (int(hours) >= _HOURS or int(minutes) >= _MINUTES):
        raise ValueError(f"{text!r} has no offset that exists")
    shift = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta(0)
    zone = timezone(-shift if sign == "-" else shift)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise ValueError(f"{text!r} is no instant of the calendar: {err}") from None
    # Subtracting aware instants is exact; the fraction stays outside, because datetime knows microseconds only.
    whole = (moment - _EPOCH) // timedelta(seconds=1)
    return Instant(whole * 10**9 + int((fraction or "").ljust(9, "0")))
