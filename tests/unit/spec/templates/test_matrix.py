from __future__ import annotations

import pytest

from cleanroom.spec.document import decode, read_document
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.templates.matrix import combinations, label


def expand(source, size=10):
    log = ProblemLog("x.yaml")
    matrix = read_document(decode(f"matrix: {source}\n".encode(), log), log).get("matrix")
    found = combinations(matrix, size, log)
    return None if found is None else [dict(combination) for combination in found], log.sorted()


def test_without_a_matrix_there_is_one_combination_without_values():
    assert [dict(c) for c in combinations(None, 10, ProblemLog("x.yaml"))] == [{}]


def test_the_axes_multiply_in_the_order_of_the_file():
    found, problems = expand("{a: [1, 2], b: [x, y]}")
    assert problems == ()
    assert [label(c) for c in found] == ["a=1, b=x", "a=1, b=y", "a=2, b=x", "a=2, b=y"]


def test_an_exclude_matches_in_part_and_by_type():
    assert expand("{a: [1, 2], b: [x, y], exclude: [{a: 1}, {a: 2, b: x}]}")[0] == [{"a": 2, "b": "y"}]
    _, problems = expand("{a: [1, 2], exclude: [{a: '1'}]}")
    assert [(p.code, p.at.column) for p in problems] == [("impossible", 31)]


def test_an_include_merges_without_changing_original_values_or_adds_a_combination():
    """The example of the workflow documentation, step by step."""
    found, problems = expand(
        "{fruit: [apple, pear], animal: [cat, dog], include: [{color: green}, {color: pink, animal: cat}, "
        "{fruit: apple, shape: circle}, {fruit: banana}, {fruit: banana, animal: cat}]}"
    )
    assert problems == ()
    assert found == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_a_matrix_of_includes_only_has_one_instance_for_each():
    assert expand("{include: [{a: 1}, {a: 2, b: x}]}") == ([{"a": 1}, {"a": 2, "b": "x"}], ())


def test_what_was_excluded_can_be_included_again():
    assert expand("{a: [1, 2], exclude: [{a: 1}], include: [{a: 1, b: 3}]}")[0] == [{"a": 2}, {"a": 1, "b": 3}]


@pytest.mark.parametrize(
    ("source", "code", "column"),
    [
        ("3", "wrong-type", 9),
        ("{}", "empty-list", 9),
        ("{a: []}", "empty-list", 13),
        ("{a: 1}", "wrong-type", 13),
        ("{a: [[1]]}", "wrong-type", 14),
        ("{a: [null]}", "wrong-type", 14),
        ("{a: [1], include: []}", "empty-list", 27),
        ("{a: [1], exclude: [{}]}", "empty-list", 28),
        ("{a: [1], exclude: [{b: 1}]}", "unknown-axis", 29),
        ("{a: [1, 2], exclude: [{a: 3}]}", "impossible", 31),
        ("{a: [1], exclude: [{a: 1}]}", "impossible", 9),
        ("{exclude: [{a: 1}]}", "unknown-axis", 21),
        ("{a: [1], include: [{a: 1}]}", "impossible", 28),
        ("{include: [{a: 1}, {a: 1}]}", "impossible", 28),
        ("{a: [1, '1']}", "duplicate-value", 17),
        ("{'a b': [1]}", "wrong-value", 10),
        ('{a: ["x\\ny"]}', "wrong-value", 14),
        ("{a: ['']}", "wrong-value", 14),
        ("{a: [1, 2, 3], b: [1, 2, 3], c: ['" + "x" * 101 + "']}", "wrong-value", 42),
    ],
)
def test_what_is_wrong_with_a_matrix_is_told_at_its_place(source, code, column):
    found, problems = expand(source)
    assert found is None
    assert [(p.code, p.at.column) for p in problems] == [(code, column)]


def test_the_number_of_instances_is_bounded_also_by_the_size_of_the_file():
    numbers = ", ".join(map(str, range(17)))
    found, problems = expand(f"{{a: [{numbers}], b: [{numbers}]}}")
    assert (found, [p.code for p in problems], problems[0].got) == (None, ["too-many-values"], "289")
    axes = ", ".join(f"a{i}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for i in range(60))
    assert [p.code for p in expand(f"{{{axes}}}")[1]] == ["too-many-values"]
    assert [p.expected for p in expand("{a: [1, 2, 3, 4, 5]}", 100_000)[1]] == [
        "1 to 4 combinations of a file of this size"
    ]
    assert len(expand("{a: [1, 2, 3, 4]}", 100_000)[0]) == 4
