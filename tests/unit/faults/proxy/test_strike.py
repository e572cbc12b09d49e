from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.faults.proxy.route import parse_route
from cleanroom.faults.proxy.strike import Bucket, Choice, Strike, answer
from cleanroom.faults.proxy.tally import SHOWN, Tally

STREAM = "ab" * 32


@pytest.mark.parametrize(
    ("route", "method", "target", "matches"),
    [
        ("*", "GET", "/", True), ("*", "OPTIONS", "*", True), ("/orders*", "POST", "/orders/1?x=/", True),
        ("POST /orders*", "POST", "/orders", True), ("POST /orders*", "GET", "/orders", False),
        ("/orders", "GET", "/orders?x=1", True), ("/orders", "GET", "/orders/", False), ("/a?c", "GET", "/abc", True),
        ("/a.c", "GET", "/abc", False), ("/x", "GET", "http://h/x?y", True), ("/x", "GET", "http://h/y", False),
        ("/*", "GET", "http://h", True),
    ],
)  # fmt: skip
def test_a_route_is_a_glob_over_paths_with_or_without_a_method(route, method, target, matches):
    assert parse_route(route).matches(method, target) is matches


def choice(kind: str, stream: str = STREAM, percent: float = 100, **parameters: object) -> tuple[Choice, Tally]:
    tally = Tally()
    return Choice(f"http.{kind}", {"route": parse_route("/a"), "percent": percent, **parameters}, stream, tally), tally


@given(st.binary(min_size=32, max_size=32), st.floats(1, 100))
def test_the_same_stream_decides_the_same_by_index(name, percent):
    (one, first), (other, second) = (choice("status", name.hex(), percent, code=500) for _ in range(2))
    for _ in range(40):
        one.decide("GET", "/a")
        # What does not match has no index.
        assert other.decide("GET", "/b") is None
        other.decide("GET", "/a")
    assert first.decisions == second.decisions
    assert len(first.decisions) == 40


def test_another_stream_decides_otherwise_and_about_the_share_is_struck():
    found = set()
    for stream in ("01" * 32, "02" * 32):
        made, tally = choice("status", stream, 30, code=500)
        struck = sum(made.decide("GET", "/a") is not None for _ in range(2000))
        assert 500 < struck < 700
        found.add(tally.decisions)
        assert len(tally.decisions) == SHOWN
    assert len(found) == 2


def test_the_first_fail_and_no_other():
    made, _ = choice("fail_first", count=3, code=500)
    found = [made.decide("GET", "/a") for _ in range(6)]
    assert [one is not None for one in found] == [True] * 3 + [False] * 3


def test_a_delay_stays_within_its_jitter_and_is_drawn():
    made, _ = choice("delay", delay_ns=10**9, jitter_ns=5 * 10**8)
    found = [made.decide("GET", "/a").delay for _ in range(50)]
    assert min(found) >= 0.5
    assert max(found) <= 1.5
    assert max(found) - min(found) > 0.5


def test_a_bucket_gives_its_burst_and_then_its_rate():
    bucket = Bucket(2.0, 3)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5), bucket.take(100.0)] == [True, False, True]
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("code", "head_only", "ends"),
    [(503, False, b"503 Service Unavailable\n"), (503, True, b"\r\n\r\n"), (204, False, b"\r\n\r\n"),
     (299, False, b"299 Unknown\n")],
)  # fmt: skip
def test_an_answer_is_a_whole_response(code, head_only, ends):
    found = answer(Strike(status=code), head_only=head_only, close=False)
    assert found.endswith(ends)
    assert (b"Content-Length" in found) == (code != 204)
