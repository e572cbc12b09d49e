from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.retry import is_tried_again, pauses, retry_stream
from cleanroom.quantity import Duration
from cleanroom.spec.retry import Retry

MS = 10**6


def first(retry: Retry, count: int = 5, seed: int = 42) -> list[float]:
    return [pause.ms for pause in itertools.islice(pauses(retry, retry_stream(seed, "s", "a")), count)]


def test_pauses_grow_by_the_factor_up_to_the_longest():
    retry = Retry(attempts=9, initial=Duration(100 * MS), factor=3, max=Duration(1000 * MS))
    assert first(retry) == [100, 300, 900, 1000, 1000]


def test_jitter_is_drawn_from_the_seed():
    retry = Retry(attempts=9, jitter=0.5)
    assert first(retry) == first(retry)
    assert first(retry) != first(retry, seed=43)
    plain = first(Retry(attempts=9))
    assert all(whole / 2 <= drawn <= whole for drawn, whole in zip(first(retry), plain, strict=True))


@given(st.floats(1, 100), st.floats(0, 1), st.integers(1, 10**12), st.integers(0, 10**12))
def test_no_pause_is_longer_than_the_longest(factor, jitter, initial, more):
    retry = Retry(attempts=1000, initial=Duration(initial), factor=factor, max=Duration(initial + more), jitter=jitter)
    found = list(itertools.islice(pauses(retry, retry_stream(1, "s", "a")), 50))
    assert all(0 <= pause.ns <= initial + more for pause in found)


@pytest.mark.parametrize(
    ("on", "error", "allow", "again"),
    [
        ((), "timeout", (), True),
        ((), "", (), False),
        ((), "timeout", ("timeout",), False),
        (("timeout",), "timeout", ("timeout",), True),
        (("tls",), "timeout", (), False),
        (("tls",), "", (), False),
    ],
)
def test_what_is_tried_again(on, error, allow, again):
    assert is_tried_again(Retry(attempts=2, on=on), error, allow) is again
