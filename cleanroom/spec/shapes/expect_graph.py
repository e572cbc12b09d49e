"""The shape of `expect.graph` (spec.md section 6)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.graph import EdgeExpectation, GraphExpectation
from cleanroom.spec.shapes.expectation import checked, identity, pair
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, integer, items, true

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.expectation import Pair
    from cleanroom.spec.shapes.place import Place


def _edge(found: Pair) -> EdgeExpectation:
    return EdgeExpectation(parent=found.first, child=found.second, at=found.at, **found.identity)


_edges = items(pair.then(_edge), at_least=1)
_CLASH = ("contradiction",)
_GRAPH = Record(
    place="expect.graph",
    doc="How spans and services are connected. Spans are connected by their parent ids, within one trace.",
    keys={
        "edges": Key(
            _edges, "Pairs of span names: some span of the first is the direct parent of one of the second.",
            example="[[api.checkout, db.insert]]", errors=_CLASH,
        ),
        "no_edges": Key(
            _edges, "Pairs of span names: no span of the first is the direct parent of one of the second, and none of "
            "these has a parent that never arrived.",
            example="[[web, db.insert]]", errors=_CLASH,
        ),
        "paths": Key(
            _edges, "Pairs of span names: some span of the first is an ancestor of one of the second, however far.",
            example="[[web, db.insert]]", errors=_CLASH,
        ),
        "no_paths": Key(
            _edges, "Pairs of span names: no span of the first is an ancestor of one of the second, and above these "
            "no parent is missing.",
            example="[[web, admin]]", errors=_CLASH,
        ),
        "service_edges": Key(
            _edges, "Pairs of services: some span of the first service is the direct parent of one of the second; of "
            "the same service only where both of the pair are that one name.",
            example="[[api, db]]", errors=_CLASH,
        ),
        "acyclic": Key(
            true, "Parent ids form no circle, and no service is called, even through others, by one that it calls.",
            errors=_CLASH,
        ),
        "single_root": Key(true, "Every trace has exactly one root, the runner's spans included."),
        "no_orphans": Key(true, "Every parent id is that of a span of the same trace."),
        "connected": Key(true, "All spans of a trace hang together: each is reached from its one root."),
        "max_depth": Key(
            integer(1), "The most service spans in a chain from a root down; the runner's do not count. A circle of "
            "parents and a parent that never arrived break it.",
            example="12", errors=("impossible",),
        ),
        "closed": Key(
            true, "Every edge between services stands in `service_edges`; with `edges`, every one of service spans "
            "there, and those between services in `service_edges` only where it is written too.",
        ),
        **identity(),
    },
    not_empty=True,
)  # fmt: skip


def _graph(node: Node, place: Place) -> GraphExpectation:
    fields = checked(_GRAPH, node, place)
    places = MappingProxyType({entry.key: entry.at for entry in fields.node.entries})
    return GraphExpectation(at=node.at, places=places, **fields.values)


graph: Shape[GraphExpectation] = Shape(_graph, "a mapping", _GRAPH, example="{edges: [[api.checkout, db.insert]]}")
"""`graph: {edges, …}`."""
