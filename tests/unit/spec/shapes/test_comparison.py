from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cleanroom.quantity import Duration, Rate, Size
from cleanroom.spec.comparator import COMPARISONS, Comparator, judge
from cleanroom.spec.document import plain
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.place import Place
from cleanroom.spec.shapes.record import Record, records_in
from cleanroom.spec.shapes.shape import Shape
from tests.unit.spec.shapes.reading import accepted, deferred, node_of, read

MS = 10**6
MIB = 2**20
WORDS = ("unset", "ok", "error")
VALID = [
    ("anything", "1", (("eq", 1),)),
    ("anything", "~", (("eq", None),)),
    ("anything", "{eq: [1, a]}", (("eq", (1, "a")),)),
    ("anything", "{eq: {a: [1]}}", (("eq", {"a": (1,)}),)),
    ("anything", "{gte: 200ms}", (("gte", "200ms"),)),
    ("anything", "{between: [1, 2]}", (("between", (1, 2)),)),
    ("anything", "{in: [a, 1]}", (("in", ("a", 1)),)),
    ("anything", "{contains: a, not_contains: b}", (("contains", "a"), ("not_contains", "b"))),
    ("anything", "{starts_with: a, ends_with: b}", (("starts_with", "a"), ("ends_with", "b"))),
    ("anything", "{matches: ^a}", (("matches", "^a"),)),
    ("anything", "{exists: false}", (("exists", False),)),
    ("anything", "{type: integer}", (("type", "integer"),)),
    ("anything", "{length: {gt: 2}}", (("length", Comparator(tests=(("gt", 2),))),)),
    ("anything", "{any: 1, all: {gt: 0}, none: 3}", (
        ("any", Comparator(tests=(("eq", 1),))), ("all", Comparator(tests=(("gt", 0),))),
        ("none", Comparator(tests=(("eq", 3),))),
    )),
    ("anything", "{approx: {value: 100ms, tolerance: 20ms}}", (
        ("approx", {"value": Duration(100 * MS), "tolerance": Duration(20 * MS)}),
    )),
    ("count", "2", (("eq", 2),)),
    ("count", "{not_in: [1, 2], ne: 3}", (("not_in", (1, 2)), ("ne", 3))),
    ("number", "0.5", (("eq", 0.5),)),
    ("number", "{approx: {value: 2, tolerance: 0.5}}", (("approx", {"value": 2, "tolerance": 0.5}),)),
    ("duration", "0", (("eq", Duration(0)),)),
    ("duration", "{lte: 200ms}", (("lte", Duration(200 * MS)),)),
    ("duration", '{approx: {value: 1s, tolerance: "5 %"}}', (
        ("approx", {"value": Duration(10**9), "tolerance": "5 %"}),
    )),
    ("size", "1024", (("eq", Size(1024)),)),
    ("size", "{gt: 1MiB, lt: 2m}", (("gt", Size(MIB)), ("lt", Size(2 * MIB)))),
    ("size", "{approx: {value: 4MiB, tolerance: 1MiB}}", (
        ("approx", {"value": Size(4 * MIB), "tolerance": Size(MIB)}),
    )),
    ("rate", "{between: [1mbit, 1MiB/s]}", (("between", (Rate(10**6), Rate(8 * MIB))),)),
    ("text", "netem", (("eq", "netem"),)),
    ("text", "{length: 3, in: [abc, de]}", (("length", Comparator(tests=(("eq", 3),))), ("in", ("abc", "de")))),
]  # fmt: skip


@pytest.mark.parametrize(("judged", "source", "tests"), VALID)
def test_reads_operands_as_what_is_judged(judged, source, tests):
    assert accepted(comparator(judged), source).tests == tests


def test_every_comparator_is_read_somewhere():
    assert {name for _, _, tests in VALID for name, _ in tests} == set(COMPARISONS)


