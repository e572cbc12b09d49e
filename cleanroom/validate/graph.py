"""`expect.graph`: which spans and services are connected, and how (spec.md section 6).

An empty trace breaks every check of it. A parent that never arrived holds nothing, and where it could hide what is
forbidden it breaks the check: what is not known is no evidence.
"""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.spec.graph import GraphExpectation
from cleanroom.validate.ancestry import Ancestry, ancestry_of
from cleanroom.validate.evidence import remedy
from cleanroom.validate.graph_pairs import PairRule, breach_of, holds, rules_of
from cleanroom.validate.graph_services import Calls, calls_of, closed_breach, service_circle
from cleanroom.validate.graph_shape import (
    Breach,
    connected_breach,
    depth_breach,
    loop_breach,
    orphan_breach,
    root_breach,
)
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene
from cleanroom.validate.wording import ids

EXPECTED = {
    "acyclic": "no circle of parents, and none of services that call each other",
    "single_root": "exactly one root in each trace, the runner's spans included",
    "no_orphans": "a parent that arrived, in the same trace, for every span that names one",
    "connected": "every span of a trace reached from the one root of it",
    "closed": "no edge that the spec does not declare",
}


def judge_graph(scene: Scene, graph: GraphExpectation | None) -> tuple[Check, ...]:
    """Judge every check of a `graph` block: one for each pair, and one for each property that is asked for."""
    if graph is None:
        return ()
    ancestry = ancestry_of(scene)
    calls = calls_of(ancestry) if graph.service_edges or graph.acyclic or graph.closed else Calls()
    pairs = [_judge_pair(scene, graph, rule, ancestry, calls) for rule in rules_of(graph)]
    return (*pairs, *_judge_shape(scene, graph, ancestry, calls))


def graph_holds_so_far(scene: Scene, graph: GraphExpectation | None) -> bool:
    """Whether every pair that must be there is, as far as services' spans can show it, and anything arrived at all."""
    if graph is None or not (any(not rule.of_runner for rule in rules_of(graph)) or _asks_of_shape(graph)):
        return True
    ancestry = ancestry_of(scene)
    calls = calls_of(ancestry) if graph.service_edges else Calls()
    wanted = [rule for rule in rules_of(graph) if not (rule.forbids or rule.of_runner)]
    return bool(scene.service_spans) and all(holds(scene, rule, ancestry, calls) for rule in wanted)


def _asks_of_shape(graph: GraphExpectation) -> bool:
    asked = graph.acyclic or graph.single_root or graph.no_orphans or graph.connected or graph.closed
    return asked or graph.max_depth is not None


def _judge_pair(scene: Scene, graph: GraphExpectation, rule: PairRule, ancestry: Ancestry, calls: Calls) -> Check:
    pair = rule.pair
    subject = pair.id or f'"{pair.parent}" → "{pair.child}"'
    name = f"{_block(graph)} {rule.noun} {subject}"
    found = breach_of(scene, rule, ancestry, calls)
    if found is None:
        return Check(rule=rule.rule, name=name, at=pair.at)
    missing = rule.needs_service and not scene.service_spans
    finding = Finding(
        rule=rule.rule,
        level="warning" if "warning" in (graph.level, pair.level) else "error",
        at=pair.at,
        expected=rule.expected + _aim(pair.description or graph.description),
        found=found.found,
        near_misses=found.near_misses,
        span_ids=ids(found.spans),
        remedy=remedy(missing=missing) or found.remedy,
        telemetry_missing=missing,
    )
    return Check(rule=rule.rule, name=name, at=pair.at, findings=(finding,))


def _judge_shape(scene: Scene, graph: GraphExpectation, ancestry: Ancestry, calls: Calls) -> Iterator[Check]:
    """Judge what is asked of the graph as a whole, in the order of the spec language."""
    if graph.acyclic:
        found = loop_breach(ancestry, service_circle(ancestry, calls))
        yield _check(scene, graph, "graph.acyclic", EXPECTED["acyclic"], found)
    if graph.single_root:
        yield _check(scene, graph, "graph.single_root", EXPECTED["single_root"], root_breach(ancestry))
    if graph.no_orphans:
        yield _check(scene, graph, "graph.no_orphans", EXPECTED["no_orphans"], orphan_breach(ancestry))
    if graph.connected:
        yield _check(scene, graph, "graph.connected", EXPECTED["connected"], connected_breach(ancestry))
    if graph.max_depth is not None:
        expected = f"at most {graph.max_depth} service spans in a chain from a root down"
        yield _check(scene, graph, "graph.max_depth", expected, depth_breach(ancestry, graph.max_depth))
    if graph.closed:
        found = closed_breach(scene, graph, ancestry, calls)
        yield _check(scene, graph, "graph.closed", EXPECTED["closed"], found)


def _check(scene: Scene, graph: GraphExpectation, rule: str, expected: str, found: Breach | None) -> Check:
    key = rule.removeprefix("graph.")
    name, at = f"{_block(graph)} {key}", graph.place(key)
    missing = not scene.service_spans
    if found is None and not missing:
        return Check(rule=rule, name=name, at=at)
    told = Breach(found="no span of a service, and of nothing there is no evidence") if found is None else found
    finding = Finding(
        rule=rule,
        level=graph.level,
        at=at,
        expected=expected + _aim(graph.description),
        found=told.found,
        near_misses=told.near_misses,
        span_ids=ids(told.spans),
        remedy=remedy(missing=missing) or told.remedy,
        telemetry_missing=missing,
    )
    return Check(rule=rule, name=name, at=at, findings=(finding,))


def _block(graph: GraphExpectation) -> str:
    return f"graph {graph.id}:" if graph.id else "graph"


def _aim(description: str) -> str:
    return f" ({description})" if description else ""
