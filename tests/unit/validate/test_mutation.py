from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cleanroom.trace.model import Span, SpanKind, StatusCode, Trace
from cleanroom.validate.mutation import mutants
from cleanroom.validate.operators import OF_ALL, OF_SPAN, UNDECLARED
from tests.unit.validate.builders import SEC, own, sid, span

WINDOW = {"slow": ((20 * SEC, 30 * SEC),)}
RUNNER = (own(1, "cleanroom.iteration"), own(2, "cleanroom.step:place", parent=1))
ORDER = span(
    10, "POST /orders", parent=2, start=21 * SEC, end=22 * SEC, events=("stored",), links=(11,),
    attrs={"http.route": "/orders", "order.paid": True, "order.items": 2},
    resource={"deployment.environment.name": "t"},
)  # fmt: skip
INSERT = span(11, "INSERT", parent=10, start=21 * SEC + 5, end=21 * SEC + 9, kind="client", status="error")
PUBLISH = span(12, "publish", parent=10, start=21 * SEC + 20, end=21 * SEC + 30, kind="producer", service="api")
RECEIVE = span(13, "receive", parent=12, start=40 * SEC, end=41 * SEC, kind="consumer", service="mail")
RECORDED = (ORDER, INSERT, PUBLISH, RECEIVE)


def made(*spans: Span, seed: int = 42, bound: int = 2, **windows):
    spans = spans or RECORDED
    return mutants(spans, Trace.of((*RUNNER, *spans)), windows=windows or WINDOW, seed=seed, per_operator=bound)


def of(operator: str, *spans: Span, **kw):
    return [mutant for mutant in made(*spans, **kw) if mutant.operator == operator]


def changed(mutant) -> list[Span]:
    """The spans of a mutant that were not recorded as they are."""
    return [s for s in mutant.spans if s not in mutant.recorded]


def test_every_operator_finds_something_to_do_in_a_rich_recording():
    assert {mutant.operator for mutant in made()} == {*OF_SPAN, *OF_ALL}


def test_a_mutant_is_told_by_operator_path_and_what_was_done():
    (first, *_) = of("detach")
    assert first.path == "cleanroom.iteration > cleanroom.step:place > POST /orders"
    assert first.detail == "made a root: its context was lost"


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("drop-span", lambda m: len(m.spans) == 3),
        ("rename", lambda m: changed(m)[0].name.endswith("-mutant")),
        ("re-parent", lambda m: changed(m)[0].parent_id != m.subjects[0].parent_id),
        ("detach", lambda m: not changed(m)[0].parent_id),
        ("duplicate", lambda m: len(m.spans) == 5 and len({s.span_id for s in m.spans}) == 5),
        ("swap-order", lambda m: len(changed(m)) == 2),
        ("leave-window", lambda m: changed(m)[0].start_ns > 30 * SEC),
        ("enter-window", lambda m: 20 * SEC <= changed(m)[0].start_ns < 30 * SEC),
        ("flip-status", lambda m: changed(m)[0].status is not m.subjects[0].status),
        ("flip-kind", lambda m: changed(m)[0].kind is not m.subjects[0].kind),
        ("drop-attribute", lambda m: m.key in m.subjects[0].attributes and m.key not in changed(m)[0].attributes),
        ("change-attribute", lambda m: type(changed(m)[0].attributes[m.key]) is type(m.subjects[0].attributes[m.key])),
        (
            "retype-attribute",
            lambda m: type(changed(m)[0].attributes[m.key]) is not type(m.subjects[0].attributes[m.key]),
        ),
        ("change-resource", lambda m: changed(m)[0].resource.attributes[m.key] == "t-mutant"),
        ("change-service", lambda m: changed(m)[0].service == f"{m.subjects[0].service}-mutant"),
        ("lose-events", lambda m: not changed(m)[0].events),
        ("lose-links", lambda m: not changed(m)[0].links),
        ("stretch", lambda m: changed(m)[0].duration_ns > 10 * m.subjects[0].duration_ns),
        ("add-span", lambda m: [s.name for s in changed(m)] == [UNDECLARED]),
        ("add-error-event", lambda m: changed(m)[0].events[-1].name == "exception"),
        ("swap-edges", lambda m: {s.parent_id for s in changed(m)} == {s.parent_id for s in m.subjects}),
        ("lose-service", lambda m: len({s.service for s in m.spans}) == 1),
        ("empty-trace", lambda m: m.spans == ()),
    ],
)
def test_an_operator_does_what_its_name_says_and_nothing_else(operator, holds):
    found = of(operator)
    assert found
    assert all(holds(mutant) for mutant in found)
    assert all(len(changed(mutant)) <= 2 for mutant in found)


