from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import SpecError
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.forest import canonical_order
from cleanroom.trace.model import Resource, SpanEvent, SpanKind, SpanLink, StatusCode, Trace
from cleanroom.trace.normalise import NormaliseOptions, normalise
from cleanroom.trace.rules import rule_set_id
from tests.unit.trace.spans import TRACE, forests, runner, span, system

PLAIN = NormaliseOptions()


def normal(*spans, **options):
    return normalise(Trace.of(spans), NormaliseOptions(**options))


def fields(*spans, **options):
    (found,) = normal(*spans, **options).spans
    return found.fields


def attributes(kind=SpanKind.INTERNAL, options=None, **given_attributes):
    return fields(span("s", 1, kind=kind, attributes=given_attributes), **(options or {}))["attributes"]


def same(left, right, options=PLAIN, other=None):
    return trace_digest(normalise(Trace.of(left), options)) == trace_digest(
        normalise(Trace.of(right), other or options)
    )


def renamed(spans, salt):
    """The same spans under other ids, in another trace."""
    fresh = {s.span_id: f"{salt + index:016x}" for index, s in enumerate(spans, start=1)}
    return [
        replace(s, trace_id=f"{salt + 1:032x}", span_id=fresh[s.span_id], parent_id=fresh.get(s.parent_id, ""))
        for s in spans
    ]


@given(forests(), st.integers(10**6, 2**60))
def test_other_ids_make_no_difference(spans, salt):
    assert same(spans, renamed(spans, salt))


@given(forests(), st.integers(0, 2**60), st.integers(0, 9))
def test_other_times_make_no_difference(spans, shift, stretch):
    moved = [replace(s, start_ns=s.start_ns + shift, end_ns=s.end_ns * stretch) for s in spans]
    assert same(spans, moved)


@given(forests(), st.randoms(use_true_random=False))
def test_the_order_of_siblings_makes_no_difference(spans, rng):
    shuffled = [replace(s, start_ns=rng.randrange(1000)) for s in spans]
    rng.shuffle(shuffled)
    assert same(spans, shuffled)


@given(forests())
def test_canonical_order_is_idempotent_and_keeps_every_span(spans):
    for siblings in ("unordered", "by_start"):
        found = normalise(Trace.of(spans), NormaliseOptions(siblings=siblings))
        assert canonical_order(found.spans, siblings) == tuple(found.spans)
        assert len(found.spans) == len(spans)


def test_by_start_tells_orders_apart_that_unordered_does_not():
    one = [span("a", 1), span("b", 2)]
    other = [span("b", 1), span("a", 2)]
    assert same(one, other)
    assert not same(one, other, NormaliseOptions(siblings="by_start"))


def test_by_start_takes_the_runners_own_spans_in_canonical_order():
    one = [runner("cleanroom.step:a", 1), runner("cleanroom.chaos.network.latency", 2), span("x", 3)]
    other = [runner("cleanroom.chaos.network.latency", 1), runner("cleanroom.step:a", 2), span("x", 3)]
    assert same(one, other, NormaliseOptions(siblings="by_start"))


