from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cleanroom.canonical import canonical_bytes
from cleanroom.clock import SystemClock
from cleanroom.quantity import Duration
from cleanroom.run.search import search
from cleanroom.run.strategy import strategy_of
from cleanroom.spec.generator import (
    BooleanGenerator,
    ChoiceWeightedGenerator,
    FloatGenerator,
    IdentifierGenerator,
    IntegerGenerator,
    ListGenerator,
    OneOfGenerator,
    SequenceGenerator,
    TableDefinitionGenerator,
    TextGenerator,
    UuidGenerator,
    WeightedChoice,
)
from cleanroom.spec.property import Property

MINUTE = Duration(60 * 10**9)
GIVEN = {"amount": IntegerGenerator(max=100_000), "who": IdentifierGenerator(max=8)}


class Frozen:
    """A clock that jumps past any budget once it is asked a second time."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 1000.0
        return self.now


def tried(check, *, examples=100, shrink=MINUTE, seed=7, clock=None, generators=GIVEN):
    seen = []

    def note(example):
        seen.append(dict(example))
        return check(example)

    wanted = Property(given=generators, examples=examples, shrink=shrink)
    return search(wanted, seed, clock or SystemClock(), note), seen


def above(example):
    return f"{example['amount']} is too much" if example["amount"] > 1000 else ""


def test_what_fails_shrinks_to_the_smallest_and_tells_how_it_failed():
    found, _ = tried(above)
    assert (found.example, found.broken) == ({"amount": 1001, "who": "a"}, "1001 is too much")
    assert not found.shrunk_out


def test_the_same_seed_tries_the_same_and_no_example_twice():
    first, seen = tried(above)
    second, again = tried(above)
    assert (first, seen) == (second, again)
    assert len({canonical_bytes(e) for e in seen}) == len(seen) == first.tried
    assert tried(above, seed=8)[1] != seen


def test_searches_beside_each_other_do_not_meet():
    found = []
    threads = [threading.Thread(target=lambda: found.append(tried(above))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(one == found[0] for one in found)


def test_what_holds_for_all_examples_tells_the_first_and_tries_as_many_as_wanted():
    found, seen = tried(lambda _example: "", examples=30)
    assert (found.broken, found.example) == ("", seen[0])
    assert 10 <= found.tried <= 30


def test_without_time_to_shrink_the_first_failure_is_told():
    found, seen = tried(above, shrink=Duration(0))
    assert found.example == seen[-1]
    assert found.broken


def test_the_time_for_shrinking_ends_it_with_what_was_found():
    found, seen = tried(above, clock=Frozen())
    assert found.shrunk_out
    assert found.example in seen
    assert above(found.example) == found.broken


def test_trouble_ends_a_search_and_is_no_counterexample():
    class Trouble(BaseException):
        pass

    def broken(_example):
        raise Trouble

    with pytest.raises(Trouble):
        tried(broken)


CASES = [
    (IntegerGenerator(min=-3, max=9), lambda v: type(v) is int and -3 <= v <= 9),
    (FloatGenerator(min=-1.5, max=1.5), lambda v: type(v) is float and -1.5 <= v <= 1.5),
    (BooleanGenerator(), lambda v: type(v) is bool),
    (TextGenerator(min=1, max=4, alphabet="ab"), lambda v: 1 <= len(v) <= 4 and set(v) <= {"a", "b"}),
    (TextGenerator(alphabet=""), lambda v: v == ""),
    (IdentifierGenerator(max=3), lambda v: v.isidentifier() and len(v) <= 3 and (len(v) == 1 or not v.isalpha())),
    (IdentifierGenerator(max=1), lambda v: len(v) == 1 and v.isalpha()),
    (OneOfGenerator(values=("eu", None, 3)), lambda v: v in ("eu", None, 3)),
    (ListGenerator(of=BooleanGenerator(), min=1, max=3), lambda v: 1 <= len(v) <= 3),
    (SequenceGenerator(start=10, step=5), lambda v: v >= 10 and v % 5 == 0),
    (UuidGenerator(), lambda v: len(v) == 36 and v[14] == "4"),
    (
        ChoiceWeightedGenerator(choices=(WeightedChoice(value="a", weight=9.0), WeightedChoice(value="b"))),
        lambda v: v in ("a", "b"),
    ),
    (
        TableDefinitionGenerator(columns=3),
        lambda v: 1 <= len(v["columns"]) <= 3 and len({c["name"] for c in v["columns"]}) == len(v["columns"]),
    ),
]


@pytest.mark.parametrize(
    ("generator", "holds"), CASES, ids=[f"{type(case[0]).__name__}-{number}" for number, case in enumerate(CASES)]
)
def test_each_generator_keeps_to_what_the_spec_says_and_makes_json(generator, holds):
    @settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy_of(generator))
    def check(value):
        assert holds(value), value
        canonical_bytes({"value": value})

    check()


def test_weights_weigh():
    choices = (WeightedChoice(value="often", weight=99.0), WeightedChoice(value="rarely", weight=1.0))
    drawn = strategy_of(ChoiceWeightedGenerator(choices=choices))
    values = set()

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(st.lists(drawn, min_size=20, max_size=20))
    def check(found):
        values.update(found)

    check()
    assert values == {"often", "rarely"}
