from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.quantity import Duration
from cleanroom.spec.comparator import (
    COMPARISONS,
    Comparator,
    allows_zero,
    at_least_one,
    describe,
    equal_to,
    judge,
)


def one(name, operand):
    return Comparator(tests=((name, operand),))


MS = 10**6
APPROX = MappingProxyType({"value": 100, "tolerance": "5%"})
APPROX_TIME = MappingProxyType({"value": Duration(100 * MS), "tolerance": Duration(10 * MS)})
HOLDS = [
    ("eq", 1, 1.0),
    ("eq", "a", "a"),
    ("eq", True, True),
    ("eq", None, None),
    ("eq", (1, "a"), [1.0, "a"]),
    ("eq", MappingProxyType({"a": 1}), {"a": 1}),
    ("ne", "a", "b"),
    ("ne", None, 0),
    ("gt", 1, 2),
    ("gte", 2, 2),
    ("lt", 2, 1.5),
    ("lte", 2, 2.0),
    ("gt", "a", "b"),
    ("lte", "200ms", Duration(200 * MS)),
    ("lte", Duration(200 * MS), Duration(1)),
    ("between", (1, 3), 3),
    ("between", (1, 3), 1),
    ("in", (1, "a"), "a"),
    ("not_in", (1, 2), 3),
    ("contains", "b", "abc"),
    ("contains", 2, [1, 2]),
    ("contains", "k", {"k": 1}),
    ("not_contains", "x", "abc"),
    ("not_contains", 3, (1, 2)),
    ("starts_with", "GET", "GET /"),
    ("ends_with", "/", "GET /"),
    ("matches", "^G.T", "GET /"),
    ("exists", True, None),
    ("type", "integer", 1),
    ("type", "number", 1),
    ("type", "number", 1.5),
    ("type", "string", ""),
    ("type", "array", ()),
    ("type", "boolean", True),
    ("type", "null", None),
    ("type", "duration", Duration(1)),
    ("length", 3, "abc"),
    ("length", one("gt", 1), [1, 2]),
    ("any", equal_to(2), [1, 2]),
    ("all", one("gt", 0), [1, 2]),
    ("none", equal_to(3), [1, 2]),
    ("none", equal_to(3), []),
    ("approx", APPROX, 105),
    ("approx", APPROX, 95),
    ("approx", APPROX_TIME, Duration(110 * MS)),
]
BREAKS = [
    ("eq", 1, 2),
    ("eq", 1, True),
    ("eq", True, 1),
    ("eq", 1, "1"),
    ("eq", "x", None),
    ("eq", None, 0),
    ("eq", 2**63 - 1, float(2**63)),
    ("eq", float(2**53), 2**53 + 1),
    ("ne", "a", "a"),
    ("ne", "a", 3),
    ("ne", 5, float("nan")),
    ("gt", 2, 2),
    ("gt", 1, "2"),
    ("gte", True, True),
    ("lt", 1, None),
    ("lte", 5, Duration(1)),
    ("lte", "soon", Duration(1)),
    ("between", (1, 3), 4),
    ("in", (1, 2), "a"),
    ("in", (1, 2), 3),
    ("not_in", (1, 2), "a"),
    ("not_in", (1, 2), 2),
    ("contains", "x", "abc"),
    ("contains", 3, "abc"),
    ("contains", 1, 1),
    ("not_contains", "a", "abc"),
    ("not_contains", "a", 3),
    ("starts_with", "x", "GET"),
    ("ends_with", "x", 3),
    ("matches", "^x", "GET"),
    ("exists", False, 3),
    ("type", "integer", True),
    ("type", "integer", 1.0),
    ("type", "string", b""),
    ("length", 2, "abc"),
    ("length", 2, 5),
    ("any", equal_to(3), [1]),
    ("any", equal_to(3), "3"),
    ("all", one("gt", 0), []),
    ("all", one("gt", 1), [1, 2]),
    ("none", equal_to(1), [1]),
    ("approx", APPROX, 105.1),
    ("approx", APPROX, "100"),
    ("approx", APPROX_TIME, Duration(111 * MS)),
    ("approx", APPROX_TIME, 100),
]


