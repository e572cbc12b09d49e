from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.expect import (
    AttributeConditions,
    CountExpectation,
    EdgeExpectation,
    GraphExpectation,
    HermeticityExpectation,
    Pattern,
    StatusExpectation,
)
from cleanroom.validate import settle
from cleanroom.validate.settle import Settling, holds_so_far
from tests.unit.validate.builders import AT, cmp, eq, expecting, otlp, scenario, span, suite, want

ORDER = span(10, "POST /orders", parent=3, attrs={"a": 1}, status="ok")
PARENT = span(15, "POST /parent")
CHILD = span(14, "a", parent=15, attrs={"b": 1})
LATER = span(16, "b", parent=10, attrs={"b": 1})
INSERT = span(11, "INSERT orders", parent=10, service="db")


def counted(what, key="", **tests):
    return expecting(counts=(CountExpectation(what=what, key=key, comparator=cmp(**tests), at=AT),))


def edge(parent, child):
    pair = EdgeExpectation(parent=Pattern(parent), child=Pattern(child), at=AT)
    return expecting(graph=GraphExpectation(edges=(pair,)))


WAITS = {
    "a span": (expecting(want("INSERT *")), (ORDER,)),
    "a number": (expecting(want(count=cmp(gte=2))), (ORDER,)),
    "a parent that arrives after its child": (expecting(want("INSERT *", parent="POST *")), (INSERT,)),
    "an ancestor": (expecting(want("INSERT *", ancestor="POST *")), (INSERT,)),
    "some": (expecting(want(some=True, attributes=AttributeConditions(all={"a": eq(1)}))), (INSERT,)),
    "some, of any number": (expecting(want("INSERT *", count=cmp(gte=0), some=True, status=eq("unset"))), (ORDER,)),
    "some, of all conditions at once": (
        expecting(want("*", some=True, status=eq("unset"), parent="POST *")),
        (span(12, status="unset"), span(13, parent=77, status="ok")),
    ),
    "the parent of each": (expecting(want("*", count=eq(2), where={"b": eq(1)}, parent="POST *")), (CHILD, LATER)),
    "a span in a window": (expecting(want("INSERT *", during="slow")), (ORDER,)),
    "an edge": (edge("POST *", "INSERT *"), (INSERT,)),
    "a count": (counted("spans", gte=2), (ORDER,)),
    "a count by name": (counted("by_name", "INSERT *", eq=1), (ORDER,)),
    "no errors of something": (counted("errors", eq=0), ()),
    "a status of something": (expecting(status=(StatusExpectation(comparator=eq("ok"), at=AT),)), ()),
    "a status by name": (
        expecting(status=(StatusExpectation(name=Pattern("INSERT *"), comparator=eq("ok"), at=AT),)),
        (ORDER,),
    ),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_positive_expectation_is_waited_for_until_its_spans_are_there(name):
    expect, early = WAITS[name]

    assert not holds_so_far(expect, (otlp(*early),) if early else ())
    assert holds_so_far(expect, (otlp(ORDER), otlp(INSERT), otlp(*early, PARENT)))


@pytest.mark.parametrize(
    "expect",
    [
        expecting(want("x", count=eq(0))),
        expecting(want("cleanroom.step*")),
        expecting(want("x", count=cmp(lte=3))),
        counted("by_kind", "client", lte=3),
        edge("cleanroom.step*", "POST *"),
        counted("spans", eq=0),
        counted("by_name", "cleanroom.step*", gte=1),
        expecting(hermeticity=HermeticityExpectation(egress_none=True)),
        expecting(status=(StatusExpectation(name=Pattern("cleanroom.*"), comparator=eq("ok"), at=AT),)),
    ],
)
def test_what_no_service_span_can_make_true_is_not_waited_for(expect):
    assert holds_so_far(expect, ())


def test_a_condition_that_more_spans_cannot_mend_is_not_waited_for():
    slow = expecting(want("POST *", duration=cmp(lt=Duration(1)), parent="cleanroom.step*"))

    assert holds_so_far(slow, (otlp(ORDER),))
    assert holds_so_far(expecting(want("POST *", some=True, root=True)), (otlp(ORDER),))


def test_each_payload_is_decoded_once(monkeypatch):
    seen = []
    decode = settle.decode_service_spans
    monkeypatch.setattr(settle, "decode_service_spans", lambda payloads: seen.extend(payloads) or decode(payloads))
    of = suite(scenario(expect=expecting(want("INSERT *", parent="POST *"))))
    settled, arrived = Settling(), (otlp(INSERT), otlp(ORDER))

    assert not settled(of, of.scenarios[0], ())
    assert not settled(of, of.scenarios[0], arrived[:1])
    assert settled(of, of.scenarios[0], arrived)
    assert len(seen) == 2


def test_environments_are_kept_apart():
    of = suite(scenario(expect=expecting(want("INSERT *"))))
    settled = Settling()

    assert settled(of, of.scenarios[0], (otlp(INSERT, environment="a"),))
    assert not settled(of, of.scenarios[0], (otlp(ORDER, environment="b"),))


def test_the_suites_own_expect_is_waited_for_only_by_a_single_scenario():
    alone = suite(scenario(), expect=expecting(want("INSERT *")))
    among = suite(scenario("order"), scenario("refund"), expect=expecting(want("INSERT *")))

    assert not Settling()(alone, alone.scenarios[0], (otlp(ORDER),))
    assert Settling()(alone, alone.scenarios[0], (otlp(INSERT),))
    assert Settling()(among, among.scenarios[0], (otlp(ORDER),))
