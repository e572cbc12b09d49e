from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.plan.stream import Stream, stream_digest

NAME = stream_digest(42, "an order is stored", "slow-db", 0)


def test_golden_values_hold_on_every_platform():
    stream = Stream(NAME)
    assert NAME == "8fb8217c0f3cfd3729b075e96b6e174c050f56d37bf314ab03a2cbaf09ced56a"
    assert [stream.word_at(index) for index in range(3)] == [
        7936744956449606292,
        1385971858334672991,
        10673211416096288020,
    ]
    assert stream.uniform() == 0.43025180621230164
    assert [stream.integer(1, 6) for _ in range(8)] == [4, 5, 2, 6, 5, 4, 5, 3]
    assert stream.sample("abcdef", 3) == ("b", "c", "d")


def test_a_word_is_the_head_of_a_hash_of_name_and_counter():
    expected = hashlib.sha256(bytes.fromhex(NAME) + (7).to_bytes(8, "big")).digest()[:8]
    assert Stream(NAME).word_at(7) == int.from_bytes(expected, "big")


def test_names_that_only_concatenate_alike_are_different_streams():
    arguments = [(1, "a", "b", 1), (1, "a/b", "", 1), (1, "", "a/b", 1), (11, "a", "b", 1), (1, "a", "b", 11)]
    arguments += [(1, "ab", "", 1), (1, 'a","b', "", 1)]
    assert len({stream_digest(*each) for each in arguments}) == len(arguments)


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_part_does_not_depend_on_how_far_another_stream_has_been_read(mine, other):
    stream = Stream(NAME)
    for _ in range(mine):
        stream.uniform()
    for _ in range(other):
        stream.part("other").uniform()
    assert stream.part("targets").uniform() == Stream(NAME).part("targets").uniform()


def test_random_access_equals_drawing_in_order():
    stream = Stream(NAME)
    assert [Stream(NAME).uniform_at(index) for index in range(100)] == [stream.uniform() for _ in range(100)]


def test_floats_are_uniform():
    stream = Stream(NAME)
    floats = [stream.uniform() for _ in range(10_000)]
    assert all(0 <= value < 1 for value in floats)
    assert math.isclose(sum(floats) / len(floats), 0.5, abs_tol=0.015)
    buckets = Counter(int(value * 10) for value in floats)
    assert all(900 < buckets[bucket] < 1100 for bucket in range(10))


def test_two_streams_are_not_correlated():
    left, right = Stream(NAME), Stream(stream_digest(42, "an order is stored", "slow-db", 1))
    agreements = sum((left.uniform() < 0.5) == (right.uniform() < 0.5) for _ in range(10_000))
    assert 4800 < agreements < 5200


def test_all_permutations_are_equally_likely():
    stream = Stream(NAME)
    found = Counter(stream.sample("abc", 3) for _ in range(6000))
    assert set(found) == set(itertools.permutations("abc"))
    assert all(850 < count < 1150 for count in found.values())


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**62))
def test_integers_stay_in_their_range(low, width):
    assert low <= Stream(NAME).integer(low, low + width) <= low + width


@given(st.lists(st.integers(), unique=True, max_size=20), st.data())
def test_a_sample_has_no_repetition(items, data):
    count = data.draw(st.integers(0, len(items)))
    sample = Stream(NAME).sample(items, count)
    assert len(sample) == len(set(sample)) == count
    assert set(sample) <= set(items)


def test_integers_reject_the_words_that_would_bias_them(monkeypatch):
    words = iter([2**64 - 1, 5])
    monkeypatch.setattr(Stream, "_word", lambda _: next(words))
    assert Stream(NAME).below(3) == 2


@pytest.mark.parametrize(
    "call",
    [lambda s: s.choice([]), lambda s: s.sample("ab", 3), lambda s: s.integer(2, 1)],
    ids=["nothing", "too many", "empty range"],
)
def test_impossible_draws_are_refused(call):
    with pytest.raises(ValueError):
        call(Stream(NAME))


@pytest.mark.parametrize("name", ["", "ab", "x" * 64])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ValueError):
        Stream(name)
