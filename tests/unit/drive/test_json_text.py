from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.drive.json_text import parsed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ('{"a": [1, 2.5, true]}', {"a": [1, 2.5, True]}),
        ("18446744073709551616", 2**64),
        ('"\\ud83d\\ude00"', "\U0001f600"),
    ],
)
def test_json_is_read(text, value):
    assert parsed(text) == (value, True)


@pytest.mark.parametrize(
    "text",
    ["", "a", "NaN", '{"a": Infinity}', "-Infinity", "[1e999]", '"\\ud800"', "[" * 200_000, "1" * 5_000, "{} {}"],
)
def test_what_is_no_json_is_none_and_raises_nothing(text):
    assert parsed(text) == (None, False)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_what_json_writes_is_read_back(value):
    assert parsed(json.dumps(value)) == (value, True)


@given(st.text())
def test_no_text_raises(text):
    assert len(parsed(text)) == 2
