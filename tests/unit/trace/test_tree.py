from __future__ import annotations

from cleanroom.trace.model import Trace
from cleanroom.trace.tree import span_path
from tests.unit.trace.spans import span


def path(spans, index):
    trace = Trace.of(spans)
    return span_path(trace, spans[index])


def test_a_path_names_every_ancestor():
    spans = [span("a", 1), span("b", 2, 1), span("c", 3, 2)]
    assert [path(spans, index) for index in range(3)] == ["a", "a > b", "a > b > c"]


def test_an_orphans_path_begins_with_it():
    assert path([span("x", 1, 9), span("y", 2, 1)], 1) == "x > y"


def test_deep_paths_and_cycles_end_with_an_ellipsis_at_the_front():
    deep = path([span("s", number, number - 1) for number in range(1, 100)], -1)
    assert deep.split(" > ") == ["…"] + ["s"] * 32
    assert path([span("a", 1, 2), span("b", 2, 1)], 0).startswith("… > ")