def test_golden_digests_fail_when_rules_change_without_a_version():
    rich = [
        *system(
            **{"net.peer.ip": "10.213.0.10", "net.peer.port": 41234, "order.id": 7, "raw": b"\x00", "f": 1.0}
        ).spans,
        span(
            "GET http://10.213.0.10:51000/x",
            6,
            3,
            trace_state="ot=rv:1",
            status=StatusCode.ERROR,
            status_message=f"in {TRACE}",
            dropped_events=2,
            events=(SpanEvent(name="e", time_ns=5, attributes={"thread.id": 4, "n": None}),),
            links=(SpanLink(trace_id="bb" * 16, span_id="cc" * 8), SpanLink(trace_id=TRACE, span_id=f"{3:016x}")),
            attributes={"user_agent.original": "curl/8.5.0", "host.name": "h", "list": (1, "x")},
        ),
        span("orphan", 7, 99),
        runner("cleanroom.chaos.network.latency", 8, 1, attributes={"fault.id": "slow", "evidence.rtt_ms": 501.2}),
    ]
    found = normalise(Trace.of(rich), NormaliseOptions(roles={"10.213.0.10": "<db>"}))
    assert found.rule_set == "sha256:f5e1b84314ca2eee8365dfa543379ddfbe24741c0802f35efa3e76fef8a368d4"
    assert trace_digest(found) == "sha256:103be6c4cd39096dfbdcfc55a0ca4d78c7bc12904d5c8f332579d243694ff8e8"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"kind": SpanKind.SERVER},
        {"status": StatusCode.OK},
        {"status_message": "x"},
        {"attributes": {"k": 2}},
        {"attributes": {"k": "1"}},
        {"attributes": {"k": 1.0}},
        {"attributes": {"k": True}},
        {"attributes": {"k": {"int": "1"}}},
        {"attributes": {"k": None}},
        {"attributes": {}},
        {"attributes": {"j": 1}},
        {"resource": Resource(attributes={"service.name": "web"})},
        {"resource": Resource(attributes={"service.name": "api", "service.version": "2"})},
        {"events": (SpanEvent(name="e", time_ns=0),)},
        {"links": (SpanLink(trace_id="bb" * 16, span_id="cc" * 8),)},
        {"dropped_attributes": 1},
        {"trace_state": "vendor=1"},
        {"parent_id": "12" * 8},
    ],
)
def test_whatever_the_system_did_otherwise_changes_the_digest(change):
    usual = span("s", 1, attributes={"k": 1})
    assert not same([usual], [replace(usual, **change)])


def test_values_of_several_types_under_one_name_are_told_apart_within_one_trace():
    values = [1, True, 1.0, "1", None, b"1", (1,), (True,), {"k": 1}, 0, False, 0.0, -0.5, 1, True, 1.0]
    spans = [span("s", 1 + n, attributes={"a": 1, "k": value}) for n, value in enumerate(values)]
    found = Counter(json.dumps(each.fields["attributes"]["k"]) for each in normalise(Trace.of(spans), PLAIN).spans)
    alone = Counter(json.dumps(attributes(a=1, k=value)["k"]) for value in values)
    assert found == alone
    assert len(found) == 13


def test_a_random_attribute_is_never_taken_for_an_id():
    for one, other in ((f"{1:032x}", f"{2:032x}"), ("7f3a90000010", "7f3a90000020"), (41, 42)):
        assert not same([span("s", 1, attributes={"k": one})], [span("s", 1, attributes={"k": other})])


def test_known_ids_within_text_are_removed():
    statement = "select 1 /*traceparent='00-{}-{}-01'*/"
    found = attributes(q=statement.format(TRACE.upper(), f"{1:016x}"), other=statement.format("cc" * 16, "dd" * 8))
    assert found["q"] == "select 1 /*traceparent='00-<trace>-<span>-01'*/"
    assert found["other"] == statement.format("cc" * 16, "dd" * 8)


def test_places_become_roles_in_every_text():
    roles = {
        "10.213.0.10": "<db>",
        "10.213.0.1": "<gateway>",
        "ab12cd34ef56": "<api>",
        "ab12cd34ef56" + "0" * 52: "<api>",
    }
    noisy = span(
        "GET http://10.213.0.10:8080/x",
        1,
        status_message="no route to 10.213.0.1.",
        attributes={"t": "10.213.0.10:51234 and 10.213.0.10:5432", "nested": ({"h": "/ab12cd34ef56/log"},)},
        events=(SpanEvent(name="at 10.213.0.10", time_ns=1, attributes={"id": "ab12cd34ef56" + "0" * 52}),),
    )
    found = fields(noisy, roles=roles)
    assert found["name"] == "GET http://<db>:8080/x"
    assert found["status_message"] == "no route to <gateway>."
    assert found["attributes"] == {"t": "<db>:<port> and <db>:5432", "nested": [{"map": {"h": "/<api>/log"}}]}
    assert found["events"] == [{"name": "at <db>", "attributes": {"id": "<api>"}}]


@pytest.mark.parametrize("text", ["110.213.0.10", "10.213.0.100", "1.10.213.0.10", "10.213.0.10.5", "x10.213.0.10"])
def test_a_place_is_only_found_whole(text):
    assert attributes(options={"roles": {"10.213.0.10": "<db>"}}, k=text) == {"k": text}


