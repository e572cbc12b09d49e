from __future__ import annotations

from types import MappingProxyType

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.checks.expect import check_expect
from cleanroom.spec.declared import Declared
from cleanroom.spec.fault import AtManual, Fault
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.expect import scenario_expect
from cleanroom.spec.shapes.place import Place
from cleanroom.spec.target import Target
from tests.unit.spec.shapes.reading import node_of


def fault(name, kind, **fields):
    return Fault(id=name, kind=kind, target=Target(service="db"), moment=AtManual(), **fields)


KILL = MappingProxyType({"revive": "none"})
FAULTS = {
    "slow": fault("slow", "network.latency"),
    "flush": fault("flush", "cache.flush"),
    "dead": fault("dead", "container.kill", parameters=KILL),
    "dead-a-while": fault("dead-a-while", "container.kill", parameters=KILL, duration=Duration(10**9)),
    "blind": fault("blind", "network.latency", verify=False, backend="netem"),
    "broken": None,
}
DECLARED = Declared(
    services=("api", "db"),
    faults=MappingProxyType(FAULTS),
    steps=("place", "pay"),
    journals=("orders",),
    groups=MappingProxyType({"orders": ("worker", "sku")}),
    snapshots=("before",),
)
SQL = "{service: db, query: select 1}"


def problems(source, declared=DECLARED):
    log = ProblemLog("x.cleanroom.yaml")
    node = node_of(source)
    expect = scenario_expect(node, Place(log, "expect"))
    assert log.sorted() == ()
    check_expect(expect, node, declared, log)
    return log.sorted()


def found(source, declared=DECLARED):
    return [(problem.code, problem.at.column) for problem in problems(source, declared)]


FINE = [
    "{spans: [{name: a, during: slow}]}",
    "{spans: [{name: a, before: flush}, {name: a, after: flush}]}",
    "{spans: [{name: a, before: dead}]}",
    "{spans: [{name: a, during: dead-a-while}, {name: a, after: dead-a-while}]}",
    "{spans: [{name: a, during: broken}]}",
    "{spans: [{name: 'cleanroom.step:place'}, {name: 'cleanroom.step:*'}, {parent: cleanroom.scenario}]}",
    "{spans: [{name: cleanroom.chaos.network.latency}]}",
    "{spans: [{name: {regex: '^cleanroomservice'}}, {name: {regex: 'cleanroom'}}]}",
    "{spans: [{name: a, count: 0}, {name: b}]}",
    "{spans: [{name: a, service: api, count: 0}, {name: a}]}",
    "{spans: [{name: a, count: 0, level: warning}, {name: a}]}",
    "{spans: [{name: a, count: 0}, {name: a*}]}",
    "{spans: [{name: a, count: {gte: 1}}, {name: a, count: {lt: 3}}]}",
    "{counts: {spans: 3, by_name: {a: 1, b: 2}}}",
    "{counts: {spans: 3, by_name: {a: 2, 'a*': 3}}}",
    "{counts: {spans: 1, by_name: {'cleanroom.step:*': 5}}}",
    "{counts: {spans: 0, by_name: {'cleanroom.step:*': 5}}}",
    "{graph: {edges: [[a, b], [b, a]], no_edges: [[a, c]], acyclic: true}}",
    "{graph: {paths: [[a, b]], no_edges: [[a, b]]}}",
    "{graph: {service_edges: [[api, db]], acyclic: true}}",
    "{order: [{first: a, then: b}, {first: b, then: c}, {first: a, then: c}], overlap: [[a, b]]}",
    "{resilience: {recovery_time: 1s, rpo: {lte: 1, journal: orders, during: slow}}}",
    "{resources: {api: {restarts: 0}}, logs: [{service: db, matches: x}]}",
    "{faults: {slow: {verified: true, backend: netem, impact: {affected: [api]}}, blind: {backend: {in: [netem]}}}}",
    "{invariants: [{id: i, unchanged: {snapshot: before}}, {id: j, error_classes: {journal: orders, only: []}}]}",
    "{invariants: [{id: i, holds: {span: {service: whoever}}}]}",
    "{invariants: [{id: i, fairness: {journal: orders, by: worker, min_share: 1}}]}",
    "{invariants: [{id: i, fairness: {journal: orders, by: sku, min_share: 1}}]}",
    f"{{invariants: [{{id: i, orphans: {{sql: {SQL}}}}}]}}",
]


