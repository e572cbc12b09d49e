from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.report.graph.model import service_graph, span_graph
from cleanroom.report.graph.svg import svg
from cleanroom.report.graph.text import dot, mermaid, text
from cleanroom.trace.model import Resource, StatusCode, Trace
from tests.unit.report.runs import HOSTILE
from tests.unit.trace.spans import forests, span

DB = Resource(attributes={"service.name": "db"})
SHOP = Trace.of(
    [
        span("GET /", 1),
        span("SELECT", 2, 1, resource=DB),
        span("INSERT", 3, 1, resource=DB, status=StatusCode.ERROR),
        span("stray", 9, 8, resource=Resource()),
    ]
)
SHOWS = {"text": text, "mermaid": mermaid, "dot": dot, "svg": svg}
GRAPHS = {"spans": span_graph, "services": service_graph}


def test_spans_are_a_tree_as_text():
    assert text(span_graph(SHOP, 10)) == (
        "4 spans\n"
        "  GET / (api, 0.001 ms)\n"
        "    SELECT (db, 0.001 ms)\n"
        "    INSERT (db, 0.001 ms, error)\n"
        "  stray ((no service.name), 0.001 ms, parent missing)\n"
    )


def test_services_are_told_with_their_calls_as_text():
    assert text(service_graph(SHOP, 10)) == (
        "3 services\n"
        "  (no service.name) (1 span)\n"
        "  api (1 span)\n"
        "    -> db: 2 calls, 1 error\n"
        "  db (2 spans, 1 error)\n"
    )


def test_mermaid_names_every_node_and_edge():
    assert mermaid(service_graph(SHOP, 10)) == (
        "flowchart LR\n"
        '    n0["(no service.name) (1 span)"]\n'
        '    n1["api (1 span)"]\n'
        '    n2["db (2 spans, 1 error)"]\n'
        '    n1 -->|"2 calls, 1 error"| n2\n'
        "    class n2 error\n"
        "    classDef error stroke:#c00,stroke-width:3px\n"
    )
    assert "    n0 --> n1\n    n0 --> n2\n" in mermaid(span_graph(SHOP, 10))


def test_dot_names_every_node_and_edge():
    assert dot(service_graph(SHOP, 10)) == (
        "digraph trace {\n"
        "  rankdir=LR;\n"
        "  node [shape=box];\n"
        '  n0 [label="(no service.name) (1 span)"];\n'
        '  n1 [label="api (1 span)"];\n'
        '  n2 [label="db (2 spans, 1 error)", color=red, penwidth=3];\n'
        '  n1 -> n2 [label="2 calls, 1 error"];\n'
        "}\n"
    )


@pytest.mark.parametrize("kind", GRAPHS)
def test_svg_is_xml_with_every_name_in_it(kind):
    root = ET.fromstring(svg(GRAPHS[kind](SHOP, 10)))  # noqa: S314 -- our own output
    told = " ".join(root.itertext())
    assert all(name in told for name in (["GET /", "stray"] if kind == "spans" else ["api", "2 calls, 1 error"]))


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("form", SHOWS)
def test_what_is_left_out_is_said(kind, form):
    graph = GRAPHS[kind](SHOP, 2)
    assert (len(graph.nodes), graph.hidden) == (2, 2 if kind == "spans" else 1)
    assert f"and {graph.hidden} more, not drawn" in SHOWS[form](graph)


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("form", SHOWS)
def test_a_hostile_name_breaks_out_of_no_picture(kind, form):
    hostile = HOSTILE + '"]; click n0 "javascript:1" \\" ]]></text><script>'
    bad = Trace.of([span(hostile, 1, resource=Resource(attributes={"service.name": hostile})), span("x", 2, 1)])
    out = SHOWS[form](GRAPHS[kind](bad, 10))
    assert not set(out) & set("\x1b\x00\x08\r")
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in out.splitlines())
    if form == "svg":
        tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(out).iter()}  # noqa: S314 -- our own output
        assert "script" not in tags
        assert "img" not in tags
    if form == "mermaid":
        assert all(line.count('"') in {0, 2} for line in out.splitlines())
        assert "<script" not in out
    if form == "dot":
        assert all(line.replace("\\\\", "").replace('\\"', "").count('"') in {0, 2} for line in out.splitlines())


@pytest.mark.parametrize("form", SHOWS)
def test_loops_and_depth_end(form):
    loop = [span("a", 1, 2), span("b", 2, 1), span("self", 3, 3)]
    graph = span_graph(Trace.of(loop), 10)
    assert [node.label for node in graph.nodes] == ["a", "b", "self"]
    deep = Trace.of(span("s", n, n - 1) for n in range(1, 5000))
    assert SHOWS[form](span_graph(deep, 5000))


def test_services_that_call_each_other_have_a_place():
    circle = Trace.of([span("a", 1), span("b", 2, 1, resource=DB), span("c", 3, 2)])
    graph = service_graph(circle, 10)
    assert [(node.label, node.depth) for node in graph.nodes] == [("api", 0), ("db", 1)]
    assert len(graph.edges) == 2
    assert ET.fromstring(svg(graph)) is not None  # noqa: S314 -- our own output


@given(forests(), st.randoms())
def test_every_span_is_drawn_once_in_whatever_order_they_came(spans, random):
    graph = span_graph(Trace.of(spans), 100)
    assert sorted(node.label for node in graph.nodes) == sorted(s.name for s in spans)
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert span_graph(Trace.of(shuffled), 100) == graph