@given(st.integers(0, 255), st.integers(0, 255))
def test_other_addresses_make_no_difference_under_their_roles(one, other):
    def at(slot):
        return [span("s", 1, attributes={"server.address": f"10.213.{slot}.10", "url": f"http://10.213.{slot}.10/"})]

    left, right = (NormaliseOptions(roles={f"10.213.{slot}.10": "<db>"}) for slot in (one, other))
    assert same(at(one), at(other), left, right)


def test_client_ports_go_and_server_ports_stay():
    ports = {"network.peer.port": 41000, "client.port": 22, "net.host.port": 8080, "server.port": 40000}
    assert attributes(SpanKind.SERVER, **ports) == {"net.host.port": {"int": "8080"}, "server.port": {"int": "40000"}}
    client = {"network.peer.port": 5432, "net.peer.port": "50123", "network.local.port": 99}
    assert attributes(SpanKind.CLIENT, **client) == {"network.peer.port": {"int": "5432"}}


def test_instances_and_machines_go():
    noise = {
        "service.instance.id": "u",
        "process.pid": 3,
        "process.creation.time": "t",
        "thread.id": 1,
        "thread.name": "Thread-1",
        "container.id": "x",
        "host.name": "h",
        "os.description": "Linux",
    }
    kept = {"process.executable.name": "python", "service.version": "1", "telemetry.sdk.version": "1.45"}
    found = fields(span("s", 1, resource=Resource(attributes={**noise, **kept})))
    assert found["resource"] == kept
    assert attributes(**noise) == {}


def test_versions_of_user_agents_go():
    agent = "python-requests/2.32.3 (x) OTel/v1.2-rc"
    assert attributes(**{"user_agent.original": agent, "other": agent}) == {
        "user_agent.original": "python-requests/<version> (x) OTel/<version>",
        "other": agent,
    }


def test_the_specs_own_rules():
    given_attributes = {"order.id": 7, "url": "/o/123", "thread.id": 3, "net.peer.ip": "10.0.0.1"}
    found = fields(
        span("GET /o/55", 1, attributes=given_attributes),
        drop=("order.*",),
        replace=((r"/o/(\d)\d*", r"/o/<\1…>"),),
        keep=("thread.*", "net.peer.ip"),
        roles={"10.0.0.1": "<db>"},
    )
    assert found["name"] == "GET /o/<5…>"
    assert found["attributes"] == {"net.peer.ip": "10.0.0.1", "thread.id": {"int": "3"}, "url": "/o/<1…>"}


@pytest.mark.parametrize("pair", [("(", "x"), ("a", r"\9"), ("a", r"\g<no>")])
def test_a_broken_pattern_is_named(pair):
    with pytest.raises(SpecError, match=r"normalize\.replace"):
        normal(replace=(pair,))


def test_issued_traces_are_left_out_and_other_traces_become_roots():
    noise = span("ready", 1, trace_id="bb" * 16)
    own = span("background", 1, trace_id="cc" * 16)
    found = normal(noise, own, span("s", 1), excluded_traces=frozenset({"bb" * 16}))
    assert [(s.depth, s.name) for s in found.spans] == [(0, "background"), (0, "s")]


def test_a_second_delivery_counts_once_but_a_second_span_with_the_same_id_counts():
    parent, child = span("p", 1), span("c", 2, 1)
    assert same([parent, child], [parent, child, child, parent])
    impostor = replace(parent, name="q")
    assert [(s.depth, s.name) for s in normal(parent, impostor, child).spans] == [(0, "p"), (1, "c"), (0, "q")]


def test_orphans_and_cycles_stay_in_sight():
    found = normal(span("orphan", 1, 77), span("x", 2, 3), span("y", 3, 2), span("under", 4, 3))
    assert [(s.depth, s.name, s.fields["detached"]) for s in found.spans] == [
        (0, "orphan", "its parent is missing"),
        (0, "under", "its parents form a cycle"),
        (0, "x", "its parents form a cycle"),
        (0, "y", "its parents form a cycle"),
    ]