@pytest.mark.parametrize("source", FINE)
def test_what_fits_together_is_let_through(source):
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "code", "column"),
    [
        ("{spans: [{name: a, during: slwo}]}", "unknown-fault", 29),
        ("{spans: [{name: a, before: x}]}", "unknown-fault", 29),
        ("{spans: [{name: a, after: x}]}", "unknown-fault", 28),
        ("{spans: [{name: a, during: flush}]}", "impossible", 29),
        ("{spans: [{name: a, during: dead}]}", "impossible", 29),
        ("{spans: [{name: a, after: dead}]}", "impossible", 28),
        ("{intervals: [{spans: {name: a, during: x}, gap: 1s}]}", "unknown-fault", 41),
        ("{rate: [{spans: {during: flush}, window: 1s, max: 1}]}", "impossible", 27),
        ("{concurrency: [{spans: {after: dead}, max: 1}]}", "impossible", 33),
        ("{resilience: {rpo: {lte: 1, during: x}}}", "unknown-fault", 38),
        ("{resilience: {latency: {p99: 1s, during: flush}}}", "impossible", 43),
        ("{resilience: {rpo: 1, during: x}}", "unknown-fault", 32),
        ("{resilience: {rpo: 1, journal: order}}", "unknown-journal", 33),
        ("{resilience: {rpo: {lte: 1, journal: order}}}", "unknown-journal", 39),
        ("{resources: {app: {restarts: 0}}}", "unknown-service", 15),
        ("{logs: [{service: app, matches: x}]}", "unknown-service", 20),
        ("{faults: {slwo: {verified: true}}}", "unknown-fault", 12),
        ("{faults: {slow: {impact: {affected: [app]}}}}", "unknown-service", 39),
        ("{faults: {slow: {impact: {unaffected: [app]}}}}", "unknown-service", 41),
        ("{faults: {blind: {verified: true}}}", "contradiction", 30),
        ("{faults: {blind: {backend: {ne: netem}}}}", "contradiction", 29),
        ("{invariants: [{id: i, drift: {snapshot: x}}]}", "unknown-snapshot", 42),
        ("{invariants: [{id: i, delta: {snapshot: x, value: 1}}]}", "unknown-snapshot", 42),
        ("{invariants: [{id: i, fairness: {journal: x, by: worker, min_share: 1}}]}", "unknown-journal", 44),
        ("{invariants: [{id: i, fairness: {journal: orders, by: wroker, min_share: 1}}]}", "wrong-value", 56),
        ("{invariants: [{id: i, holds: {tcp: {service: x, port: 1}}}]}", "unknown-service", 47),
        ("{invariants: [{id: i, orphans: {sql: {service: x, query: q}}}]}", "unknown-service", 49),
        ("{spans: [{name: a, id: x}, {name: b, id: x}]}", "duplicate-expectation", 43),
        ("{graph: {id: x, edges: [{pair: [a, b], id: x}]}}", "duplicate-expectation", 45),
        ("{resources: {api: {restarts: 0, id: x}}, lint: {min_score: 1, id: x}}", "duplicate-expectation", 68),
        ("{spans: [{name: cleanroom.scenarios}]}", "impossible", 18),
        ("{spans: [{name: a, parent: 'cleanroom.step:x'}]}", "impossible", 29),
        ("{spans: [{name: {regex: '^cleanroom.step:'}, count: 0}]}", "impossible", 18),
        ("{spans: [{name: a, parent: {regex: '^cleanroom[.]'}}]}", "impossible", 29),
        ("{spans: [{name: {regex: '^cleanroom\\.'}}]}", "impossible", 18),
        ("{graph: {edges: [[cleanroom.step, a]]}}", "impossible", 19),
        ("{graph: {no_paths: [[a, cleanroom.x]]}}", "impossible", 22),
        ("{windows: [{outer: cleanroom.x, contains: [a]}]}", "impossible", 21),
        ("{windows: [{outer: a, contains: [cleanroom.x]}]}", "impossible", 35),
        ("{order: [{first: cleanroom.x, then: a}]}", "impossible", 19),
        ("{overlap: [[a, cleanroom.x]]}", "impossible", 13),
        ("{rate: [{spans: {name: cleanroom.x}, window: 1s, max: 1}]}", "impossible", 25),
        ("{status: {by_name: {cleanroom.x: ok}}}", "impossible", 22),
        ("{counts: {by_name: {cleanroom.x: 0}}}", "impossible", 22),
    ],
)
def test_references_to_nothing_are_told_where_they_stand(source, code, column):
    assert found(source) == [(code, column)]


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("{spans: [{name: a, count: 2}, {name: a, count: {lt: 2}}]}", 49),
        ("{spans: [{name: a, where: {k: 1}, count: 2}, {where: {k: 1}, name: a, count: 3}]}", 79),
        ("{spans: [{name: a, count: 0}, {name: a}]}", 32),
        ("{spans: [{name: a, count: 2}], counts: {by_name: {a: 3}}}", 55),
        ("{spans: [{service: api, count: 2}], counts: {by_service: {api: 3}}}", 65),
        ("{spans: [{name: a, count: 0}, {name: a, service: api}]}", 32),
        ("{spans: [{name: 'a*', count: 0}, {name: ab, service: api}]}", 35),
        ("{spans: [{name: a, count: 0}, {name: b, parent: a}]}", 50),
        ("{spans: [{name: a, count: 0}, {name: b, ancestor: a}]}", 52),
        ("{spans: [{name: 'a*', count: 0}], graph: {edges: [[b, ab]]}}", 52),
        ("{spans: [{name: a, count: 0}], graph: {paths: [[a, b]]}}", 49),
        ("{counts: {by_name: {a: 0}}, graph: {edges: [[a, b]]}}", 46),
        ("{spans: [{name: a, count: 0}], windows: [{outer: a, contains: [b]}]}", 51),
        ("{spans: [{name: a, count: 0}], windows: [{outer: b, contains: [a]}]}", 65),
        ("{spans: [{name: a, count: 0}], order: [{first: b, then: a}]}", 58),
        ("{spans: [{name: a, count: 0}], overlap: [[a, b]]}", 43),
        ("{spans: [{name: a, count: 0}], rate: [{spans: {name: a}, window: 1s, max: 1}]}", 55),
        ("{spans: [{name: a, count: 0}], status: {by_name: {a: ok}}}", 55),
        ("{counts: {spans: 0}, status: {all: ok}}", 37),
        ("{counts: {spans: 0, errors: 0}}", 30),
        ("{counts: {spans: 0}, graph: {service_edges: [[api, db]]}}", 47),
        ("{counts: {spans: 0, by_service: {api: 1}}}", 40),
        ("{counts: {spans: {lte: 2}, by_name: {a: 1, b: 2}}}", 42),
        ("{counts: {spans: {lte: 2}, by_kind: {server: 2, client: 1}}}", 47),
        ("{counts: {spans: {lte: 2}, errors: {gt: 2}}}", 37),
        ("{graph: {edges: [[a, b]], no_edges: [[a, b]]}}", 19),
        ("{graph: {edges: [[a, b]], no_edges: [['*', b]]}}", 19),
        ("{graph: {edges: [[a, b]], no_paths: [[a, b]]}}", 19),
        ("{graph: {paths: [[a, b]], no_paths: [[a, b]]}}", 19),
        ("{graph: {service_edges: [[a, b], [b, c], [c, a]], acyclic: true}}", 43),
        ("{order: [{first: a, then: b}, {first: b, then: a}]}", 32),
        ("{order: [{first: a, then: b}, {first: b, then: c}, {first: c, then: a}]}", 53),
        ("{order: [{first: a, then: b, by: end_start}], overlap: [[b, a]]}", 58),
    ],
)
def test_expectations_that_exclude_each_other_are_refused(source, column):
    assert ("contradiction", column) in found(source)
    assert {code for code, _ in found(source)} == {"contradiction"}


