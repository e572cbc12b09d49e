from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.spec.compose.dotenv import DotenvError, read_dotenv, values_of
from cleanroom.spec.compose.interpolation import InterpolationError, interpolate

VARIABLES = {"SET": "value", "EMPTY": "", "OTHER": "other"}


def fill(text):
    unset = []
    return interpolate(text, VARIABLES.get, unset.append), unset


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$SET", "value"),
        ("a${SET}b", "avalueb"),
        ("$SET-$OTHER", "value-other"),
        ("${SET:-x}", "value"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${NONE-x}", "x"),
        ("${NONE:-}", ""),
        ("${SET:+alt}", "alt"),
        ("${EMPTY:+alt}", ""),
        ("${EMPTY+alt}", "alt"),
        ("${NONE+alt}", ""),
        ("${SET:?must}", "value"),
        ("${EMPTY?must}", ""),
        ("${NONE:-${OTHER}}", "other"),
        ("${NONE:-${ALSO:-deep}}", "deep"),
        ("${NONE:-a$$b}", "a$b"),
        ("$$SET", "$SET"),
        ("$${SET}", "${SET}"),
        ("$$$SET", "$value"),
        ("${NONE:-{x}}", "{x}"),
    ],
)
def test_every_form_of_a_variable_is_replaced(text, filled):
    assert fill(text) == (filled, [])


def test_a_variable_without_value_and_default_is_empty_and_named():
    assert fill("a${NONE}b$ALSO") == ("ab", ["NONE", "ALSO"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$", "write $$"),
        ("costs 5$", "write $$"),
        ("$1", "write $$"),
        ("${", "has no end"),
        ("${SET", "has no end"),
        ("${}", "names no variable"),
        ("${1X}", "names no variable"),
        ("${SET!x}", "no form of a variable"),
        ("${SET/a/b}", "no form of a variable"),
        ("${NONE:?say why}", "NONE must be set: say why"),
        ("${EMPTY:?}", "EMPTY must be set"),
        ("${NONE?}", "NONE must be set"),
    ],
)
def test_what_is_no_variable_is_refused(text, message):
    with pytest.raises(InterpolationError, match=re.escape(message)):
        fill(text)


def test_variables_nested_without_end_are_refused():
    with pytest.raises(InterpolationError, match="nested"):
        fill("${N:-" * 50 + "x" + "}" * 50)


@given(st.text())
def test_doubled_dollars_give_the_text_back(text):
    assert fill(text.replace("$", "$$")) == (text, [])


@given(st.text("${}:-?+AB"))
def test_any_text_is_filled_or_refused(text):
    with contextlib.suppress(InterpolationError):
        filled, _ = fill(text)
        assert isinstance(filled, str)


def dotenv(text, **outer):
    return values_of(read_dotenv(text, outer.get))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("A = b", "b"),
        ("A=", ""),
        ("A= ", ""),
        ("A=b # c", "b"),
        ("A=b#c", "b#c"),
        ("A=#c", ""),
        ("A='$X # y'", "$X # y"),
        ('A="b # c" # d', "b # c"),
        ('A="b\\nc"', "b\nc"),
        ('A="b\nc"', "b\nc"),
        ('A="${X}"', "x"),
        ("A=$X/y", "x/y"),
        ('A="\\$X"', "$X"),
        ("A: b", "b"),
    ],
)
def test_a_line_of_an_env_file(line, value):
    assert dotenv(line, X="x") == {"A": value}


def test_a_variable_sees_those_above_it_first():
    assert dotenv("X=inner\nA=$X", X="outer") == {"X": "inner", "A": "inner"}


def test_a_name_alone_has_no_value():
    assert read_dotenv("\n# c\nA\n", {}.get)["A"].value is None
    assert dotenv("A") == {}


@pytest.mark.parametrize(("text", "line"), [("A b", 1), ("\n=x", 2), ("A='x", 1), ("A=$", 1), ("1A=x", 1)])
def test_a_line_that_is_no_assignment_is_named(text, line):
    with pytest.raises(DotenvError) as caught:
        read_dotenv(text, {}.get)
    assert caught.value.line == line


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(DotenvError):
        assert all(one.line >= 1 for one in read_dotenv(text, {}.get).values())
