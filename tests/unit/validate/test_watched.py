from __future__ import annotations

import pytest

from cleanroom.spec.comparator import equal_to
from cleanroom.spec.expect import (
    AttributeConditions,
    CountExpectation,
    EdgeExpectation,
    EventConditions,
    Expect,
    GraphExpectation,
    HermeticityExpectation,
    Pattern,
    SpanExpectation,
    StatusExpectation,
)
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.source import Position
from cleanroom.spec.suite import Suite
from cleanroom.spec.timing import (
    IntervalExpectation,
    OrderExpectation,
    OverlapExpectation,
    SpanSelector,
    WindowExpectation,
)
from cleanroom.validate.watched import Watched

AT = Position("s.cleanroom.yaml", 7, 5)
FIVE = equal_to(5)


def watched(**expect):
    return Watched(Suite(name="s", file="s.cleanroom.yaml", scenarios=(Scenario(name="a", expect=Expect(**expect)),)))


def span(**fields):
    return {"spans": (SpanExpectation(at=AT, **fields),)}


def pairs(key):
    pair = EdgeExpectation(parent=Pattern("web"), child=Pattern("job-1"), at=AT)
    return {"graph": GraphExpectation(**{key: (pair,)})}


LOOKS = [
    span(where={"order.id": FIVE}),
    span(attributes=AttributeConditions(all={"order.id": FIVE})),
    span(attributes=AttributeConditions(any={"order.id": FIVE})),
    span(attributes=AttributeConditions(none=("order.*",))),
    span(resource={"order.id": FIVE}),
    span(schema={"order.id": object()}),
    span(schema_file="schema.json"),
    {"hermeticity": HermeticityExpectation(forbid_attributes=("*.id",), at=AT)},
    {"hermeticity": HermeticityExpectation(resource={"order.id": FIVE}, at=AT)},
    {"intervals": (IntervalExpectation(spans=SpanSelector(where={"order.id": FIVE}), gap=FIVE, at=AT),)},
]


@pytest.mark.parametrize("expect", LOOKS)
def test_an_attribute_that_an_expectation_names_is_looked_at_and_others_are_not(expect):
    found = watched(**expect)
    assert found.attribute("order.id").endswith("(s.cleanroom.yaml:7:5)")
    assert bool(found.attribute("node")) == ("schema_file" in repr(expect) and "schema.json" in repr(expect))


def test_the_suites_own_expectations_count_too():
    suite = Suite(name="s", file="f", expect=Expect(**span(where={"a": FIVE})))
    assert Watched(suite).attribute("a") == "expect.spans (s.cleanroom.yaml:7:5)"
    assert Watched(Suite(name="s", file="f")).attribute("a") == ""


def test_a_name_with_a_star_is_that_name():
    found = watched(**span(where={"a*": FIVE}))
    assert (bool(found.attribute("a*")), bool(found.attribute("ab"))) == (True, False)


NAMES = [
    span(name=Pattern("job-1")),
    span(parent=Pattern("job-1")),
    span(ancestor=Pattern("*-1")),
    span(name=Pattern("1$", regex=True)),
    *(pairs(key) for key in ("edges", "no_edges", "paths", "no_paths")),
    {"counts": (CountExpectation(what="by_name", key="job-1", comparator=FIVE, at=AT),)},
    {"status": (StatusExpectation(name=Pattern("job-1"), comparator=FIVE, at=AT),)},
    {"windows": (WindowExpectation(outer=Pattern("o"), contains=(Pattern("job-1"),), at=AT),)},
    {"order": (OrderExpectation(first=Pattern("job-1"), then=Pattern("x"), at=AT),)},
    {"overlap": (OverlapExpectation(first=Pattern("x"), second=Pattern("job-1"), at=AT),)},
    {"intervals": (IntervalExpectation(spans=SpanSelector(name=Pattern("job-1")), gap=FIVE, at=AT),)},
]


@pytest.mark.parametrize("expect", NAMES)
def test_names_of_which_an_expectation_selects_some_are_told_apart(expect):
    found = watched(**expect)
    assert found.names({"job-1", "job-2"}).endswith("(s.cleanroom.yaml:7:5)")
    assert found.names({"other", "another"}) == ""


def test_names_that_a_glob_selects_all_alike_are_not_told_apart():
    found = watched(**span(name=Pattern("job-*")))
    assert found.names({"job-1", "job-2"}) == ""
    assert watched(**span(name=Pattern("job-1"))).names({"job-1"})  # it names this one and no other


def test_events_and_order():
    found = watched(**span(events=EventConditions(none=("retry 1",))))
    assert found.events({"retry 1", "retry 2"})
    assert not found.events({"x", "y"})
    order = watched(order=(OrderExpectation(first=Pattern("a"), then=Pattern("b"), at=AT),))
    assert order.order(("a", "z"))
    assert not order.order(("y", "z"))
