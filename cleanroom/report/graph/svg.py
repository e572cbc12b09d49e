"""A graph as SVG, laid out here: a tree by indentation, services in layers; one file without script or reference."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from cleanroom.report.graph.model import Graph, Node, edge_label, hidden_label
from cleanroom.text import one_line, relay

_ROW, _STEP, _DEEPEST = 24, 20, 40
_BOX, _HIGH, _ACROSS, _DOWN = 220, 44, 340, 76
_MARGIN, _LETTER, _LONGEST = 16, 7.3, 120
_STYLE = (
    "text{font:12px ui-monospace,monospace;fill:#1f2328}.d{fill:#656d76}.e{fill:#cf222e}"
    "path,rect{fill:none;stroke:#8c959f}.b{fill:#fff}.x{stroke:#cf222e;stroke-width:2}"
)
_ARROW = (
    '<defs><marker id="a" markerWidth="8" markerHeight="8" refX="8" refY="4" orient="auto">'
    '<path d="M0,0 8,4 0,8z" style="fill:#8c959f"/></marker></defs>'
)


def svg(graph: Graph) -> str:
    """Return the picture as one SVG document."""
    width, height, body = _tree(graph) if graph.tree else _layers(graph)
    title = escape(graph.title)
    size = f'width="{width}" height="{height}"'
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" role="img">',
        f"<title>{title}</title><style>{_STYLE}</style>",
        _ARROW,
        f'<rect class="b" {size} style="stroke:none"/>',
        *body,
        "</svg>",
    )
    return relay("\n".join(lines) + "\n")


def _shown(text: str, limit: int = _LONGEST) -> str:
    return escape(one_line(text, limit))


def _tree(graph: Graph) -> tuple[int, int, list[str]]:
    body: list[str] = []
    widest = 0
    for index, node in enumerate(graph.nodes):
        x, y = _place(node, index)
        deep = f"[{node.depth}] " if node.depth > _DEEPEST else ""
        label = deep + one_line(node.label, _LONGEST)
        widest = max(widest, int(x + (len(label) + len(node.detail) + 2) * _LETTER))
        if node.above >= 0:
            up, above = _place(graph.nodes[node.above], node.above)
            body.append(f'<path d="M{up - 8},{above + 2} V{y - 4} H{x - 4}"/>')
        body.append(_line(x, y, label, node))
    rows = len(graph.nodes)
    if graph.hidden:
        body.append(f'<text class="d" x="{_MARGIN}" y="{_MARGIN + (rows + 1) * _ROW - 8}">{hidden_label(graph)}</text>')
        rows += 1
    return widest + 2 * _MARGIN, rows * _ROW + 2 * _MARGIN, body


def _place(node: Node, row: int) -> tuple[int, int]:
    return _MARGIN + 12 + min(node.depth, _DEEPEST) * _STEP, _MARGIN + (row + 1) * _ROW - 8


def _line(x: int, y: int, label: str, node: Node) -> str:
    mark = ' class="e"' if node.error else ""
    detail = f'<tspan class="d" dx="8">{_shown(node.detail)}</tspan>'
    return f'<text{mark} x="{x}" y="{y}">{escape(label) or "(no name)"}{detail}</text>'


def _layers(graph: Graph) -> tuple[int, int, list[str]]:
    layers: dict[int, int] = {}
    places: list[tuple[int, int]] = []
    for node in graph.nodes:
        row = layers.get(node.depth, 0)
        layers[node.depth] = row + 1
        places.append((_MARGIN + node.depth * _ACROSS, _MARGIN + 20 + row * _DOWN))
    body = [*_arrows(graph, places), *_boxes(graph, places)]
    width = 2 * _MARGIN + _BOX + max((node.depth for node in graph.nodes), default=0) * _ACROSS
    height = 2 * _MARGIN + 40 + max(layers.values(), default=0) * _DOWN
    if graph.hidden:
        body.append(f'<text class="d" x="{_MARGIN}" y="{height - 8}">{hidden_label(graph)}</text>')
    return width, height, body


def _arrows(graph: Graph, places: list[tuple[int, int]]) -> Iterator[str]:
    for edge in graph.edges:
        (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
        start, end = (x1 + _BOX, y1 + _HIGH // 2), (x2, y2 + _HIGH // 2)
        # Backwards, or within a layer, an arrow bows out above the boxes.
        bow = (
            f"C{start[0] + 60},{start[1]} {end[0] - 60},{end[1]} "
            if x2 > x1
            else (f"C{start[0] + 90},{min(y1, y2) - 40} {end[0] - 90},{min(y1, y2) - 40} ")
        )
        mark = ' class="x"' if edge.errors else ""
        yield f'<path{mark} marker-end="url(#a)" d="M{start[0]},{start[1]} {bow}{end[0]},{end[1]}"/>'
        middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2 - 6 - (20 if x2 <= x1 else 0))
        yield f'<text class="d" text-anchor="middle" x="{middle[0]}" y="{middle[1]}">{edge_label(edge)}</text>'


def _boxes(graph: Graph, places: list[tuple[int, int]]) -> Iterator[str]:
    most = int(_BOX / _LETTER) - 2
    for node, (x, y) in zip(graph.nodes, places, strict=True):
        mark = "b x" if node.error else "b"
        yield f'<rect class="{mark}" x="{x}" y="{y}" width="{_BOX}" height="{_HIGH}" rx="6"/>'
        yield f'<text x="{x + 8}" y="{y + 18}">{_shown(node.label, most)}</text>'
        yield f'<text class="{"e" if node.error else "d"}" x="{x + 8}" y="{y + 34}">{_shown(node.detail, most)}</text>'