@pytest.mark.parametrize(
    ("operator", "spans"),
    [
        ("lose-events", (INSERT,)),
        ("lose-links", (INSERT,)),
        ("drop-attribute", (INSERT,)),
        ("change-resource", (INSERT,)),
        ("detach", (span(10),)),
        ("swap-order", (ORDER,)),
        ("swap-edges", (ORDER, INSERT)),
        ("leave-window", (RECEIVE,)),
        ("enter-window", (ORDER,)),
    ],
)
def test_an_operator_without_anything_to_change_makes_nothing(operator, spans):
    assert of(operator, *spans) == []


def test_a_span_is_never_moved_below_itself():
    for mutant in of("re-parent"):
        trace = Trace.of((*RUNNER, *mutant.spans))
        (moved,) = changed(mutant)
        seen, current = 0, trace.parent(moved)
        while current is not None:
            seen, current = seen + 1, trace.parent(current)
            assert seen < 10


def test_a_span_of_a_fault_that_never_ended_leaves_to_before_it():
    (mutant,) = of("leave-window", ORDER, slow=((20 * SEC, 0),))
    assert changed(mutant)[0].end_ns < 20 * SEC


def test_what_a_system_did_is_changed_before_what_surrounded_it_and_what_no_digest_sees():
    told = span(10, attrs={"server.port": 1, "thread.id": 7, "a.b": 1, "http.route": "/", "z": 1, "host.name": "h"})
    assert [m.key for m in of("drop-attribute", told, bound=6)][3:4] == ["server.port"]
    assert {m.key for m in of("drop-attribute", told, bound=3)} == {"a.b", "http.route", "z"}


@given(st.integers(1, 5), st.integers(1, 40))
def test_the_number_of_mutants_is_bounded_for_each_operator_and_span_name(bound, count):
    spans = tuple(span(10 + i, "work", parent=2, start=i * SEC, attrs={"n": i, "m": 1}) for i in range(count))
    tally: dict[str, int] = {}
    for mutant in made(*spans, bound=bound):
        tally[mutant.operator] = tally.get(mutant.operator, 0) + 1
    assert max(tally.values()) <= bound


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=2).map(tuple) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
# Few ids, so that there are loops, orphans, spans of one id, and ids of zeros.
IDS = st.sampled_from(["", "0" * 16, sid(1), sid(2), sid(3), sid(4)])
ODD = st.builds(
    Span,
    trace_id=st.sampled_from(["", "0" * 32, "a" * 32]),
    span_id=IDS,
    parent_id=IDS,
    name=st.sampled_from(["", "a", "b", "cleanroom.step:forged", "[x]*"]),
    kind=st.sampled_from(SpanKind),
    status=st.sampled_from(StatusCode),
    start_ns=st.integers(0, 5),
    end_ns=st.integers(0, 5),
    attributes=st.dictionaries(st.sampled_from(["", "a", "server.port", "thread.id"]), VALUES, max_size=3),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(ODD, max_size=8), st.integers(0, 3), st.sampled_from([(), ((2, 3),), ((1, 0),)]))
def test_odd_traces_are_mutated_all_the_same_and_each_mutant_differs(spans, seed, windows):
    found = mutants(tuple(spans), Trace.of((*RUNNER, *spans)), windows={"f": windows}, seed=seed)
    assert all(repr(mutant.spans) != repr(tuple(spans)) for mutant in found)
    assert bool(found) == bool(spans)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(ODD, max_size=8), st.integers(0, 3))
def test_the_same_recording_and_seed_make_the_same_mutants(spans, seed):
    one, other = (
        mutants(tuple(spans), Trace.of((*RUNNER, *spans)), windows={"f": ((2, 3),)}, seed=seed) for _ in range(2)
    )
    assert [(m.operator, m.path, m.detail, repr(m.spans)) for m in one] == [
        (m.operator, m.path, m.detail, repr(m.spans)) for m in other
    ]


def test_another_seed_chooses_other_spans_of_a_name():
    spans = tuple(span(10 + i, "work", parent=2) for i in range(50))
    chosen = {tuple(m.subjects[0].span_id for m in of("drop-span", *spans, seed=seed)) for seed in range(5)}
    assert len(chosen) > 1
