from __future__ import annotations

import pytest

from cleanroom.drive.service_clock import ask_clock, clock_reading
from cleanroom.quantity import Duration
from tests.fakes import result
from tests.unit.drive.scenes import reach_of
from tests.unit.drive.test_ask import world

SECOND = 10**9


@pytest.mark.parametrize(
    ("said", "reading"),
    [
        ("1700000000 000000123\n", (1700000000 * SECOND + 123, 1)),
        ("1700000000 %N\n", (1700000000 * SECOND, SECOND)),
        ("1700000000 \n", (1700000000 * SECOND, SECOND)),
        ("1700000000\n", (1700000000 * SECOND, SECOND)),
        ("today\n", None),
        ("", None),
    ],
)
def test_a_reading_has_the_resolution_of_its_date(said, reading):
    assert clock_reading(said) == reading


def put(say):
    engine = world()
    reach = reach_of({"db": ("c", "")}, engine)
    engine.answer = lambda *_: result(stdout=say(reach.clock.now_ns()).encode())
    return ask_clock(reach, "db", Duration(10 * SECOND), "tp")


@pytest.mark.parametrize("off", [-3600, 3600])
def test_the_offset_has_no_sign(off):
    found = put(lambda now: "{} {:09}".format(*divmod(now + off * SECOND, SECOND)))
    assert isinstance(found.value, Duration)
    assert 3590 < found.value.seconds < 3610


def test_whole_seconds_are_no_offset_of_their_own():
    assert put(lambda now: f"{now // SECOND} %N").value.seconds < 10
    assert put(lambda now: f"{now // SECOND - 60} %N").value.seconds > 50


def test_a_container_without_date_says_so():
    engine = world()
    engine.answer = lambda *_: result(127)
    found = ask_clock(reach_of({"db": ("c", "")}, engine), "db", Duration(SECOND), "tp")
    assert (found.present, found.error_type) == (False, "not_found")
