from __future__ import annotations

import json

import pytest

from cleanroom.quantity import Duration, Size
from cleanroom.run.codec import decode, encode
from cleanroom.spec import invariant as kinds
from cleanroom.spec.attribute_schema import AttributeSchema
from cleanroom.spec.comparator import Comparator, equal_to
from cleanroom.spec.expect import (
    AttributeConditions,
    CountExpectation,
    EventConditions,
    Expect,
    HermeticityExpectation,
    OutcomeExpectation,
    SpanExpectation,
    StatusExpectation,
)
from cleanroom.spec.graph import EdgeExpectation, GraphExpectation
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.probe import Probe, TcpProbe
from cleanroom.spec.query import RedisAction, SqlAction
from cleanroom.spec.resilience import FaultExpectation, ResilienceExpectation, ResourceExpectation
from cleanroom.spec.shapes.expect import scenario_expect, suite_expect
from cleanroom.spec.shapes.record import records_in
from cleanroom.spec.signal import LintExpectation, LogExpectation, MetricExpectation
from cleanroom.spec.timing import (
    ConcurrencyExpectation,
    IntervalExpectation,
    OrderExpectation,
    OverlapExpectation,
    RateExpectation,
    SpanSelector,
    WindowExpectation,
)
from tests.unit.spec.shapes.reading import accepted, deferred, read

SEC = 10**9
A, B = Pattern("a"), Pattern("b")
SQL = "{service: db, query: select 1}"
ROWS = SqlAction(service="db", query="select 1")
TCP = Probe(question=TcpProbe(service="db", port=5432))


def of(**tests):
    return Comparator(tests=tuple((name.rstrip("_"), operand) for name, operand in tests.items()))


def selects(name="a", **more):
    return SpanSelector(name=Pattern(name), **more)


def span(**fields):
    return Expect(spans=(SpanExpectation(**fields),))


def figure(name, comparator, **more):
    return ResilienceExpectation(figure=name, comparator=comparator, **more)


def invariant(check, **more):
    return Expect(invariants=(kinds.Invariant(id="i", check=check, **more),))


