from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.spec.instant import Instant, parse_instant


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2025-01-01T00:00:00Z", 1735689600 * 10**9),
        ("2025-01-01t00:00:00z", 1735689600 * 10**9),
        ("2025-01-01T01:30:00+01:30", 1735689600 * 10**9),
        ("2024-12-31T19:00:00-05:00", 1735689600 * 10**9),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1969-12-31T23:59:59.5Z", -(10**9) // 2),
        ("2024-02-29T00:00:00Z", 1709164800 * 10**9),
    ],
)
def test_an_instant_is_exact_to_the_nanosecond(text, ns):
    assert parse_instant(text) == Instant(ns)


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-01", "2025-01-01T00:00:00", "2025-01-01 00:00:00Z", "2025-1-1T00:00:00Z", "2025-02-29T00:00:00Z",
        "2025-01-01T24:00:00Z", "2025-01-01T00:00:60Z", "2025-01-01T00:00:00+24:00", "2025-01-01T00:00:00+01:60",
        "2025-01-01T00:00:00.1234567890Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "now", "",
        "٢025-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_complete_instant_of_the_calendar_is_refused(text):
    with pytest.raises(ValueError, match=r"instant|offset"):
        parse_instant(text)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 999))
def test_an_instant_is_written_as_it_is_read(moment, nanoseconds):
    whole = (moment - datetime(1970, 1, 1, tzinfo=UTC)).days * 86400 * 10**9
    instant = Instant(whole + moment.microsecond * 1000 + nanoseconds)
    assert parse_instant(str(instant)) == instant
