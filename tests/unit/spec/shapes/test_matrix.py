from __future__ import annotations

import pytest

from cleanroom.spec.shapes.matrix import matrix
from tests.unit.spec.shapes.reading import read


@pytest.mark.parametrize(
    "source",
    [
        '{postgres: ["15", "17"], tls: [true, false], n: [1, 2.5]}',
        "{a: [1], include: [{a: 2, b: x}], exclude: [{a: 1}]}",
    ],
)
def test_a_matrix_is_lists_of_values_by_name(source):
    assert read(matrix, source).problems == ()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{}", ("empty-list", 2, 2)),
        ("[a]", ("wrong-type", 2, 2)),
        ("{a: 1}", ("wrong-type", 2, 6)),
        ("{a: []}", ("empty-list", 2, 6)),
        ("{a: [[1]]}", ("wrong-type", 2, 7)),
        ("{a: [null]}", ("wrong-type", 2, 7)),
        ("{a: [1], include: {a: 1}}", ("wrong-type", 2, 20)),
        ("{a: [1], exclude: [{}]}", ("empty-list", 2, 21)),
        ("{a: [1], exclude: [{a: [1]}]}", ("wrong-type", 2, 25)),
    ],
)
def test_any_other_form_is_refused_where_it_stands(source, found):
    assert read(matrix, source).found == [found]
