from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.spec.shapes import expect_graph as shapes
from cleanroom.spec.source import Position
from cleanroom.trace.model import Trace
from cleanroom.validate.graph import judge_graph
from cleanroom.validate.scene import Scene
from tests.unit.spec.shapes.reading import accepted
from tests.unit.validate.builders import AT, TRACE, findings, record, rules, scene, sid, span
from tests.unit.validate.graph_cases import (
    ALONE,
    API,
    CASES,
    LOOP,
    ORPHAN,
    OTHER,
    QUEUE,
    RUNNER,
    SELF,
    SHOP,
    TOP,
    TWO,
    WEB,
    graph,
    pair,
)  # fmt: skip

RULES = [
    "graph.edges", "graph.no_edges", "graph.paths", "graph.no_paths", "graph.service_edges", "graph.acyclic",
    "graph.single_root", "graph.no_orphans", "graph.connected", "graph.max_depth", "graph.closed",
]  # fmt: skip


def judged(wanted, *spans, **kw):
    return judge_graph(scene(*spans, **kw), wanted)


def test_the_table_is_large_and_breaks_every_rule():
    assert len(CASES) >= 60
    assert {rule for wanted, _, wrong in CASES.values() for rule in rules(judged(wanted, *wrong))} == set(RULES)


@pytest.mark.parametrize("case", CASES)
def test_it_holds(case):
    wanted, right, _ = CASES[case]
    assert rules(judged(wanted, *right)) == []


@pytest.mark.parametrize("case", CASES)
def test_it_breaks(case):
    wanted, _, wrong = CASES[case]
    checks = judged(wanted, *wrong)

    assert rules(checks)
    for found in findings(checks):
        assert found.at == AT
        assert found.span_ids
        assert found.expected
        assert found.found
        assert not found.telemetry_missing
        assert len(found.near_misses) <= 3
        assert len(found.span_ids) <= 10


@pytest.mark.parametrize("case", CASES)
def test_an_empty_trace_breaks_all_of_it_and_is_missing_telemetry(case):
    wanted, _, _ = CASES[case]
    only_of_runner = case in {"an edge of the runner", "a path through the runner"}
    checks = judged(wanted, *(() if only_of_runner else RUNNER))

    assert all(check.findings for check in checks)
    for found in findings(checks):
        assert found.telemetry_missing is not only_of_runner
        assert bool(found.remedy) is not only_of_runner
    assert all(check.findings for check in judged(wanted))


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=15)
@given(data=st.data())
def test_the_order_of_arrival_makes_no_difference(case, data):
    wanted, right, wrong = CASES[case]
    for spans in (right, wrong):
        shuffled = tuple(data.draw(st.permutations(spans)))
        assert judged(wanted, *shuffled) == judged(wanted, *spans)


def test_no_block_is_no_check():
    assert judge_graph(scene(*SHOP), None) == ()


def test_there_is_a_check_for_each_pair_and_for_each_property_in_the_order_of_the_language():
    every = graph(
        closed=True, max_depth=4, connected=True, no_orphans=True, single_root=True, acyclic=True,
        service_edges=[("web", "api"), ("api", "db")], no_paths=[("db.*", "web.*")], paths=[("web.*", "db.*")],
        no_edges=[("web.*", "db.*")], edges=[("web.*", "api.*"), ("api.*", "*")],
    )  # fmt: skip
    assert [check.rule for check in judged(every, *SHOP)] == [
        "graph.edges", *RULES[:4], *["graph.service_edges"] * 2, *RULES[5:],
    ]  # fmt: skip


def test_checks_are_called_by_their_ids():
    wanted = graph(id="shape", edges=[pair("a", "b", id="first"), ("web.post", "x")], connected=True)
    assert [check.name for check in judged(wanted, *SHOP)] == [
        "graph shape: edge first", 'graph shape: edge "web.post" → "x"', "graph shape: connected",
    ]  # fmt: skip
    assert [check.name for check in judged(graph(no_paths=[("a", "b")], closed=True), *SHOP)] == [
        'graph no path "a" → "b"', "graph closed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("of_block", "of_pair", "levels"),
    [("error", "error", ["error", "error"]), ("error", "warning", ["warning", "error"]),
     ("warning", "error", ["warning", "warning"])],
)  # fmt: skip
def test_a_warning_of_the_block_is_one_of_all_in_it(of_block, of_pair, levels):
    wanted = graph(level=of_block, edges=[pair("a", "b", level=of_pair)], no_orphans=True)
    assert [found.level for found in findings(judged(wanted, ORPHAN))] == levels


def test_a_description_stands_in_the_finding_the_pair_s_own_first():
    wanted = graph(
        description="who calls whom", no_orphans=True,
        edges=[pair("a", "b", description="through the proxy"), ("c", "d")],
    )  # fmt: skip
    for found, words in zip(
        findings(judged(wanted, ORPHAN)), ["through the proxy", "who calls whom", "who calls whom"], strict=True
    ):
        assert found.expected.endswith(f"({words})")


def test_a_finding_stands_where_its_pair_does():
    place = Position("shop.cleanroom.yaml", 9, 11)
    wanted = graph(paths=[replace(pair("a", "b"), at=place)], no_orphans=True)
    assert [found.at for found in findings(judged(wanted, ORPHAN))] == [place, AT]


