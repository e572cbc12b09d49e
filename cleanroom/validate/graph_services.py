"""Which service calls which, by direct parents: `service_edges`, `closed`, and circles of services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from cleanroom.spec.graph import EdgeExpectation, GraphExpectation
from cleanroom.trace.model import Origin
from cleanroom.validate import wording
from cleanroom.validate.ancestry import MISSING, Ancestry, components
from cleanroom.validate.graph_shape import Breach
from cleanroom.validate.scene import Scene
from cleanroom.validate.select import matches, named


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """(service of the parent, service of the child) → the places of such children, a service's own among them."""

    between: Mapping[tuple[str, str], list[int]] = field(default_factory=dict)


def calls_of(ancestry: Ancestry) -> Calls:
    """Return the calls of a scene: direct parents and children that services sent."""
    services = [span.service if span.origin is Origin.SERVICE else None for span in ancestry.spans]
    above = [
        {service for place in places if (service := services[place]) is not None} for places in ancestry.members
    ]  # fmt: skip
    between: dict[tuple[str, str], list[int]] = {}
    for place, up in enumerate(ancestry.above):
        callee = services[place]
        if up >= 0 and callee is not None:
            for caller in sorted(above[up]):
                between.setdefault((caller, callee), []).append(place)
    return Calls(between=between)


def calls_between(calls: Calls, pair: EdgeExpectation) -> Iterator[tuple[str, str]]:
    """Yield the calls that a pair names; within one service only where the pair names that one service twice."""
    callers = {caller for caller, _ in calls.between}
    callers = {caller for caller in callers if matches(pair.parent, caller)}
    callees = {callee for _, callee in calls.between}
    callees = {callee for callee in callees if matches(pair.child, callee)}
    within = pair.parent == pair.child and pair.parent.is_literal
    for caller, callee in calls.between:
        if caller in callers and callee in callees and (caller != callee or within):
            yield caller, callee


def shown_service(name: str) -> str:
    """Return how a finding names a service."""
    return name or "(no service.name)"


def service_circle(ancestry: Ancestry, calls: Calls) -> Breach | None:
    """Return the services that call each other in a circle: the shortest one from the first of them by name."""
    names = sorted({service for call in calls.between for service in call})
    number = {name: index for index, name in enumerate(names)}
    callers: list[list[int]] = [[] for _ in names]
    callees: list[list[int]] = [[] for _ in names]
    for caller, callee in sorted(calls.between):
        if caller != callee:
            callers[number[callee]].append(number[caller])
            callees[number[caller]].append(number[callee])
    found = [sorted(part) for part in components(range(len(names)), callers) if len(part) > 1]
    if not found:
        return None
    circles = sorted(_shortest(part, callees) for part in found)
    told = [" → ".join(shown_service(names[index]) for index in circle) for circle in circles]
    first = [names[index] for index in circles[0]]
    places = [calls.between[call][0] for call in pairwise(first)]
    return Breach(
        found=f"services call each other in a circle: {wording.listing(told)}",
        near_misses=tuple(
            f"{shown_service(caller)} calls {shown_service(callee)}: {wording.label(ancestry.spans[place])}"
            for (caller, callee), place in list(zip(pairwise(first), places, strict=True))[: wording.MAX_EXAMPLES]
        ),
        spans=tuple(ancestry.spans[place] for place in places),
    )


def _shortest(part: list[int], callees: list[list[int]]) -> list[int]:
    """Return the shortest way from the first of `part` through others of it back to itself."""
    start, inside = part[0], set(part)
    came_from: dict[int, int] = {}
    ways = [start]
    for node in ways:  # grows, nearest first, until the start is met again
        for callee in callees[node]:
            if callee == start:
                way = [start, node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if callee in inside and callee not in came_from:
                came_from[callee] = node
                ways.append(callee)
    return part


def closed_breach(scene: Scene, graph: GraphExpectation, ancestry: Ancestry, calls: Calls) -> Breach | None:
    """Return the edges that the spec does not declare: of services, and with `edges` of spans.

    With `edges` alone every direct edge of service spans must stand there; where `service_edges` stands, or neither,
    every edge between services must stand in it; with both, both. An edge from a span that never arrived is none that
    was declared.
    """
    by_spans = _undeclared_spans(scene, graph, ancestry) if graph.edges else {}
    by_services = _undeclared_calls(graph, calls) if graph.service_edges or not graph.edges else {}
    lost = [
        place for place, up in enumerate(ancestry.above)
        if up == MISSING and ancestry.spans[place].origin is Origin.SERVICE
    ]  # fmt: skip
    if not (by_spans or by_services or lost):
        return None
    told = [
        *(f"{shown_service(a)} → {shown_service(b)} ({_example(ancestry, by_services[a, b])})"
          for a, b in sorted(by_services)),
        *(f'"{a}" → "{b}" ({_example(ancestry, by_spans[a, b])})' for a, b in sorted(by_spans)),
        *(f"from {ancestry.spans[p].parent_id}, which never arrived, to {wording.label(ancestry.spans[p])}"
          for p in lost[: wording.MAX_EXAMPLES]),
    ]  # fmt: skip
    number = len(by_spans) + len(by_services) + len(lost)
    more = number - wording.MAX_EXAMPLES
    examples = [places[0] for _, places in (*sorted(by_services.items()), *sorted(by_spans.items()))]
    return Breach(
        found=f"{wording.plural(number, 'edge')} that no pair declares: {'; '.join(told[: wording.MAX_EXAMPLES])}"
        + (f"; and {more} more" if more > 0 else ""),
        spans=tuple(ancestry.spans[place] for place in (*examples, *lost)),
        remedy=_declare(by_services, by_spans),
    )


def _declare(by_services: Mapping[tuple[str, str], list[int]], by_spans: Mapping[tuple[str, str], list[int]]) -> str:
    for key, found in (("service_edges", by_services), ("edges", by_spans)):
        if found:
            first, second = min(found)
            return f"if it is meant to be, declare it: `{key}: [[{first}, {second}]]`" if first and second else ""
    return ""


def _example(ancestry: Ancestry, places: list[int]) -> str:
    first = wording.label(ancestry.spans[places[0]])
    return f"{wording.plural(len(places), 'edge')}, the first to {first}"


def _undeclared_calls(graph: GraphExpectation, calls: Calls) -> dict[tuple[str, str], list[int]]:
    declared = {call for pair in graph.service_edges for call in calls_between(calls, pair)}
    return {call: places for call, places in calls.between.items() if call[0] != call[1] and call not in declared}


def _undeclared_spans(scene: Scene, graph: GraphExpectation, ancestry: Ancestry) -> dict[tuple[str, str], list[int]]:
    """Return the undeclared edges of service spans, as (name of the parent, name of the child)."""
    own = [span.name if span.origin is Origin.SERVICE else None for span in ancestry.spans]
    names = [{name for place in places if (name := own[place]) is not None} for places in ancestry.members]
    found: dict[tuple[str, str], list[int]] = {}
    for place, up in enumerate(ancestry.above):
        child = own[place]
        if up >= 0 and child is not None:
            for parent in names[up]:
                found.setdefault((parent, child), []).append(place)
    declared = [
        ({span.name for span in named(scene, pair.parent)}, {span.name for span in named(scene, pair.child)})
        for pair in graph.edges
        if not (pair.parent.of_runner or pair.child.of_runner)
    ]
    return {
        (parent, child): places
        for (parent, child), places in found.items()
        if not any(parent in parents and child in children for parents, children in declared)
    }
