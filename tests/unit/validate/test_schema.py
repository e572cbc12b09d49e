from __future__ import annotations

import math

import pytest

from cleanroom.spec.attribute_schema import AttributeSchema
from cleanroom.spec.shapes.attribute_schema import attribute_schema
from cleanroom.validate.schema import schema_breach
from cleanroom.validate.spans import judge_spans
from tests.unit.spec.shapes.reading import accepted
from tests.unit.validate.builders import findings, rules, scene, span, want

BIG = 2**63 - 1
# schema, values that fit, values that break it
SCHEMAS = [
    ("{type: string}", ("", "a"), (1, True, 1.5, ("a",), b"a", None, {"a": 1})),
    ("{type: integer}", (0, -1, BIG), ("1", True, 1.0, (1,), None)),
    ("{type: number}", (0, 1.5, BIG), ("1", False, (1.5,), None)),
    ("{type: boolean}", (True, False), (0, 1, "true", None)),
    ("{type: array}", ((), ("a", 1)), ("a", 1, {"a": 1}, None)),
    ("{type: [integer, string]}", (1, "1"), (1.5, True)),
    ("{const: eu}", ("eu",), ("EU", 1, None)),
    ("{const: 1}", (1, 1.0), (True, "1", 2)),
    ("{const: true}", (True,), (1, False, "true")),
    ("{const: [1, [two, true]]}", ((1, ("two", True)),), ((1, "two", True), (1, ("two", 1)), ())),
    ("{enum: [eu, us]}", ("eu", "us"), ("", "eu ", 1)),
    ('{enum: [200, "200"]}', (200, "200", 200.0), (201, True)),
    ("{minimum: 3}", (3, 3.0, BIG), (2, 2.999, "3", True, math.nan, None)),
    ("{maximum: 3}", (3, -BIG), (4, 3.0001, "3", False, math.nan)),
    (f"{{maximum: {BIG - 1}}}", (BIG - 1,), (BIG,)),
    ("{exclusiveMinimum: 0}", (1, 0.001), (0, 0.0, -1, "1")),
    ("{exclusiveMaximum: 1}", (0.999, 0), (1, 1.0, "0")),
    ("{multipleOf: 5}", (0, 5, -10, 5.0), (1, 5.5, "5", math.inf, math.nan)),
    ("{multipleOf: 0.1}", (0.3, 1, 0.7), (0.35, "0.1")),
    ("{minLength: 2}", ("ab", "äö"), ("a", "", 12, ("a", "b"))),
    ("{maxLength: 2}", ("", "äö"), ("abc", 1, b"a")),
    ('{pattern: "^/"}', ("/", "/a"), ("a/", 1)),
    ("{minItems: 1}", ((1,),), ((), "a", 1)),
    ("{maxItems: 1}", ((), (1,)), ((1, 2), "a")),
    ("{items: {type: string}}", ((), ("a", "b")), (("a", 1), "a")),
    ("{items: {items: {type: integer}}}", (((1, 2), (3,)),), (((1, "2"),), (1,))),
    ("{type: [string, integer], maximum: 3}", ("ten", 3), (4,)),
    ("{type: integer, minimum: 1, maximum: 3}", (1, 3), (0, 4, 2.0)),
]
FITS = [pytest.param(schema, value, id=f"{schema} {value!r}") for schema, fit, _ in SCHEMAS for value in fit]
BREAKS = [pytest.param(schema, value, id=f"{schema} {value!r}") for schema, _, broken in SCHEMAS for value in broken]


def breach(schema, attributes):
    return schema_breach({"k": accepted(attribute_schema, schema)}, attributes)


@pytest.mark.parametrize(("schema", "value"), FITS)
def test_a_value_that_fits_its_schema_breaks_nothing(schema, value):
    assert breach(schema, {"k": value}) == ""


@pytest.mark.parametrize(("schema", "value"), BREAKS)
def test_a_value_that_does_not_fit_is_told_with_its_name(schema, value):
    assert breach(schema, {"k": value}).startswith("k: ")


@pytest.mark.parametrize(("schema", "value", "told"), [
    ("{maximum: 3}", 4, "k: expected maximum 3, found 4"),
    ("{maximum: 3}", "4", 'k: maximum is about a number, and this is text: found "4"'),
    ("{type: integer}", "4", 'k: expected integer, found "4"'),
    ("{enum: [eu, us]}", "ru", 'k: expected one of ["eu", "us"], found "ru"'),
    ("{minLength: 2}", "a", "k: expected minLength 2, found 1 character"),
    ("{items: {type: string}}", ("a", 1), "k: element 1: expected string, found 1"),
    ("{minimum: 3, multipleOf: 2}", 1, "k: expected minimum 3, found 1, k: expected a multiple of 2, found 1"),
])  # fmt: skip
def test_the_reason_names_the_keyword_and_the_value(schema, value, told):
    assert breach(schema, {"k": value}) == told


def test_an_attribute_that_is_not_there_breaks_only_where_it_is_required():
    assert breach("{type: string}", {"other": 1}) == ""
    assert breach("{type: string, required: true}", {"other": 1}) == "k: it is required, and there is none"


SCENE = scene(span(1, attrs={"retries": 3}), span(2, attrs={"retries": 4}), span(3))


def test_every_selected_span_is_held_against_the_schema():
    (found,) = findings(judge_spans(SCENE, (want("GET *", schema={"retries": AttributeSchema(maximum=3)}),)))

    assert (found.rule, found.span_ids) == ("spans.schema", (f"{2:016x}",))
    assert "expected maximum 3, found 4" in found.found


def test_one_span_that_fits_is_enough_for_some():
    wanted = want("GET *", schema={"retries": AttributeSchema(minimum=4, required=True)}, some=True)

    assert rules(judge_spans(SCENE, (wanted,))) == []


def test_a_schema_that_nothing_was_held_against_says_so():
    _, check = judge_spans(SCENE, (want("GET *", schema={"absent": AttributeSchema(maximum=3)}),))

    assert not check.findings
    assert "no selected span has absent" in check.note