@pytest.mark.parametrize(("name", "operand", "value"), HOLDS)
def test_holds_and_gives_no_reason(name, operand, value):
    judgement = judge(one(name, operand), value)
    assert (judgement.holds, judgement.reason) == (True, "")


@pytest.mark.parametrize(("name", "operand", "value"), BREAKS)
def test_breaks_and_says_why(name, operand, value):
    judgement = judge(one(name, operand), value)
    assert judgement.holds is False
    assert judgement.reason


def test_every_comparator_of_the_table_is_seen_to_hold_and_to_break():
    assert {name for name, _, _ in HOLDS} == {name for name, _, _ in BREAKS} == set(COMPARISONS)


@pytest.mark.parametrize("name", [name for name in COMPARISONS if name != "exists"])
def test_an_absent_value_breaks_everything_but_exists_false(name):
    operand = next(operand for n, operand, _ in HOLDS if n == name)
    assert judge(one(name, operand), None, present=False).holds is False


def test_exists_tells_absence():
    assert judge(Comparator(tests=(("exists", False),)), None, present=False).holds is True
    assert judge(Comparator(tests=(("exists", True),)), None, present=False).reason == "expected a value, found none"


@pytest.mark.parametrize(
    ("comparator", "value", "reason"),
    [
        (one("gte", 3), 1, "expected >= 3, found 1"),
        (one("gte", 3), "x", 'cannot compare text with a number: found "x"'),
        (equal_to("ok"), "error", 'expected "ok", found "error"'),
        (one("lte", Duration(200 * MS)), Duration(250 * MS), "expected <= 200ms, found 250ms"),
        (one("approx", APPROX), 120, "expected about 100 ± 5%, found 120"),
        (equal_to("x"), "\x1b[31m", 'expected "x", found "\\u001b[31m"'),
    ],
)
def test_reasons_read_well(comparator, value, reason):
    assert judge(comparator, value).reason == reason


def test_several_tests_must_all_hold_and_the_first_broken_one_is_named():
    both = Comparator(tests=(("gte", 1), ("lt", 5)))
    assert describe(both) == ">= 1 and < 5"
    assert judge(both, 3).holds is True
    assert judge(both, 5).reason == "expected < 5, found 5"


def test_zero_is_allowed_only_where_it_satisfies():
    assert not allows_zero(at_least_one())
    assert allows_zero(equal_to(0))
    assert not allows_zero(equal_to("x"))


def test_long_values_are_shortened():
    assert len(judge(equal_to("x"), "y" * 10_000).reason) < 300


_NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))


@given(_NUMBERS, _NUMBERS)
def test_exactly_one_of_less_equal_and_greater_holds(value, operand):
    held = [judge(one(name, operand), value).holds for name in ("lt", "eq", "gt")]
    assert held.count(True) == 1
    assert judge(one("ne", operand), value).holds is not held[1]


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_exact_to_64_bits(value):
    assert judge(equal_to(value), value).holds is True
    assert judge(equal_to(value), value + 1).holds is False


_ANYTHING = st.one_of(
    st.none(), st.booleans(), _NUMBERS, st.text(max_size=8), st.binary(max_size=4), st.lists(st.integers(), max_size=3)
)


@given(_ANYTHING, st.one_of(st.none(), st.booleans(), _NUMBERS, st.text(max_size=8)))
def test_judging_never_raises_and_a_reason_stands_exactly_where_it_breaks(value, operand):
    for name in ("eq", "ne", "gt", "gte", "lt", "lte", "contains", "not_contains", "starts_with", "ends_with"):
        judgement = judge(one(name, operand), value)
        assert judgement.holds is (judgement.reason == "")