TEACHES = {
    # what is told: (the block, the spans, words of what was found or of the near misses, words of the remedy)
    "what the parent is": (
        graph(edges=[("web.post", "db.insert")]), SHOP,
        'the parent is "api.price"', "`paths` allows",
    ),
    "that it is turned round": (graph(edges=[("api.checkout", "web.post")]), SHOP, "the parent is", "other way round"),
    "that a path is turned round": (graph(paths=[("db.*", "web.*")]), SHOP, "no", "other way round"),
    "that a call is turned round": (graph(service_edges=[("api", "web")]), SHOP, "api → db: 1 edge", "other way round"),
    "that a parent was lost": (graph(edges=[("a", "late")]), (WEB, ORPHAN), f"{sid(99)} never arrived", "flushes"),
    "that there is no parent": (graph(edges=[("a", "web")]), (span(1, "web"),), "there is no parent", ""),
    "that it names itself": (graph(edges=[("a", "selfish")]), (SELF,), "names itself", ""),
    "what may be hidden": (graph(no_edges=[("a", "late")]), (WEB, ORPHAN), "never arrived, and so may be", "flushes"),
    "whom services call": (graph(service_edges=[("web", "db")]), SHOP, "web → api: 1 edge", ""),
    "the loop": (graph(acyclic=True), LOOP, '"ring.a" → "ring.b" → "ring.a"', "parent ids"),
    "the circle of services": (graph(acyclic=True), (*SHOP, QUEUE), "api → db → web → api", ""),
    "how many roots": (
        graph(single_root=True), (*SHOP, ALONE, TWO),
        f'trace {OTHER} has 2 roots ("cron", "cron.too")', "trace context",
    ),
    "that no root is there": (graph(single_root=True), (ORPHAN,), f"trace {TRACE} has no root", "flushes"),
    "the lost": (graph(no_orphans=True), (TOP, API, ORPHAN), "1 span whose parent never arrived", "flushes"),
    "the part that hangs loose": (graph(connected=True), (WEB, ORPHAN, span(10, "x")), "no root reaches", "flushes"),
    "the deepest chain": (
        graph(max_depth=2), SHOP,
        '4 of them: "web.post" > "api.checkout" > "api.price" > "db.insert"', "",
    ),
    "what to declare": (
        graph(closed=True, service_edges=[("web", "api")]), SHOP,
        "api → db (1 edge", "`service_edges: [[api, db]]`",
    ),
    "what to declare of spans": (
        graph(closed=True, edges=[("web.*", "api.*"), ("api.*", "api.*")]), SHOP,
        '"api.price" → "db.insert"', "`edges: [[api.price, db.insert]]`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TEACHES)
def test_a_finding_tells(case):
    wanted, spans, words, remedy = TEACHES[case]
    (found,) = findings(judged(wanted, *spans))

    assert words in " | ".join((found.found, *found.near_misses))
    assert remedy in found.remedy
    assert bool(remedy) is bool(found.remedy)


CHILDREN = tuple(span(n, f"db.{n}", parent=10, service="db") for n in range(100, 120))


@pytest.mark.parametrize(
    ("wanted", "spans"),
    [
        (graph(no_edges=[("web.*", "db.*")]), (TOP, *CHILDREN)),
        (graph(no_orphans=True), (ALONE, *CHILDREN)),
        (graph(closed=True, edges=[("web.post", "db.0")]), (TOP, *CHILDREN)),
        (graph(single_root=True), tuple(replace(s, trace_id=f"{n:032x}") for n, s in enumerate(CHILDREN))),
        (graph(acyclic=True), tuple(replace(s, parent_id=s.span_id) for s in CHILDREN)),
    ],
)
def test_many_are_told_in_three_and_a_number(wanted, spans):
    found = findings(judged(wanted, *spans))[-1]

    assert found.found.endswith("; and 17 more")
    assert len(found.span_ids) == 10


def probed(*spans):
    return Scene(trace=Trace.of((*RUNNER, *spans)), scenarios=(record(noise_traces=(OTHER,)),), services=("api",))


@pytest.mark.parametrize("key", ["single_root", "no_orphans", "connected", "closed", "acyclic"])
def test_a_probe_of_the_runner_is_the_parent_that_it_issued(key):
    probes = [span(n, "GET /health", parent=77, trace=OTHER) for n in (90, 91, 92)]

    assert rules(judge_graph(probed(*probes), graph(**{key: True}))) == []


@pytest.mark.parametrize("key", ["single_root", "no_orphans", "connected", "closed"])
def test_a_probe_does_not_hide_a_parent_that_was_lost(key):
    probes = [span(90, "GET /health", parent=77, trace=OTHER), span(91, "SELECT", parent=78, trace=OTHER)]

    assert rules(judge_graph(probed(*probes), graph(**{key: True}))) == [f"graph.{key}"]


def test_a_probe_is_no_forbidden_parent_and_no_depth():
    probe = span(90, "GET /health", parent=77, trace=OTHER)

    assert (
        rules(judge_graph(probed(probe), graph(no_edges=[("*", "GET *")], no_paths=[("*", "GET *")], max_depth=1)))
        == []
    )
    (found,) = findings(judge_graph(probed(probe), graph(edges=[("x", "GET *")])))
    assert found.near_misses[0].endswith("the parent is a probe of the runner, which makes no span")


def test_a_finding_of_a_property_stands_where_its_key_is_written():
    text = "{single_root: true,\n no_orphans: true,\n max_depth: 2}"
    asked = accepted(shapes.graph, text)
    checks = judged(asked, *SHOP, ORPHAN)

    assert [(check.rule, check.at.line) for check in checks] == [
        ("graph.single_root", 2), ("graph.no_orphans", 3), ("graph.max_depth", 4),
    ]  # fmt: skip
    assert [found.at.line for found in findings(checks)] == [3, 4]
