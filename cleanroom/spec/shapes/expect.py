"""The shape of `expect` (spec.md section 6)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanroom.spec.document import Items, Table
from cleanroom.spec.expect import (
    AttributeConditions,
    CountExpectation,
    EdgeExpectation,
    EventConditions,
    Expect,
    HermeticityExpectation,
    OutcomeExpectation,
    Pattern,
    SpanExpectation,
    StatusExpectation,
)
from cleanroom.spec.satisfiable import admits_only_zero
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.shape import Record, RefusedError, boolean, choice, free_text, items, name, table, text
from cleanroom.spec.shapes.value import pattern, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.shape import Fields, Place, Shape

_KINDS = ("internal", "server", "client", "producer", "consumer", "unspecified")
_STATUSES = ("unset", "ok", "error")
_CONDITIONS = ("parent", "ancestor", "root", "attributes", "resource", "events", "links", "status", "duration", "some",
               "each")  # fmt: skip
_EXPECTATION: frozenset[str] = frozenset({"id", "description", "level"})
_comparators = table(comparator())
_count = comparator("count")

_ATTRIBUTES = Record(
    place="expect.spans[].attributes",
    keys={"all": _comparators, "any": _comparators, "none": texts},
    advice=MappingProxyType({"*": "write attributes: {all: {…}}"}),
)
_EVENTS = Record(place="expect.spans[].events", keys={"all": texts, "any": texts, "none": texts})
_LINKS = Record(place="expect.spans[].links", keys={"count": _count}, required=("count",))


def _not_empty(record: Record, node: Node, place: Place) -> Fields:
    fields = record(node, place)
    if not any(_has_items(entry.value) for entry in fields.node.entries):
        raise place.wrong(node, "at least one check", code="empty-expect")
    return fields


def _has_items(node: Node) -> bool:
    if isinstance(node, Items):
        return bool(node.items)
    return not isinstance(node, Table) or bool(node.entries)


_SPAN = Record(
    place="expect.spans[]",
    keys={
        "id": name,
        "description": free_text,
        "level": choice("error", "warning"),
        "name": pattern,
        "service": pattern,
        "kind": choice(*_KINDS),
        "scope": pattern,
        "where": _comparators,
        "during": text,
        "before": text,
        "after": text,
        "count": _count,
        "parent": pattern,
        "ancestor": pattern,
        "root": boolean,
        "attributes": lambda node, place: AttributeConditions(**_not_empty(_ATTRIBUTES, node, place).values),
        "resource": _comparators,
        "events": lambda node, place: EventConditions(**_not_empty(_EVENTS, node, place).values),
        "links": lambda node, place: _LINKS(node, place).values["count"],
        "status": comparator(words=_STATUSES),
        "duration": comparator("duration"),
        "each": boolean,
        "some": boolean,
    },
    later=frozenset({"schema"}),
    advice=MappingProxyType({"match": "did you mean name or where?"}),
)


def _span(node: Node, place: Place) -> SpanExpectation:
    fields = _SPAN(node, place)
    values = fields.values
    if not fields.written - {"id", "description", "level", "each", "some"}:
        raise place.wrong(node, "a selector (name, service, kind, …), a count or a condition", code="empty-expect")
    each, some = values.pop("each", None), values.get("some", False)
    if each is not None and each is some:
        message = f"{place.path} says each and some against each other"
        place.log.report("contradiction", fields.node.key_at("each"), message)
    count = values.get("count")
    conditions = sorted(fields.written.intersection(_CONDITIONS))
    if count is not None and conditions and admits_only_zero(count):
        message = f"{place.path} wants no span, so {conditions[0]} would never be judged"
        suggestion = "select by it (where, service, kind, …) or take it out"
        place.log.report("impossible", fields.node.key_at(conditions[0]), message, suggestion=suggestion)
    runner = isinstance(values.get("name"), Pattern) and values["name"].of_runner
    if runner and "service" in fields.written:
        message = f"{place.path} can never select: the runner's own spans belong to no service"
        place.log.report("impossible", fields.node.key_at("service"), message)
    return SpanExpectation(at=node.at, **values)


def _edge(node: Node, place: Place) -> EdgeExpectation:
    pair = items(pattern)(node, place)
    if not isinstance(node, Items) or len(node.items) != 2:  # noqa: PLR2004
        raise place.wrong(node, "a pair [parent, child]", code="wrong-value")
    if len(pair) != 2:  # noqa: PLR2004 -- one of the two did not fit and has been reported
        raise RefusedError
    return EdgeExpectation(parent=pair[0], child=pair[1], at=node.at)


_GRAPH = Record(
    place="expect.graph",
    keys={"edges": items(_edge, at_least=1)},
    later=frozenset({
        "no_edges", "paths", "no_paths", "service_edges", "acyclic", "single_root", "no_orphans", "connected",
        "max_depth", "closed", *_EXPECTATION,
    }),
)  # fmt: skip
_COUNTS = Record(
    place="expect.counts",
    keys={
        "spans": _count,
        "errors": _count,
        "events": _count,
        "by_name": table(_count),
        "by_service": table(_count),
        "by_kind": table(_count, lambda key: "" if key in _KINDS else f"is not a kind of span ({', '.join(_KINDS)})"),
    },
    later=_EXPECTATION,
)
_status = comparator(words=_STATUSES)
_STATUS = Record(place="expect.status", keys={"all": _status, "by_name": table(_status)}, later=_EXPECTATION)
_HERMETICITY = Record(
    place="expect.hermeticity",
    keys={
        "egress": choice("none"),
        "leaks": choice("none"),
        "resource": _comparators,
        "forbid_attributes": items(text, at_least=1),
        "services": choice("closed"),
    },
    later=_EXPECTATION,
)


def _counts(node: Node, place: Place) -> tuple[CountExpectation, ...]:
    fields = _not_empty(_COUNTS, node, place)
    found: list[CountExpectation] = []
    for what, value in fields.values.items():
        keyed: Mapping[str, Any] = value if what.startswith("by_") else {"": value}
        found += [CountExpectation(what=what, key=key, comparator=c, at=c.at) for key, c in keyed.items()]  # type: ignore[arg-type]
    return tuple(found)


def _statuses(node: Node, place: Place) -> tuple[StatusExpectation, ...]:
    values = _not_empty(_STATUS, node, place).values
    found = [StatusExpectation(comparator=values["all"], at=values["all"].at)] if "all" in values else []
    by_name = values.get("by_name", {})
    return (*found, *(StatusExpectation(name=Pattern(key), comparator=c, at=c.at) for key, c in by_name.items()))


def _hermeticity(node: Node, place: Place) -> HermeticityExpectation:
    values = _not_empty(_HERMETICITY, node, place).values
    return HermeticityExpectation(
        egress_none="egress" in values,
        leaks_none="leaks" in values,
        resource=values.get("resource", MappingProxyType({})),
        forbid_attributes=values.get("forbid_attributes", ()),
        services_closed="services" in values,
        at=node.at,
    )


def _graph(node: Node, place: Place) -> tuple[EdgeExpectation, ...]:
    edges: tuple[EdgeExpectation, ...] = _not_empty(_GRAPH, node, place).values.get("edges", ())
    return edges


_LATER = frozenset({
    "windows", "order", "overlap", "intervals", "rate", "concurrency", "resilience", "resources", "faults",
    "invariants", "lint", "metrics", "logs", *_EXPECTATION,
})  # fmt: skip
_SUITE_KEYS: dict[str, Shape[Any]] = {
    "spans": items(_span, at_least=1),
    "graph": _graph,
    "counts": _counts,
    "status": _statuses,
    "hermeticity": _hermeticity,
}
_outcome = choice("passed", "degraded", "failed")
_SUITE_EXPECT = Record(place="expect", keys=_SUITE_KEYS, later=_LATER)
_SCENARIO_EXPECT = Record(
    place="scenarios[].expect",
    keys={
        **_SUITE_KEYS,
        "outcome": lambda node, place: OutcomeExpectation(outcome=_outcome(node, place), at=node.at),
    },
    later=_LATER,
)
RECORDS = (
    _SUITE_EXPECT, _SCENARIO_EXPECT, _SPAN, _ATTRIBUTES, _EVENTS, _LINKS, _GRAPH, _COUNTS, _STATUS, _HERMETICITY,
)  # fmt: skip


def _expect(record: Record, node: Node, place: Place) -> Expect:
    fields = _not_empty(record, node, place)
    if not fields.values:
        raise RefusedError
    values = fields.values
    return Expect(edges=values.pop("graph", ()), at=node.at, **values)


def suite_expect(node: Node, place: Place) -> Expect:
    """Read the top-level `expect`: judged on the spans of a whole iteration."""
    return _expect(_SUITE_EXPECT, node, place)


def scenario_expect(node: Node, place: Place) -> Expect:
    """Read a scenario's `expect`: judged on that scenario's spans and its outcome."""
    return _expect(_SCENARIO_EXPECT, node, place)
