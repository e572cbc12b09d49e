from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.quantity import Duration, parse_duration, parse_rate, parse_size


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("250ms", 250 * 10**6),
        ("2s", 2 * 10**9),
        ("1m30s", 90 * 10**9),
        ("1.5s", 1_500_000_000),
        ("1h", 3600 * 10**9),
        ("1d", 86400 * 10**9),
        ("7us", 7000),
        ("3ns", 3),
        ("0", 0),
        (" 1s ", 10**9),
    ],
)
def test_durations(text, ns):
    assert parse_duration(text) == Duration(ns)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-1s", "1 s", "1S", "1s ago", "0.5ns", "1e3s", "1s1", "inf", "9" * 5000 + "s"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MiB", 2**26),
        ("64m", 2**26),
        ("64M", 2**26),
        ("1kb", 1000),
        ("1.5KiB", 1536),
        ("12", 12),
        (13, 13),
        ("2GiB", 2**31),
    ],
)
def test_sizes(text, size):
    assert parse_size(text).bytes == size


@pytest.mark.parametrize("text", ["", "MiB", "10 apples", "-5", "1.5", "0.3b"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("1mbit", 10**6), ("200kbit", 200_000), ("4MiB/s", 4 * 2**20 * 8), ("1.5kbit", 1500), ("8b/s", 64)],
)
def test_rates(text, bits):
    assert parse_rate(text).bits == bits


@pytest.mark.parametrize("text", ["", "1", "4MiB", "-1mbit", "fast"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_rate(text)


@given(st.integers(0, 2**62), st.sampled_from(["ns", "us", "ms", "s"]))
def test_durations_are_exact(number, unit):
    scale = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[unit]
    assert parse_duration(f"{number}{unit}").ns == number * scale


@given(st.integers(0, 2**62))
def test_a_duration_is_shown_so_that_whole_seconds_read_back(ns):
    duration = Duration(ns - ns % 10**9)
    assert parse_duration(str(duration).replace("0ms", "0")) == duration
