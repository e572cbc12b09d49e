from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.clock_setting import ClockAt, ClockOffset, ClockRate, FrozenClock, RealClock
from cleanroom.spec.instant import Instant
from cleanroom.spec.shapes.clock import clock, instant, offset, timezone
from tests.unit.spec.shapes.reading import accepted, deferred, read

HOUR = 3600 * 10**9


@pytest.mark.parametrize(
    ("source", "setting"),
    [
        ("real", RealClock()),
        ("frozen", FrozenClock()),
        ('{at: "2025-01-01T00:00:00Z"}', ClockAt(at=Instant(1735689600 * 10**9))),
        ("{at: 2025-01-01T00:00:00Z}", ClockAt(at=Instant(1735689600 * 10**9))),
        ("{offset: 1h}", ClockOffset(offset=Duration(HOUR))),
        ("{offset: -1h30m}", ClockOffset(offset=Duration(-HOUR * 3 // 2))),
        ("{offset: +5ms}", ClockOffset(offset=Duration(5 * 10**6))),
        ("{rate: 1.5}", ClockRate(rate=1.5)),
    ],
)
def test_a_clock_says_one_of_five_times(source, setting):
    assert accepted(clock, source) == setting


@pytest.mark.parametrize("source", ["real", "frozen", "{rate: 2}", "{offset: 1s}", "{at: 2025-01-01T00:00:00Z}"])
def test_run_carries_out_each_of_them(source):
    assert deferred(clock, source) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("fake", [("wrong-value", 2, 2)]),
        ("true", [("wrong-value", 2, 2)]),
        ("[real]", [("wrong-type", 2, 2)]),
        ("{}", [("one-of", 2, 2)]),
        ("{rate: 1, offset: 1s}", [("one-of", 2, 12)]),
        ("{rate: 0}", [("wrong-value", 2, 9)]),
        ("{rate: 1001}", [("wrong-value", 2, 9)]),
        ("{rate: fast}", [("wrong-type", 2, 9)]),
        ("{offset: 0s}", [("wrong-value", 2, 11)]),
        ("{offset: --1s}", [("wrong-value", 2, 11)]),
        ("{offset: soon}", [("wrong-value", 2, 11)]),
        ("{offset: true}", [("wrong-type", 2, 11)]),
        ("{offset: }", [("wrong-type", 2, 3)]),
        ("{at: 5}", [("wrong-type", 2, 7)]),
        ("{at: 2025-01-01}", [("wrong-value", 2, 7)]),
        ("{speed: 1}", [("unknown-key", 2, 3), ("one-of", 2, 2)]),
    ],
)
def test_what_no_clock_says_is_refused_where_it_stands(source, found):
    reading = read(clock, source)
    assert sorted(reading.found) == sorted(found)
    assert reading.value is None


def test_a_misspelt_word_is_recognised():
    assert read(clock, "freezed").problems[0].suggestion == "did you mean frozen?"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "EST5EDT"])
def test_a_time_zone_is_taken_by_its_form(zone):
    assert accepted(timezone, zone) == zone


@pytest.mark.parametrize("zone", ["../etc/passwd", "/etc/localtime", "a/b/c/d", "Europe/", "Europe Berlin", '"+02:00"'])
def test_what_cannot_be_a_zone_is_refused(zone):
    assert read(timezone, zone).found == [("wrong-value", 2, 2)]


@pytest.mark.parametrize("shape", [instant, offset])
def test_a_template_of_the_run_comes_too_late(shape):
    assert read(shape, '"{{ replica }}"').codes == ["known-too-late"]