@pytest.mark.parametrize(
    ("judged", "source", "code", "column"),
    [
        ("count", "{}", "empty-comparator", 2),
        ("count", "[1]", "wrong-type", 2),
        ("count", "1.5", "wrong-type", 2),
        ("count", "true", "wrong-type", 2),
        ("count", "{atleast: 1}", "unknown-comparator", 3),
        ("count", "{matches: a}", "impossible", 12),
        ("count", "{type: integer}", "impossible", 9),
        ("count", "{lt: 0}", "impossible", 2),
        ("count", "{gt: 1, lt: 2}", "impossible", 2),
        ("count", "{approx: {value: 10, tolerance: 2}, gt: 12}", "impossible", 2),
        ("number", "fast", "wrong-type", 2),
        ("number", "{any: 1}", "impossible", 8),
        ("number", "{between: [2, 1]}", "impossible", 2),
        ("number", "{between: [1]}", "wrong-type", 12),
        ("number", "{in: []}", "empty-list", 7),
        ("number", "{approx: {value: 1, tolerance: soon}}", "wrong-type", 33),
        ("number", "{approx: {value: 1, tolerance: -1}}", "wrong-value", 33),
        ("number", "{approx: {value: 1}}", "missing-key", 11),
        ("duration", "200", "wrong-value", 2),
        ("duration", "{lte: soon}", "wrong-value", 8),
        ("duration", "{gt: 2s, lt: 2s}", "impossible", 2),
        ("duration", "{approx: {value: 1s, tolerance: 2}}", "wrong-type", 34),
        ("size", "big", "wrong-value", 2),
        ("size", "1.5", "wrong-value", 2),
        ("size", "{gt: 2MiB, lt: 1MiB}", "impossible", 2),
        ("rate", "10", "wrong-value", 2),
        ("rate", "{eq: 1mbit, ne: 1mbit}", "impossible", 2),
        ("text", "1", "wrong-type", 2),
        ("text", "{gt: a}", "impossible", 7),
        ("text", "{eq: abc, starts_with: b}", "impossible", 2),
        ("text", "{in: [a, b], length: 2}", "impossible", 2),
        ("anything", "{gt: true}", "wrong-type", 7),
        ("anything", "{type: text}", "wrong-value", 9),
        ("anything", "{matches: '('}", "wrong-value", 12),
        ("anything", "{exists: 1}", "wrong-type", 11),
        ("anything", "{length: {lt: 0}}", "impossible", 11),
        ("anything", "{eq: 1, type: string}", "impossible", 2),
    ],
)
def test_refuses_what_can_not_be_or_never_holds(judged, source, code, column):
    assert read(comparator(judged), source).found == [(code, 2, column)]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("failed", "wrong-value"),
        ("{not_in: [unset, ok, error]}", "impossible"),
        ("{gt: ok}", "impossible"),
        ("1", "wrong-value"),
    ],
)
def test_words_are_all_there_can_be(source, code):
    assert read(comparator(words=WORDS), source).codes == [code]


def test_a_word_is_compared_and_the_nearest_one_named():
    assert accepted(comparator(words=WORDS), "{ne: error}").tests == (("ne", "error"),)
    assert accepted(comparator(words=WORDS), "{exists: false}").tests == (("exists", False),)
    assert read(comparator(words=WORDS), "eror").problems[0].suggestion == "did you mean error?"


def test_the_nearest_comparator_is_named():
    assert read(comparator("count"), "{gtt: 1}").problems[0].suggestion.startswith("did you mean gt")


@pytest.mark.parametrize(
    "source",
    [
        '"{{ captured }}"',
        '{eq: {id: "{{ captured }}"}}',
        '{any: "{{ captured }}"}',
        '{in: ["{{ captured }}"]}',
        '{starts_with: "{{ captured }}"}',
        '{gt: "{{ captured }}"}',
    ],
)
def test_templates_of_the_run_stand_only_where_their_names_are_known(source):
    assert read(comparator(), source).codes == ["out-of-place-name"]
    log = ProblemLog("x.cleanroom.yaml")
    comparator()(node_of(source), Place(log, "it", names=frozenset({"captured"})))
    assert log.sorted() == ()
    assert log.unavailable() == ()


@pytest.mark.parametrize("judged", ["count", "number", "duration", "size", "rate"])
def test_a_figure_is_known_before_the_run(judged):
    assert read(comparator(judged), '"{{ captured }}"').codes == ["known-too-late"]


