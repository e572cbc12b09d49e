"""A graph as text, Mermaid and DOT; no name in it can command a terminal or break out of its label."""

from __future__ import annotations

from cleanroom.report.graph.model import Graph, Node, edge_label, hidden_label
from cleanroom.text import one_line, relay

_WIDTH = 200
_DEEPEST = 40
_MERMAID = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "`": "#96;", "&": "#amp;", "\\": "#92;"}


def text(graph: Graph) -> str:
    """Return spans as an indented tree, services as a list with the calls of each."""
    lines = [graph.title]
    if graph.tree:
        lines += [_indented(node) for node in graph.nodes]
    else:
        for index, node in enumerate(graph.nodes):
            lines.append(f"  {_label(node)}")
            lines += [
                f"    -> {one_line(graph.nodes[edge.target].label, _WIDTH)}: {edge_label(edge)}"
                for edge in graph.edges
                if edge.source == index
            ]
    lines += [hidden_label(graph)] if graph.hidden else []
    return relay("\n".join(lines) + "\n")


def _indented(node: Node) -> str:
    # Deeper ones say how deep they are: a line of nothing but blanks helps nobody.
    deep = f"[{node.depth}] " if node.depth > _DEEPEST else ""
    return "  " * (1 + min(node.depth, _DEEPEST)) + deep + _label(node)


def _label(node: Node) -> str:
    return f"{one_line(node.label, _WIDTH) or '(no name)'} ({one_line(node.detail, _WIDTH)})"


def mermaid(graph: Graph) -> str:
    """Return a Mermaid flowchart, bare: what shows it puts the fence around it."""
    lines = ["flowchart TD" if graph.tree else "flowchart LR"]
    lines += [f'    n{i}["{_entities(_label(node))}"]' for i, node in enumerate(graph.nodes)]
    for edge in graph.edges:
        label = "" if graph.tree else f'|"{_entities(edge_label(edge))}"|'
        lines.append(f"    n{edge.source} -->{label} n{edge.target}")
    lines += [f"    class n{i} error" for i, node in enumerate(graph.nodes) if node.error]
    lines += ["    classDef error stroke:#c00,stroke-width:3px"] if any(node.error for node in graph.nodes) else []
    lines += [f'    more["{hidden_label(graph)}"]'] if graph.hidden else []
    return relay("\n".join(lines) + "\n")


def _entities(label: str) -> str:
    return "".join(_MERMAID.get(character, character) for character in label)


def dot(graph: Graph) -> str:
    """Return a digraph for Graphviz."""
    lines = ["digraph trace {", f"  rankdir={'TB' if graph.tree else 'LR'};", "  node [shape=box];"]
    for index, node in enumerate(graph.nodes):
        colour = ", color=red, penwidth=3" if node.error else ""
        lines.append(f"  n{index} [label={_quoted(_label(node))}{colour}];")
    for edge in graph.edges:
        label = "" if graph.tree else f" [label={_quoted(edge_label(edge))}]"
        lines.append(f"  n{edge.source} -> n{edge.target}{label};")
    lines += [f"  more [label={_quoted(hidden_label(graph))}, shape=plaintext];"] if graph.hidden else []
    return relay("\n".join([*lines, "}"]) + "\n")


def _quoted(label: str) -> str:
    escaped = label.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