def test_of_the_runners_own_spans_facts_stay_and_measurements_go():
    chaos = {
        "fault.id": "slow",
        "verified": True,
        "backend": "nfqueue",
        "evidence.rtt_ms": 501.3,
        "parameter.delay": 5,
        "cleanroom.iteration": 3,
        "cleanroom.suite": "s",
    }
    events = (SpanEvent(name="injected", time_ns=1, attributes={"evidence.rtt_ms": 1.0}),)
    found = fields(runner("cleanroom.chaos.network.latency", 1, attributes=chaos, events=events, status_message="5 ms"))
    assert found["attributes"] == {"cleanroom.suite": "s", "backend": "nfqueue", "fault.id": "slow", "verified": True}
    assert found["events"] == [{"name": "injected"}]
    assert "5 ms" not in json.dumps(found)
    assert fields(runner("cleanroom.service.stop", 1, attributes={"service": "db", "exit_code": 137}))[
        "attributes"
    ] == {"service": "db"}


def test_a_service_cannot_pass_for_the_runner():
    forged = span("cleanroom.retry.attempt", 1, attributes={"evidence.x": 1})
    assert fields(forged)["attributes"] == {"evidence.x": {"int": "1"}}


def test_retries_of_the_runner_are_left_out_and_their_children_move_up():
    one = [runner("cleanroom.step:a", 1), runner("cleanroom.retry.attempt", 2, 1), span("GET", 3, 2)]
    other = [*one, runner("cleanroom.retry.attempt", 4, 1)]
    assert same(one, other)
    assert [(s.depth, s.name) for s in normal(*one).spans] == [(0, "cleanroom.step:a"), (1, "GET")]


def test_a_trace_deeper_than_any_stack_has_a_digest():
    deep = [span("s", number, number - 1) for number in range(1, 5001)]
    found = normal(*deep)
    assert found.spans[-1].depth == 4999
    assert trace_digest(found) != trace_digest(normal(*deep[:-1]))


def test_links_are_roles_in_any_order():
    target = span("target", 2)
    links = (
        SpanLink(trace_id=TRACE, span_id=target.span_id),
        SpanLink(trace_id=TRACE, span_id="ee" * 8),
        SpanLink(trace_id="ee" * 16, span_id="ee" * 8),
    )
    one, other = span("s", 1, links=links), span("s", 1, links=links[::-1])
    assert same([one, target], [other, target])
    (found,) = [s for s in normal(one, target).spans if s.name == "s"]
    assert [link["to"] for link in found.fields["links"]] == ["another trace", "api: target", "same trace"]


def test_the_json_is_flat_and_carries_its_rule_set():
    document = normalise(system(), PLAIN).to_json()
    assert json.loads(json.dumps(document)) == document
    assert [(s["depth"], s["name"]) for s in document["spans"]] == [
        (0, "cleanroom.iteration"),
        (1, "cleanroom.step:place"),
        (2, "POST /orders"),
        (3, "INSERT orders"),
        (3, "SELECT stock"),
    ]


def test_spans_that_the_spec_leaves_out_are_gone_and_what_is_below_them_moves_up():
    chain = [span("top", 1), *(span(f"retry {n}", n, n - 1) for n in range(2, 40)), span("leaf", 40, 39)]
    found = normalise(Trace.of(chain), NormaliseOptions(drop_spans=("retry *",)))
    assert [(s.name, s.depth) for s in found.spans] == [("top", 0), ("leaf", 1)]
    assert found.left_out == 38
    assert trace_digest(found) == trace_digest(
        replace(normalise(Trace.of([span("top", 1), span("leaf", 40, 1)]), NormaliseOptions()), rule_set=found.rule_set)
    )


def test_a_circle_of_spans_that_are_left_out_holds_nobody_up():
    circle = [span("retry", 1, 2), span("retry", 2, 1), span("leaf", 3, 1)]
    found = normalise(Trace.of(circle), NormaliseOptions(drop_spans=("retry",)))
    assert [s.name for s in found.spans] == ["leaf"]


def test_the_rule_is_part_of_the_rule_set_and_never_takes_a_span_of_the_runner():
    assert rule_set_id(NormaliseOptions(drop_spans=("x",))) != rule_set_id(NormaliseOptions())
    found = normalise(Trace.of([runner("cleanroom.iteration", 1)]), NormaliseOptions(drop_spans=("*",)))
    assert [s.name for s in found.spans] == ["cleanroom.iteration"]
    assert found.left_out == 0
