from __future__ import annotations

import pytest

from cleanroom.spec.identifier import COLUMN_TYPES, unreserved


@pytest.mark.parametrize("word", ["select", "int4", "float8", "current_date", "sql_big_result", "or", "ab"])
def test_what_could_be_reserved_keeps_its_length_and_ends_otherwise(word):
    assert unreserved(word) == f"{word[:-1]}_"


@pytest.mark.parametrize("word", ["a", "a1", "order_", "int5", "a_b9"])
def test_other_names_stay(word):
    assert unreserved(word) == word


def test_each_type_stands_once():
    assert len(set(COLUMN_TYPES)) == len(COLUMN_TYPES)