NAMED = {"id": "x", "description": "why", "level": "warning"}
ID = "id: x, description: why, level: warning"
SPANS = [
    ("name: GET /*", {"name": Pattern("GET /*")}),
    ("name: {regex: ^GET}", {"name": Pattern("^GET", regex=True)}),
    ("service: api", {"service": Pattern("api")}),
    ("kind: server", {"kind": "server"}),
    ("kind: unspecified", {"kind": "unspecified"}),
    ("scope: lib.*", {"scope": Pattern("lib.*")}),
    ("where: {a: 1}", {"where": {"a": of(eq=1)}}),
    ("during: f", {"during": "f"}),
    ("before: f", {"before": "f"}),
    ("after: f", {"after": "f"}),
    ("count: 0", {"count": of(eq=0)}),
    ("parent: a", {"parent": A}),
    ("ancestor: cleanroom.scenario", {"ancestor": Pattern("cleanroom.scenario")}),
    ("root: false", {"root": False}),
    ("attributes: {all: {a: {lt: 5}}, any: {b: true}, none: [c]}", {
        "attributes": AttributeConditions(all={"a": of(lt=5)}, any={"b": of(eq=True)}, none=("c",)),
    }),
    ("resource: {a: b}", {"resource": {"a": of(eq="b")}}),
    ("events: {all: [a], any: [b], none: [c]}", {"events": EventConditions(all=("a",), any=("b",), none=("c",))}),
    ("links: {count: 1}", {"links": of(eq=1)}),
    ("status: ok", {"status": of(eq="ok")}),
    ("duration: {lte: 200ms}", {"duration": of(lte=Duration(SEC // 5))}),
    ("name: a, each: true", {"name": A}),
    ("name: a, some: true", {"name": A, "some": True}),
    (f"name: a, {ID}", {"name": A, **NAMED}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "fields"), SPANS)
def test_spans(source, fields):
    assert accepted(suite_expect, f"{{spans: [{{{source}}}]}}") == span(**fields)
    assert deferred(suite_expect, f"{{spans: [{{{source}}}]}}") == []


SCHEMAS = [
    ("{type: string, required: true}", AttributeSchema(types=("string",), required=True)),
    ("{type: [integer, number], minimum: 1, maximum: 9007199254740993}", AttributeSchema(
        types=("integer", "number"), minimum=1, maximum=9007199254740993
    )),
    ("{exclusiveMinimum: 0, exclusiveMaximum: 1.5, multipleOf: 0.5}", AttributeSchema(
        exclusive_minimum=0, exclusive_maximum=1.5, multiple_of=0.5
    )),
    ("{minLength: 1, maxLength: 5, pattern: ^a}", AttributeSchema(min_length=1, max_length=5, pattern="^a")),
    ("{enum: [eu, 1], const: eu}", AttributeSchema(enum=("eu", 1), const="eu", has_const=True)),
    ("{type: array, minItems: 1, maxItems: 2, items: {type: string}}", AttributeSchema(
        types=("array",), min_items=1, max_items=2, items=AttributeSchema(types=("string",))
    )),
    ("{const: [a, b]}", AttributeSchema(const=("a", "b"), has_const=True)),
]  # fmt: skip


@pytest.mark.parametrize(("source", "schema"), SCHEMAS)
def test_schemas_of_attributes(source, schema):
    whole = f"{{spans: [{{name: a, schema: {{k: {source}}}}}]}}"
    assert accepted(suite_expect, whole) == span(name=A, schema={"k": schema})
    assert deferred(suite_expect, whole) == []


def test_a_schema_may_be_a_file():
    assert accepted(suite_expect, "{spans: [{schema: a.json}]}") == span(schema_file="a.json")


EDGES = (EdgeExpectation(parent=A, child=B),)
NOW = [
    ("graph: {edges: [[a, b]]}", Expect(graph=GraphExpectation(edges=EDGES))),
    ("counts: {spans: 1, errors: 0, events: {gte: 1}}", Expect(counts=(
        CountExpectation(what="spans", comparator=of(eq=1)), CountExpectation(what="errors", comparator=of(eq=0)),
        CountExpectation(what="events", comparator=of(gte=1)),
    ))),
    ("counts: {by_name: {a: 2}, by_service: {api: 1}, by_kind: {server: 1}}", Expect(counts=(
        CountExpectation(what="by_name", key="a", comparator=of(eq=2)),
        CountExpectation(what="by_service", key="api", comparator=of(eq=1)),
        CountExpectation(what="by_kind", key="server", comparator=of(eq=1)),
    ))),
    ("status: {all: {ne: error}, by_name: {a: ok}}", Expect(status=(
        StatusExpectation(comparator=of(ne="error")), StatusExpectation(name=A, comparator=of(eq="ok")),
    ))),
    ("hermeticity: {egress: none, leaks: none, resource: {k: v}, forbid_attributes: [u], services: closed}",
     Expect(hermeticity=HermeticityExpectation(
         egress_none=True, leaks_none=True, resource={"k": of(eq="v")}, forbid_attributes=("u",), services_closed=True,
     ))),
    (f"counts: {{spans: 1, {ID}}}",
     Expect(counts=(CountExpectation(what="spans", comparator=of(eq=1), **NAMED),))),
    (f"status: {{all: ok, {ID}}}", Expect(status=(StatusExpectation(comparator=of(eq="ok"), **NAMED),))),
    (f"hermeticity: {{leaks: none, {ID}}}", Expect(hermeticity=HermeticityExpectation(leaks_none=True, **NAMED))),
    (f"lint: {{min_score: 80, {ID}}}", Expect(lint=LintExpectation(min_score=80, **NAMED))),
]  # fmt: skip
GRAPHS = [
    ("no_edges: [[a, b]]", GraphExpectation(no_edges=EDGES)),
    ("paths: [[a, b]]", GraphExpectation(paths=EDGES)),
    ("no_paths: [[a, b]]", GraphExpectation(no_paths=EDGES)),
    ("service_edges: [[a, b]]", GraphExpectation(service_edges=EDGES)),
    ("acyclic: true", GraphExpectation(acyclic=True)),
    ("single_root: true", GraphExpectation(single_root=True)),
    ("no_orphans: true", GraphExpectation(no_orphans=True)),
    ("connected: true", GraphExpectation(connected=True)),
    ("max_depth: 12", GraphExpectation(max_depth=12)),
    ("closed: true", GraphExpectation(closed=True)),
    ("edges: [{pair: [a, b], id: x}]", GraphExpectation(edges=(EdgeExpectation(parent=A, child=B, id="x"),))),
    (f"edges: [[a, b]], {ID}", GraphExpectation(edges=EDGES, **NAMED)),
]
FIGURES = [
    ("resilience", "success_rate: {gte: 0.7}", (figure("success_rate", of(gte=0.7)),)),
    ("resilience", "latency: {avg: 1s, p50: 1s, p95: 1s, p99: 1s, max: 1s}", tuple(
        figure(f"latency.{name}", of(eq=Duration(SEC))) for name in ("avg", "p50", "p95", "p99", "max")
    )),
    ("resilience", "throughput: {gte: 5}", (figure("throughput", of(gte=5)),)),
    ("resilience", "recovery_time: {lte: 3s}", (figure("recovery_time", of(lte=Duration(3 * SEC))),)),
    ("resilience", "detection_time: {lte: 1s}", (figure("detection_time", of(lte=Duration(SEC))),)),
    ("resilience", "rto: {lte: 1s}", (figure("rto", of(lte=Duration(SEC))),)),
    ("resilience", "rpo: {lte: 10}", (figure("rpo", of(lte=10)),)),
    ("resilience", "unavailability: {lte: 1s}", (figure("unavailability", of(lte=Duration(SEC))),)),
    ("resilience", "degradation: {lte: 0.2}", (figure("degradation", of(lte=0.2)),)),
    ("resilience", "availability: 1", (figure("availability", of(eq=1)),)),
    ("resilience", "operations: {gte: 100}", (figure("operations", of(gte=100)),)),
    ("resilience", "error_budget: {slo: 0.99, burn: {lte: 1}}", (figure("error_budget.burn", of(lte=1), slo=0.99),)),
    ("resilience", "stability: {variance: {lt: 100}}", (figure("stability.variance", of(lt=100)),)),
    ("resilience", "stability: {variance: {lt: 100}, last_to_first: {lt: 2}, window: 5s}", (
        figure("stability.variance", of(lt=100), window=Duration(5 * SEC)),
        figure("stability.last_to_first", of(lt=2), window=Duration(5 * SEC)),
    )),
    ("resilience", "recovery_time: {avg: 1s, p95: 1s, max: 1s, during: f}", tuple(
        figure(f"recovery_time.{name}", of(eq=Duration(SEC)), during="f") for name in ("avg", "p95", "max")
    )),
    ("resilience", "rpo: {lte: 10, journal: j, during: f}", (figure("rpo", of(lte=10), journal="j", during="f"),)),
    ("resilience", "latency: {p99: 1s, during: f}", (figure("latency.p99", of(eq=Duration(SEC)), during="f"),)),
    ("resilience", "rpo: {lte: 1, during: f}, operations: 2, journal: j", (
        figure("rpo", of(lte=1), journal="j", during="f"), figure("operations", of(eq=2), journal="j"),
    )),
    ("resilience", f"rpo: 0, {ID}", (figure("rpo", of(eq=0), **NAMED),)),
    ("resources", "api: {memory_peak: {lte: 128MiB}, cpu_time: {lte: 2s}, open_files: {lte: 100}}", (
        ResourceExpectation(service="api", memory_peak=of(lte=Size(128 * 2**20)), cpu_time=of(lte=Duration(2 * SEC)),
                            open_files=of(lte=100)),
    )),
    ("resources", f"api: {{growth: {{lte: 5MiB}}, restarts: 0, oom_killed: false, {ID}}}", (
        ResourceExpectation(
            service="api", growth=of(lte=Size(5 * 2**20)), restarts=of(eq=0), oom_killed=False, **NAMED
        ),
    )),
    ("faults", f"f: {{verified: true, backend: {{in: [netem]}}, {ID}}}", (
        FaultExpectation(fault="f", verified=True, backend=of(in_=("netem",)), **NAMED),
    )),
    ("faults", "f: {impact: {affected: [api], unaffected: [web]}}", (
        FaultExpectation(fault="f", affected=("api",), unaffected=("web",)),
    )),
]  # fmt: skip
LATER = [
    ("hermeticity", "egress: declared", HermeticityExpectation(egress_declared=True)),
]  # fmt: skip
LISTS = [
    ("windows", "outer: a, contains: [b], strict: true, max_duration: 30s", WindowExpectation(
        outer=A, contains=(B,), strict=True, max_duration=Duration(30 * SEC))),
    ("order", "first: a, then: b", OrderExpectation(first=A, then=B)),
    ("order", "first: a, then: b, by: end_start, within: trace", OrderExpectation(
        first=A, then=B, by="end_start", within="trace")),
    ("overlap", "pair: [a, b]", OverlapExpectation(first=A, second=B)),
    ("intervals", "spans: {name: a}, gap: {gte: 1s}, factor: 2", IntervalExpectation(
        spans=selects(), gap=of(gte=Duration(SEC)), factor=2.0)),
    ("rate", "spans: {name: a, during: f}, window: 1s, max: 10", RateExpectation(
        spans=selects(during="f"), window=Duration(SEC), max=10)),
    ("concurrency", "spans: {service: a}, max: 5", ConcurrencyExpectation(spans=SpanSelector(service=A), max=5)),
    ("metrics", "name: m, where: {}, value: {lte: 1}", MetricExpectation(name="m", value=of(lte=1))),
    ("metrics", "name: m, where: {a: 1}, value: 1", MetricExpectation(name="m", where={"a": of(eq=1)}, value=of(eq=1))),
    ("logs", "service: api, matches: ERROR, count: 0", LogExpectation(service="api", matches="ERROR", count=of(eq=0))),
    ("logs", "service: api, matches: up", LogExpectation(service="api", matches="up", count=of(gte=1))),
]  # fmt: skip


@pytest.mark.parametrize(("source", "wanted"), NOW)
def test_blocks_that_run_carries_out_today(source, wanted):
    assert accepted(suite_expect, f"{{{source}}}") == wanted
    assert deferred(suite_expect, f"{{{source}}}") == []


@pytest.mark.parametrize(("source", "wanted"), GRAPHS)
def test_all_of_a_graph_is_carried_out_today(source, wanted):
    assert accepted(suite_expect, f"{{graph: {{{source}}}}}") == Expect(graph=wanted)
    assert deferred(suite_expect, f"{{graph: {{{source}}}}}") == []


@pytest.mark.parametrize(("key", "source", "wanted"), FIGURES)
def test_figures_are_carried_out_today(key, source, wanted):
    assert accepted(suite_expect, f"{{{key}: {{{source}}}}}") == Expect(**{key: wanted})
    assert deferred(suite_expect, f"{{{key}: {{{source}}}}}") == []


@pytest.mark.parametrize(("key", "source", "wanted"), LATER)
def test_blocks_that_run_refuses_by_name(key, source, wanted):
    assert accepted(suite_expect, f"{{{key}: {{{source}}}}}") == Expect(**{key: wanted})
    assert deferred(suite_expect, f"{{{key}: {{{source}}}}}")


CARRIED_OUT = {"metrics", "logs", "concurrency", "intervals", "order", "overlap", "rate", "windows"}


@pytest.mark.parametrize(("key", "source", "wanted"), LISTS)
def test_lists_of_expectations(key, source, wanted):
    assert accepted(suite_expect, f"{{{key}: [{{{source}}}]}}") == Expect(**{key: (wanted,)})
    named = type(wanted)(**{f: getattr(wanted, f) for f in wanted.__dataclass_fields__} | NAMED)
    assert accepted(suite_expect, f"{{{key}: [{{{source}, {ID}}}]}}") == Expect(**{key: (named,)})
    # Level and the rest come with the block, so that the block alone is named, except in pairs.
    refused = (3, f'"{key}" in it') in deferred(suite_expect, f"{{{key}: [{{{source}}}]}}")
    assert refused == (key not in CARRIED_OUT)


def test_pairs_may_be_lists():
    assert accepted(suite_expect, "{overlap: [[a, b]]}").overlap == (OverlapExpectation(first=A, second=B),)


INVARIANTS = [
    ("unchanged: {snapshot: s}", kinds.SnapshotInvariant(kind="unchanged", snapshot="s")),
    ("drift: {snapshot: s}", kinds.SnapshotInvariant(kind="drift", snapshot="s")),
    ("dump_digest: {snapshot: s}", kinds.SnapshotInvariant(kind="dump_digest", snapshot="s")),
    ("delta: {snapshot: s, value: 10}", kinds.DeltaInvariant(snapshot="s", value=of(eq=10))),
    (f"unique: {{sql: {SQL}, column: id}}", kinds.ColumnInvariant(kind="unique", sql=ROWS, column="id")),
    (f"monotonic: {{sql: {SQL}, column: id}}", kinds.ColumnInvariant(kind="monotonic", sql=ROWS, column="id")),
    (f"reconcile: {{left: {{sql: {SQL}}}, right: {{redis: {{service: c, command: [GET, t]}}}}}}",
     kinds.ReconcileInvariant(left=ROWS, right=RedisAction(service="c", commands=(("GET", "t"),)))),
    (f"acknowledged: {{journal: j, present: {{sql: {SQL}}}}}", kinds.AcknowledgedInvariant(
        journal="j", present=ROWS, lost=equal_to(0), duplicated=equal_to(0))),
    (f"acknowledged: {{journal: j, present: {{sql: {SQL}}}, lost: {{lte: 3}}, duplicated: 1}}",
     kinds.AcknowledgedInvariant(journal="j", present=ROWS, lost=of(lte=3), duplicated=of(eq=1))),
    (f"orphans: {{sql: {SQL}}}", kinds.OrphansInvariant(sql=ROWS)),
    ("single_leader: {probe: {tcp: {service: db, port: 5432}}, at_most: 2, interval: 1s}", kinds.SingleLeaderInvariant(
        probe=TCP, at_most=2, interval=Duration(SEC))),
    ("single_leader: {probe: {tcp: {service: db, port: 5432}}}", kinds.SingleLeaderInvariant(probe=TCP)),
    (f"order: {{sql: {SQL}, per: account, by: version}}",
     kinds.RowOrderInvariant(sql=ROWS, per="account", by="version")),
    (f"order: {{sql: {SQL}, by: version}}", kinds.RowOrderInvariant(sql=ROWS, by="version")),
    ("error_classes: {journal: j, only: [timeout]}", kinds.ErrorClassesInvariant(journal="j", only=("timeout",))),
    ("error_classes: {journal: j, only: []}", kinds.ErrorClassesInvariant(journal="j", only=())),
    ("fairness: {journal: j, by: worker, min_share: 0.5}",
     kinds.FairnessInvariant(journal="j", by="worker", min_share=0.5)),
    ("holds: {tcp: {service: db, port: 5432}}", kinds.HoldsInvariant(probe=TCP)),
]  # fmt: skip


@pytest.mark.parametrize(("source", "check"), INVARIANTS)
def test_invariants(source, check):
    assert accepted(scenario_expect, f"{{invariants: [{{id: i, {source}}}]}}") == invariant(check)


def test_every_kind_of_invariant_is_read_here():
    record = next(r for r in records_in(suite_expect) if r.place == "expect.invariants[]")
    assert {source.partition(":")[0] for source, _ in INVARIANTS} == set(record.exactly_one)


@pytest.mark.parametrize("source", ["passed", "degraded", "failed", "{outcome: passed, id: x, level: warning}"])
def test_a_scenario_has_an_outcome(source):
    word = source if source.isalpha() else "passed"
    more = {} if source.isalpha() else {"id": "x", "level": "warning"}
    wanted = OutcomeExpectation(outcome=word, **more)
    assert accepted(scenario_expect, f"{{outcome: {source}}}") == Expect(outcome=wanted)


REFUSED = [
    ("{}", "empty-expect", 2),
    ("{spans: []}", "empty-expect", 2),
    ("{outcome: passed}", "unknown-key", 3),
    ("{spans: [{}]}", "empty-expect", 11),
    ("{spans: [{each: true}]}", "empty-expect", 11),
    ("{spans: [{name: a, each: true, some: true}]}", "contradiction", 21),
    ("{spans: [{name: a, count: 0, root: true}]}", "impossible", 31),
    ("{spans: [{name: cleanroom.scenario, service: api}]}", "impossible", 38),
    ("{spans: [{name: cleanroom.scenario, parent: web}]}", "impossible", 38),
    ("{spans: [{name: a, root: true, ancestor: b}]}", "contradiction", 33),
    ("{spans: [{name: a, attributes: {all: {k: 1}, none: [k]}}]}", "contradiction", 54),
    ("{spans: [{where: {k: 1}, attributes: {all: {k: {gt: 1}}}}]}", "contradiction", 49),
    ("{spans: [{name: a, events: {all: [e], none: [e]}}]}", "contradiction", 47),
    ("{spans: [{name: a, attributes: {}}]}", "empty-expect", 33),
    ("{spans: [{name: a, attributes: {k: 1}}]}", "unknown-key", 34),
    ("{spans: [{name: a, resource: {}}]}", "empty-list", 31),
    ("{spans: [{name: a, links: {}}]}", "missing-key", 28),
    ("{spans: [{name: a, kind: servr}]}", "wrong-value", 27),
    ("{spans: [{name: a, schema: {}}]}", "empty-list", 29),
    ("{spans: [{name: a, schema: {k: {}}}]}", "empty-expect", 33),
    ("{spans: [{name: a, schema: {k: {type: text}}}]}", "wrong-value", 40),
    ("{spans: [{name: a, schema: {k: {minimum: 2, maximum: 1}}}]}", "impossible", 46),
    ("{spans: [{name: a, schema: {k: {exclusiveMinimum: 1, maximum: 1}}}]}", "impossible", 55),
    ("{spans: [{name: a, schema: {k: {type: string, minimum: 2}}}]}", "contradiction", 48),
    ("{spans: [{name: a, schema: {k: {type: string, enum: [1]}}}]}", "impossible", 48),
    ("{spans: [{name: a, schema: {k: {const: 1, enum: [2]}}}]}", "impossible", 34),
    ("{spans: [{name: a, schema: {k: {multipleOf: 0}}}]}", "wrong-value", 46),
    ("{graph: {edges: [[a]]}}", "wrong-value", 19),
    ("{graph: {edges: [a]}}", "wrong-type", 19),
    ("{graph: {edges: [{pair: [a, b, c]}]}}", "wrong-value", 26),
    ("{graph: {edges: [{id: x}]}}", "missing-key", 19),
    ("{graph: {acyclic: false}}", "wrong-value", 20),
    ("{graph: {max_depth: 0}}", "wrong-value", 22),
    ("{graph: {id: x}}", "empty-expect", 10),
    ("{counts: {}}", "empty-expect", 2),
    ("{counts: {spans: 1, by_name: {}}}", "empty-list", 31),
    ("{counts: {by_kind: {servr: 1}}}", "wrong-value", 22),
    ("{status: {all: fine}}", "wrong-value", 17),
    ("{hermeticity: {egress: some}}", "wrong-value", 25),
    ("{windows: [{outer: a}]}", "missing-key", 13),
    ("{windows: [{outer: a, contains: []}]}", "empty-list", 34),
    ("{order: [{first: a, then: a}]}", "impossible", 22),
    ("{order: [{first: a, then: b, within: span}]}", "wrong-value", 39),
    ("{intervals: [{spans: {name: a}, factor: 2}]}", "missing-key", 15),
    ("{intervals: [{spans: {}, gap: 1s}]}", "empty-expect", 23),
    ("{intervals: [{spans: {name: a}, gap: 5}]}", "wrong-value", 39),
    ("{intervals: [{spans: {name: a}, gap: 1s, factor: 0}]}", "wrong-value", 51),
    ("{rate: [{spans: {name: a}, window: 0s, max: 1}]}", "wrong-value", 37),
    ("{concurrency: [{spans: {name: a}, max: 0}]}", "wrong-value", 41),
    ("{resilience: {journal: j}}", "empty-expect", 15),
    ("{resilience: {success_rate: {gte: 70}}}", "impossible", 30),
    ("{resilience: {rpo: {during: f}}}", "empty-comparator", 21),
    ("{resilience: {rpo: {lte: 1, during: f}, during: g}}", "contradiction", 30),
    ("{resilience: {latency: {during: f}}}", "empty-expect", 25),
    ("{resilience: {latency: {p90: 1s}}}", "unknown-key", 26),
    ("{resilience: {error_budget: {slo: 1, burn: 1}}}", "impossible", 31),
    ("{resilience: {error_budget: {slo: 99, burn: 1}}}", "wrong-value", 36),
    ("{resilience: {stability: 1}}", "wrong-type", 27),
    ("{resilience: {recovery_time: {lte: 3}}}", "wrong-value", 37),
    ("{resources: {}}", "empty-expect", 2),
    ("{resources: {api: {}}}", "empty-expect", 20),
    ("{resources: {api: {id: x}}}", "empty-expect", 20),
    ("{resources: {api: {memory_peak: {lte: 2s}}}}", "wrong-value", 40),
    ("{faults: {f: {verified: false}}}", "wrong-value", 26),
    ("{faults: {f: {impact: {affected: [a], unaffected: [a]}}}}", "contradiction", 40),
    ("{faults: {f: {impact: {}}}}", "empty-expect", 15),
    ("{invariants: [{holds: {tcp: {service: db, port: 1}}}]}", "missing-key", 16),
    ("{invariants: [{id: i}]}", "one-of", 16),
    ("{invariants: [{id: i, drift: {snapshot: s}, unchanged: {snapshot: s}}]}", "one-of", 46),
    ("{invariants: [{id: i, delta: {snapshot: s}}]}", "missing-key", 31),
    ("{invariants: [{id: i, fairness: {journal: j, by: w, min_share: 2}}]}", "wrong-value", 65),
    ("{lint: {min_score: 0}}", "wrong-value", 21),
    ("{metrics: [{name: m}]}", "missing-key", 13),
    ("{logs: [{service: api, matches: '('}]}", "wrong-value", 34),
    ("{spans: [{name: a, level: fatal}]}", "wrong-value", 28),
]  # fmt: skip


@pytest.mark.parametrize(("source", "code", "column"), REFUSED)
def test_what_does_not_fit_is_refused_where_it_stands(source, code, column):
    assert (code, 2, column) in read(suite_expect, source).found


def test_a_journal_may_be_called_by_iteration():
    assert accepted(suite_expect, '{resilience: {rpo: 0, journal: "j-{{ iteration }}"}}').resilience[0].journal
    assert read(suite_expect, '{resilience: {rpo: 0, journal: "j-{{ captured }}"}}').codes == ["out-of-place-name"]


def test_every_key_of_expect_is_read_in_this_file():
    records = {record.place: record for record in records_in(scenario_expect)}
    sources = [f"spans: {s}" for s, _ in SPANS] + [s for s, _ in SCHEMAS] + [s for s, _ in (*NOW, *GRAPHS)]
    sources += [f"{key}: {s}" for key, s, _ in (*FIGURES, *LATER, *LISTS)] + [s for s, _ in INVARIANTS]
    text = " ".join([*sources, "outcome: x invariants: y schema: z"])
    missing = [
        f"{place}.{key}" for place, record in records.items() if "expect" in place for key in record.keys
        if f"{key}:" not in text
    ]  # fmt: skip
    assert missing == []


@pytest.mark.parametrize("source", [f"{{{s}}}" for s, _ in NOW]
                         + [f"{{{k}: {{{s}}}}}" for k, s, _ in (*FIGURES, *LATER)]
                         + [f"{{graph: {{{s}}}}}" for s, _ in GRAPHS]
                         + [f"{{{k}: [{{{s}}}]}}" for k, s, _ in LISTS]
                         + [f"{{invariants: [{{id: i, {s}}}]}}" for s, _ in INVARIANTS]
                         + [f"{{spans: [{{name: a, schema: {{k: {s}}}}}]}}" for s, _ in SCHEMAS])  # fmt: skip
def test_a_journal_holds_every_expectation(source):
    wanted = accepted(suite_expect, source)
    assert decode(json.loads(json.dumps(encode(wanted))), Expect) == wanted
