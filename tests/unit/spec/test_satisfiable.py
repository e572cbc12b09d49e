from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.comparator import Comparator, judge
from cleanroom.spec.satisfiable import admits_only_zero, exclude_each_other, least, most, unsatisfiable


def of(**tests):
    return Comparator(tests=tuple((name.rstrip("_"), operand) for name, operand in tests.items()))


@pytest.mark.parametrize(
    "comparator",
    [
        of(gt=2, lt=1),
        of(gte=5, lt=5),
        of(eq=3, gt=3),
        of(between=(5, 1)),
        of(in_=(1, 2), gt=2),
        of(gt=Duration(2), lt=Duration(2)),
        of(gt=Size(2), lt=Size(2)),
        of(eq=Rate(2), lt=Rate(2)),
        of(eq="x", starts_with="y"),
        of(in_=("a", "b"), length=2),
        of(approx={"value": 10, "tolerance": "10%"}, gt=11),
    ],
)
def test_bounds_that_exclude_each_other_are_seen(comparator):
    assert unsatisfiable(comparator)


@pytest.mark.parametrize("comparator", [of(lt=0), of(gt=1, lt=2), of(eq=-1)])
def test_a_count_is_a_whole_number_from_zero(comparator):
    assert unsatisfiable(comparator, count=True)
    assert not unsatisfiable(comparator)


@pytest.mark.parametrize(
    "comparator",
    [
        of(eq=True),
        of(eq="x", ne="y"),
        of(matches="x"),
        of(in_=(1, "a")),
        of(gt="a", lt="b"),
        of(eq="2s", gt="1s"),
        of(eq=1.0, type="integer"),
        of(eq=("a",), length=1),
    ],
)
def test_what_the_bounds_do_not_tell_is_let_through(comparator):
    assert unsatisfiable(comparator) == ""


@pytest.mark.parametrize(
    ("comparator", "only"),
    [(of(eq=0), True), (of(lt=1), True), (of(lte=0), True), (of(gte=0), False), (of(in_=(0, 7)), False),
     (of(ne=0), False), (of(between=(0, 9)), False)],
)  # fmt: skip
def test_zero_alone(comparator, only):
    assert admits_only_zero(comparator) is only


_NAMES = st.sampled_from(["eq", "gt", "gte", "lt", "lte"])


@given(st.lists(st.tuples(_NAMES, st.integers(-5, 5)), min_size=1, max_size=3), st.integers(-7, 7))
def test_nothing_that_can_hold_is_called_impossible(tests, value):
    comparator = Comparator(tests=tuple(tests))
    assume(judge(comparator, value).holds)
    assert unsatisfiable(comparator) == ""
    assert value < 0 or unsatisfiable(comparator, count=True) == ""


_COUNTS = st.lists(st.tuples(_NAMES, st.integers(0, 6)), min_size=1, max_size=3).map(
    lambda tests: Comparator(tests=tuple(tests))
)


@given(_COUNTS, _COUNTS)
def test_counts_exclude_each_other_exactly_when_no_number_is_both(first, second):
    both = any(judge(first, number).holds and judge(second, number).holds for number in range(9))
    assert exclude_each_other(first, second) is not both


@given(_COUNTS)
def test_the_least_and_the_most_are_the_ends_of_what_holds(comparator):
    holding = [number for number in range(20) if judge(comparator, number).holds]
    assume(holding)
    assert least(comparator) == holding[0]
    assert most(comparator) == (None if holding[-1] == 19 else holding[-1])
