"""What is drawn: nodes in the order of a walk from the roots, and edges between them."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.trace.model import Span, StatusCode, Trace

NAMELESS = "(no service.name)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One span or one service; `above` is the node from which the walk came, -1 for a root."""

    label: str
    detail: str = ""
    error: bool = False
    above: int = -1
    depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One edge by indexes of nodes; `count` spans of the second have their parent in the first."""

    source: int
    target: int
    count: int = 1
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A picture; `hidden` nodes are not in it, and every drawing says so."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    hidden: int = 0
    tree: bool = False
    """Whether each node has one way from a root, so that it can be drawn by indentation."""


def span_graph(trace: Trace, most: int) -> Graph:
    """Return the spans as trees, roots and siblings by start; a loop of parents is entered at its earliest span.

    Of more than `most` spans the first ones of the walk are drawn.
    """
    nodes: list[Node] = []
    drawn: dict[int, int] = {}
    seen: set[int] = set()
    starts = [s for s in trace.spans if trace.parent(s) is None] + list(trace.spans)
    for start in starts:
        waiting: list[tuple[Span, int, int]] = [(start, -1, 0)]
        while waiting:
            span, above, depth = waiting.pop()
            if id(span) in seen:
                continue
            seen.add(id(span))
            if len(nodes) >= most:
                continue
            drawn[id(span)] = len(nodes)
            nodes.append(_span_node(trace, span, above, depth))
            below = drawn[id(span)]
            waiting.extend((child, below, depth + 1) for child in reversed(trace.children_of(span)))
    hidden = len(trace.spans) - len(nodes)
    edges = tuple(Edge(source=node.above, target=index) for index, node in enumerate(nodes) if node.above >= 0)
    count = len(trace.spans)
    return Graph(
        title=f"{count} span{'s' if count != 1 else ''}", nodes=tuple(nodes), edges=edges, hidden=hidden, tree=True
    )


def _span_node(trace: Trace, span: Span, above: int, depth: int) -> Node:
    told = [span.service or NAMELESS, f"{span.duration_ns / 10**6:.3f} ms"]
    told += ["error"] if span.status is StatusCode.ERROR else []
    told += ["parent missing"] if span.parent_id and trace.parent(span) is None else []
    return Node(
        label=span.name, detail=", ".join(told), error=span.status is StatusCode.ERROR, above=above, depth=depth
    )


def service_graph(trace: Trace, most: int) -> Graph:
    """Return the services by name, and for each two how many spans of one have their parent in the other."""
    spans: dict[str, list[int]] = {}
    calls: dict[tuple[str, str], list[int]] = {}
    for span in trace.spans:
        failed = int(span.status is StatusCode.ERROR)
        own = spans.setdefault(span.service or NAMELESS, [0, 0])
        own[0], own[1] = own[0] + 1, own[1] + failed
        parent = trace.parent(span)
        if parent is not None and parent.service != span.service:
            call = calls.setdefault((parent.service or NAMELESS, span.service or NAMELESS), [0, 0])
            call[0], call[1] = call[0] + 1, call[1] + failed
    names = sorted(spans)[:most]
    index = {name: number for number, name in enumerate(names)}
    depths = _depths(names, calls)
    nodes = tuple(
        Node(
            label=name,
            detail=_figures(spans[name][0], spans[name][1], "span"),
            error=spans[name][1] > 0,
            depth=depths[name],
        )
        for name in names
    )
    edges = tuple(
        Edge(source=index[one], target=index[other], count=count, errors=errors)
        for (one, other), (count, errors) in sorted(calls.items())
        if one in index and other in index
    )
    title = f"{len(spans)} service{'s' if len(spans) != 1 else ''}"
    return Graph(title=title, nodes=nodes, edges=edges, hidden=len(spans) - len(names))


def _depths(names: list[str], calls: dict[tuple[str, str], list[int]]) -> dict[str, int]:
    """Return how many calls each service is away from one that nobody calls; in a circle, from its first by name."""
    below: dict[str, list[str]] = {}
    called = {other for _, other in calls}
    for one, other in sorted(calls):
        below.setdefault(one, []).append(other)
    found: dict[str, int] = {}
    for start in [name for name in names if name not in called] + names:
        if start in found:
            continue
        found[start] = 0
        waiting = [start]
        for name in waiting:  # grows while it is walked: breadth first
            for other in below.get(name, ()):
                if other not in found:
                    found[other] = found[name] + 1
                    waiting.append(other)
    return found


def _figures(count: int, errors: int, noun: str) -> str:
    told = f"{count} {noun}{'s' if count != 1 else ''}"
    return told + (f", {errors} error{'s' if errors != 1 else ''}" if errors else "")


def edge_label(edge: Edge) -> str:
    """Return what an edge between services says."""
    return _figures(edge.count, edge.errors, "call")


def hidden_label(graph: Graph) -> str:
    """Return what a drawing says of the nodes that are not in it, or the empty string."""
    return f"and {graph.hidden} more, not drawn" if graph.hidden else ""
