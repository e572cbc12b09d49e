"""However deep, wide or broken a trace is: the cost grows as its spans do, counted in steps of the interpreter."""

from __future__ import annotations

import sys

import pytest

from cleanroom.spec.graph import EdgeExpectation, GraphExpectation
from cleanroom.spec.pattern import Pattern
from cleanroom.validate.graph import judge_graph
from tests.unit.validate.builders import AT, rules, scene, span

MANY = 100_000


def pairs(*texts):
    return tuple(EdgeExpectation(parent=Pattern(a), child=Pattern(b), at=AT) for a, b in texts)


EVERY = GraphExpectation(
    edges=pairs(("top", "work"), ("work", "nothing")), no_edges=pairs(("nothing", "work")),
    paths=pairs(("top", "work"), ("work", "nothing")), no_paths=pairs(("nothing", "work"), ("work", "work")),
    service_edges=pairs(("api", "db"), ("db", "web")), acyclic=True, single_root=True, no_orphans=True, connected=True,
    max_depth=3, closed=True, at=AT,
)  # fmt: skip


def chain(number):
    return [span(1, "top"), *(span(n, "work", parent=n - 1, service="db") for n in range(2, number + 1))]


def equal_children(number):
    return [span(1, "top"), *(span(n, "work", parent=1, service="db", start=5) for n in range(2, number + 1))]


def one_loop(number):
    return [span(n, "work", parent=n % number + 1, service=("api", "db")[n % 2]) for n in range(1, number + 1)]


def small_loops(number):
    return [span(n, "work", parent=n + 1 if n % 2 else n - 1) for n in range(1, number + 1)]


def one_id(number):
    return [span(1 if n % 2 else n, "work", parent=1) for n in range(1, number + 1)]


def traces_of_one(number):
    return [span(1, "top", trace=f"{n:032x}") for n in range(1, number + 1)]


def orphans(number):
    return [span(n, "work", parent=number + n) for n in range(1, number + 1)]


def services_in_a_ring(number):
    return [
        span(n, "work", parent=n - 1, service=f"s{n % (number // 2)}", trace="c" * 32) for n in range(1, number + 1)
    ]  # fmt: skip


SHAPES = [chain, equal_children, one_loop, small_loops, one_id, traces_of_one, orphans, services_in_a_ring]


def steps(work):
    """How many steps of the interpreter a piece of work takes."""
    taken = 0

    def trace(frame, event, _):
        nonlocal taken
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        taken += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return taken


@pytest.mark.parametrize("shape", SHAPES)
def test_the_steps_grow_as_the_spans_do(shape):
    small, large = (scene(*shape(number)) for number in (100, 800))
    judge_graph(small, EVERY)  # what is learned once is no cost of the second

    assert steps(lambda: judge_graph(large, EVERY)) < 8 * 1.3 * steps(lambda: judge_graph(small, EVERY))


def test_the_count_of_steps_would_tell_a_square():
    def square(number):
        return steps(lambda: [a for a in range(number) for _ in range(number)])

    assert square(800) > 8 * 1.3 * square(100)


@pytest.mark.parametrize("shape", SHAPES)
def test_many_spans_of_any_shape_are_judged(shape):
    # What recurses or squares fails at a hundred thousand; of the other shapes ten thousand tell as much.
    number = MANY if shape in {chain, equal_children} else MANY // 10
    broken = rules(judge_graph(scene(*shape(number)), EVERY))

    assert ("graph.acyclic" in broken) is (shape in {one_loop, small_loops, one_id, services_in_a_ring})
    assert ("graph.max_depth" in broken) is (shape not in {equal_children, traces_of_one})
    assert ("graph.no_orphans" in broken) is (shape is orphans)
