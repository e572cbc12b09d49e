from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.trace.comparison import Change, compare, ranked
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.model import Resource, SpanKind, StatusCode, Trace
from cleanroom.trace.normalise import normalise
from cleanroom.trace.rules import NormaliseOptions
from tests.unit.trace.spans import forests, span


def normal(spans, **options):
    return normalise(Trace.of(spans), NormaliseOptions(**options))


BASE = [span("GET /", 1), span("SELECT", 2, 1, attributes={"rows": 3, "db.system": "pg"}), span("LOG", 3, 2)]


def told(left, right):
    return [(c.risk, c.kind, c.path, c.attribute, c.left, c.right) for c in compare(normal(left), normal(right))]


def but(index, **fields):
    return [replace(s, **fields) if i == index else s for i, s in enumerate(BASE)]


CASES = {
    "gone": (BASE[:1], [("high", "span gone", "GET / > SELECT (api)", "", "1", "0")]),
    "new": ([*BASE, span("INSERT", 4, 1)], [("medium", "span new", "GET / > INSERT (api)", "", "0", "1")]),
    "more": ([*BASE, span("LOG", 4, 2)], [("medium", "count", "GET / > SELECT > LOG (api)", "", "1", "2")]),
    "renamed": (
        but(2, name="LOOG"),
        [
            ("high", "span gone", "GET / > SELECT > LOG (api)", "", "1", "0"),
            ("medium", "span new", "GET / > SELECT > LOOG (api)", "", "0", "1"),
        ],
    ),
    "error": (
        but(1, status=StatusCode.ERROR),
        [("high", "errors", "GET / > SELECT (api)", "status", "0", "1")],
    ),
    "ok": (
        but(1, status=StatusCode.OK),
        [("medium", "status", "GET / > SELECT (api)", "status", '"unset"', '"ok"')],
    ),
    "kind": (
        but(1, kind=SpanKind.CLIENT),
        [("medium", "kind", "GET / > SELECT (api)", "kind", '"internal"', '"client"')],
    ),
    "service": (
        but(2, resource=Resource(attributes={"service.name": "db"})),
        [
            ("high", "span gone", "GET / > SELECT > LOG (api)", "", "1", "0"),
            ("medium", "service new", "db", "", "sends none", "sends spans"),
            ("medium", "span new", "GET / > SELECT > LOG (db)", "", "0", "1"),
        ],
    ),
    "attribute gone": (
        but(1, attributes={"rows": 3}),
        [("medium", "attribute", "GET / > SELECT (api)", "attributes.db.system", '"pg"', "(absent)")],
    ),
    "attribute new": (
        but(1, attributes={"rows": 3, "db.system": "pg", "x": True}),
        [("low", "attribute", "GET / > SELECT (api)", "attributes.x", "(absent)", "true")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_change_is_named_and_ranked(name):
    right, expected = CASES[name]
    assert told(BASE, right) == expected


def test_a_type_that_changed_is_a_change():
    ((risk, kind, _, attribute, left, right),) = told(BASE, but(1, attributes={"rows": "3", "db.system": "pg"}))
    assert (risk, kind, attribute, left != right) == ("low", "attribute", "attributes.rows", True)


def test_a_status_code_is_graver_than_another_attribute():
    one = [span("GET /", 1, attributes={"http.response.status_code": 200, "x": 1})]
    other = [span("GET /", 1, attributes={"http.response.status_code": 500, "x": 2})]
    assert [(c[0], c[3]) for c in told(one, other)] == [
        ("medium", "attributes.http.response.status_code"), ("low", "attributes.x"),
    ]  # fmt: skip


def test_a_new_span_with_an_error_is_grave():
    right = [*BASE, span("INSERT", 4, 1, status=StatusCode.ERROR)]
    assert [c[:2] for c in told(BASE, right)] == [("high", "errors"), ("medium", "span new")]


def test_the_same_spans_otherwise_combined_are_a_difference():
    one = [span("A", 1, attributes={"x": 1, "y": 1}), span("A", 2, attributes={"x": 2, "y": 2})]
    other = [span("A", 1, attributes={"x": 1, "y": 2}), span("A", 2, attributes={"x": 2, "y": 1})]
    assert [c[:2] for c in told(one, other)] == [("low", "arrangement")]


def test_other_rules_are_a_change_of_their_own():
    found = compare(normal(BASE), normal(BASE, drop=("rows",)))
    assert "rules" in {c.kind for c in found}


def test_ids_and_times_are_no_change():
    moved = [replace(s, start_ns=s.start_ns + 10**9, end_ns=s.end_ns + 2 * 10**9, trace_id="bb" * 16) for s in BASE]
    assert told(BASE, moved) == []


def test_a_deep_trace_is_compared_and_its_path_bounded():
    deep = [span("s", n, n - 1) for n in range(1, 3000)]
    (change,) = compare(normal(deep), normal([*deep, span("t", 3000, 2999)]))
    assert (change.kind, len(change.path) < 300, change.path[0]) == ("span new", True, "…")


@given(forests(), forests())
def test_no_change_is_told_exactly_where_digests_are_equal(one, other):
    left, right = normal(one), normal(other)
    assert (compare(left, right) == ()) == (trace_digest(left) == trace_digest(right))


@given(st.permutations(BASE))
def test_the_order_of_spans_changes_nothing(spans):
    assert told(BASE, spans) == []
    assert told(spans, CASES["error"][0]) == CASES["error"][1]


def test_ranking_puts_the_gravest_first_and_tells_each_once():
    low, high = Change(risk="low", kind="a", path=""), Change(risk="high", kind="z", path="")
    assert ranked((low, high, low)) == (high, low)
