"""Shapes of instants, time zones and the setting of a service's clock (spec.md section 2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cleanroom.quantity import Duration, parse_duration
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, ClockRate, ClockSetting, FrozenClock, RealClock
from cleanroom.spec.document import Scalar
from cleanroom.spec.instant import Instant, parse_instant
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, either, number, pattern_text

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

FASTEST = 1000.0
_INSTANT = "an instant such as 2025-01-01T00:00:00Z"
_OFFSET = "a duration such as 1h, or -1h for a clock that is behind"
_SIGNED = re.compile(r"([+-]?)(.+)", re.DOTALL)


def _instant(node: Node, place: Place) -> Instant:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise place.wrong(node, _INSTANT)
    try:
        return parse_instant(node.value)
    except ValueError:
        raise place.wrong(node, _INSTANT, code="wrong-value") from None


instant = Shape(
    _instant,
    _INSTANT,
    {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$"},
    example='"2025-01-01T00:00:00Z"',
)
"""An RFC 3339 instant: date, time and offset, exact to the nanosecond."""


def _offset(node: Node, place: Place) -> Duration:
    if not isinstance(node, Scalar) or isinstance(node.value, bool) or node.value is None:
        raise place.wrong(node, _OFFSET)
    match = _SIGNED.fullmatch(node.text.strip())
    try:
        size = parse_duration(match[2] if match else "").ns
    except ValueError:
        size = 0
    if match is None or not size:
        raise place.wrong(node, f"{_OFFSET}, not 0", code="wrong-value")
    return Duration(-size if match[1] == "-" else size)


offset = Shape(
    _offset,
    _OFFSET,
    {"type": "string", "pattern": r"^\s*[+-]?(\d+(\.\d+)?(ns|us|ms|s|m|h|d))+\s*$"},
    example="1h",
)
"""How far a clock is ahead; negative: behind. Zero would change nothing and is refused."""

timezone = pattern_text(
    r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}",
    "the name of a time zone such as UTC or Europe/Berlin",
    example="Europe/Berlin",
)
"""An IANA time zone by its form: whether an image knows the zone is for its own data to say."""

_SETTING = Record(
    place="services.<name>.clock",
    doc="A wall clock that does not say the machine's time. Monotonic time is never altered.",
    keys={
        "at": Key(instant, "The clock begins at this instant when the environment begins, and goes on."),
        "offset": Key(offset, "The clock is ahead of the machine's by this much; behind when negative."),
        "rate": Key(
            number(0, FASTEST, above=True),
            "The clock runs this many times as fast as the machine's, from the start of the service.",
            example="1.5",
        ),
    },
    exactly_one=("at", "offset", "rate"),
)  # fmt: skip


def _setting(fields: Fields) -> ClockSetting:
    match fields.only(_SETTING.exactly_one):
        case "at", value:
            return ClockAt(at=value)
        case "offset", value:
            return ClockOffset(offset=value)
        case _, value:
            return ClockRate(rate=value)


clock = either(
    "real, frozen, {at: …}, {offset: …} or {rate: …}",
    scalar=choice("real", "frozen").then(lambda word: RealClock() if word == "real" else FrozenClock()),
    mapping=_SETTING.into(_setting),
)
"""The setting of a service's clock."""
