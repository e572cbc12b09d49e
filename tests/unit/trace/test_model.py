from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.trace.forest import canonical_order
from cleanroom.trace.model import Trace
from cleanroom.trace.normalise import normalise
from cleanroom.trace.rules import NormaliseOptions
from tests.unit.trace.spans import span


def test_a_span_is_found_by_both_of_its_ids():
    one, other = span("a", 1), span("b", 2)
    trace = Trace.of([other, one])
    assert trace.unique
    assert trace.find(one.trace_id, one.span_id) is one
    assert trace.find(one.trace_id, "f" * 16) is None
    assert trace.find("f" * 32, one.span_id) is None


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_spans_with_one_id_the_first_is_found_whichever_came_first(turned):
    one, other = span("a", 1), replace(span("b", 1), start_ns=span("a", 1).start_ns + 1)
    trace = Trace.of([other, one] if turned else [one, other])
    assert not trace.unique
    assert trace.find(one.trace_id, one.span_id) is one


def test_what_stands_above_is_the_place_of_the_parent():
    spans = [span("root", 1), span("child", 2, 1), span("lost", 3, 9), span("itself", 4, 4)]
    trace = Trace.of(spans)
    above = {each.name: trace.above[place] for place, each in enumerate(trace.spans)}
    places = {each.name: place for place, each in enumerate(trace.spans)}
    assert above == {"root": -1, "child": places["root"], "lost": -1, "itself": places["itself"]}


def test_the_digests_of_subtrees_are_those_of_the_order_that_they_decide():
    spans = [span("root", 1), *(span("s", 2 + n, 1 + n // 3) for n in range(12)), span("other", 20)]
    found = normalise(Trace.of(spans), NormaliseOptions()).spans
    again = canonical_order(tuple(found), "unordered")
    assert [each.subtree for each in again] == [each.subtree for each in found]
    assert len({each.subtree for each in found}) > 3
    leaf = next(each for each in found if each.name == "other")
    assert leaf.subtree not in {each.subtree for each in found if each.name != "other"}