@pytest.mark.parametrize(
    "broken",
    [
        "spans: [{name: a, count: 0}, {name: a, count: {eq: 1.5}}]",
        "spans: [{name: a, count: 0}, {name: a, status: fine}]",
        "spans: [{name: a, count: {gte: 5, lt: 5}}], counts: {by_name: {a: 0}}",
        "spans: [{name: a, count: 0}], order: [{first: a, then: b, by: begin}]",
        "order: [{first: a, then: b}, {first: b, then: a, within: hour}]",
        "spans: [{name: a, count: 0}], windows: [{outer: b, contains: [a], strict: maybe}]",
    ],
)
def test_an_expectation_that_was_not_read_in_full_is_compared_with_no_other(broken):
    log = ProblemLog("x.cleanroom.yaml")
    node = node_of(f"{{{broken}}}")
    expect = scenario_expect(node, Place(log, "expect"))
    before = log.sorted()
    check_expect(expect, node, DECLARED, log)
    assert len(before) == 1
    assert log.sorted() == before


def test_what_only_faults_show_needs_one():
    bare = Declared(services=("api",))
    assert found("{resilience: {recovery_time: {lte: 1s}}}", bare) == [("impossible", 31)]
    assert found("{resilience: {success_rate: {gte: 1}}}", bare) == []
    assert found("{spans: [{name: 'cleanroom.chaos.*'}]}", bare) == [("impossible", 18)]


def test_the_nearest_name_is_told():
    assert problems("{spans: [{during: slwo}]}")[0].suggestion == "did you mean slow?"
    assert problems("{spans: [{name: 'cleanroom.step:plac'}]}")[0].suggestion == "did you mean cleanroom.step:place?"


def test_the_circle_is_named_in_order():
    (problem,) = problems("{order: [{first: a, then: b}, {first: b, then: a}]}")
    assert problem.message.startswith('"b" -> "a" -> "b"')


def test_many_expectations_are_checked_in_little_time():
    spans = ", ".join(f"{{name: 's{n}*', count: 0}}, {{name: t{n}}}" for n in range(1500))
    pairs = ", ".join(f"['a{n}*', b]" for n in range(1500))
    assert found(f"{{spans: [{spans}], graph: {{edges: [{pairs}], no_edges: [{pairs.replace('a', 'c')}]}}}}") == []