def test_nothing_of_comparators_is_deferred():
    assert deferred(comparator(), "{gte: 1}") == []


def _expanded(part, depth=6):
    """The fragment as JSON Schema, records as objects; deeper than any operand of these tests is anything."""
    if depth == 0:
        return {}
    if isinstance(part, Shape):
        return _expanded(part.schema, depth)
    if isinstance(part, Record):
        properties = {name: _expanded(key.shape, depth - 1) for name, key in part.keys.items()}
        return {
            "type": "object", "properties": properties, "additionalProperties": False, "required": list(part.required),
            "minProperties": 1 if part.not_empty else 0,
        }  # fmt: skip
    if callable(part):
        return _expanded(part(), depth)
    if isinstance(part, dict):
        return {key: _expanded(value, depth) for key, value in part.items()}
    return [_expanded(value, depth) for value in part] if isinstance(part, list) else part


@pytest.mark.parametrize(("judged", "source", "tests"), VALID)
def test_the_schema_accepts_what_is_read(judged, source, tests):
    assert tests
    Draft202012Validator(_expanded(comparator(judged))).validate(plain(node_of(source)))


@pytest.mark.parametrize(
    ("judged", "source"),
    [("count", "{}"), ("count", "[1]"), ("count", "a"), ("count", "{atleast: 1}"), ("count", "{matches: a}"),
     ("number", "{in: []}"), ("number", "{between: [1]}"), ("duration", "200"), ("text", "1"), ("size", "big!"),
     ("number", "{approx: {value: 1}}"), ("anything", "[1]"), ("anything", "{type: text}")],
)  # fmt: skip
def test_the_schema_refuses_what_is_refused(judged, source):
    assert not Draft202012Validator(_expanded(comparator(judged))).is_valid(plain(node_of(source)))


def test_each_kind_of_comparator_is_one_record():
    assert comparator("count") is comparator("count")
    places = [record.place for record in records_in([comparator(), comparator("count"), comparator("count")])]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("judged", ["anything", "count", "number", "duration", "text", "size", "rate"])
def test_the_examples_of_every_comparator_are_read(judged):
    for record in records_in(comparator(judged)):
        for name, key in record.keys.items():
            if name not in ("value", "tolerance"):
                accepted(key.shape, key.shape.example or "1")


_BOUND = st.sampled_from(["eq", "gt", "gte", "lt", "lte"])


@given(st.dictionaries(_BOUND, st.integers(0, 5), min_size=1, max_size=3))
def test_a_count_is_refused_exactly_when_no_number_satisfies_it(tests):
    source = "{" + ", ".join(f"{name}: {bound}" for name, bound in tests.items()) + "}"
    reading = read(comparator("count"), source)
    wanted = Comparator(tests=tuple(tests.items()))
    assert (reading.codes == ["impossible"]) is not any(judge(wanted, number).holds for number in range(8))


def test_a_mapping_of_operands_cannot_be_changed():
    assert isinstance(accepted(comparator(), "{eq: {a: 1}}").tests[0][1], MappingProxyType)


@pytest.mark.parametrize(
    ("judged", "source", "suggestion"),
    [
        ("count", '{">=": 1}', "did you mean gte?"),
        ("anything", "{equals: 1}", "did you mean eq?"),
        ("anything", "{regex: ^a}", "did you mean matches?"),
        ("count", "{min: 1}", "did you mean gte?"),
        ("count", '">= 1"', "write {gte: 1}"),
        ("duration", '"< 200ms"', "write {lt: 200ms}"),
        ("number", '{gte: "99.9%"}', "99.9% are 0.999"),
    ],
)
def test_what_people_write_instead_of_a_comparator_is_told_as_one(judged, source, suggestion):
    (problem,) = read(comparator(judged), source).problems
    assert problem.suggestion == suggestion


def test_a_comparator_that_judges_nothing_here_is_not_proposed():
    (problem,) = read(comparator("count"), "{regex: ^1}").problems
    assert "matches" not in problem.suggestion


def test_a_sign_may_begin_text_that_an_attribute_equals():
    assert accepted(comparator(), '"< 5"').tests == (("eq", "< 5"),)
