from __future__ import annotations

from fractions import Fraction

import pytest

from cleanroom.validate.invariants.content import key, number


@pytest.mark.parametrize(
    ("found", "exact"),
    [(7, 7), (1.5, Fraction(3, 2)), ("7", 7), (" 1.50\n", Fraction(3, 2)), ("-0.5", Fraction(-1, 2)), ("0", 0)],
    ids=repr,
)
def test_a_number_and_the_text_that_spells_it_are_alike(found, exact):
    assert number(found) == exact
    assert key(found) == str(Fraction(exact))


@pytest.mark.parametrize(
    ("one", "other"), [("007", "7"), ("2/4", "1/2"), ("12e4", "120000"), ("1_0", "10"), ("+7", "7"), ("\u0667", "7")]
)
def test_names_that_only_look_like_numbers_stay_apart(one, other):
    assert number(one) is None
    assert key(one) != key(other)


@pytest.mark.parametrize(
    "found", ["1e999999999", "9" * 1_000_000, "1e-999999999", None, True, [], {}, "", "nan", "inf"]
)
def test_what_is_no_number_costs_nothing(found):
    assert number(found) is None
