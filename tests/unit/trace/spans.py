"""Spans and traces for tests, and strategies for whole forests."""

from __future__ import annotations

from hypothesis import strategies as st

from cleanroom.trace.model import Origin, Resource, Scope, Span, SpanKind, StatusCode, Trace

TRACE = "aa" * 16


def span(name, number, parent=0, **fields):
    """A span called `name` with id `number` (1, 2, …) under the span with id `parent` (0: a root)."""
    values = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_id": f"{parent:016x}" if parent else "",
        "start_ns": number * 1000,
        "end_ns": number * 1000 + 500,
        "kind": SpanKind.INTERNAL,
        "resource": Resource(attributes={"service.name": "api"}),
        "scope": Scope(name="lib", version="1"),
        **fields,
    }
    return Span(name=name, **values)


def runner(name, number, parent=0, **fields):
    return span(name, number, parent, origin=Origin.RUNNER, resource=Resource(), scope=Scope(), **fields)


def system(**order):
    """A small trace as a run makes it; `order` becomes attributes of the INSERT span."""
    return Trace.of(
        [
            runner("cleanroom.iteration", 1),
            runner("cleanroom.step:place", 2, 1, attributes={"type": "http", "timeout_ms": 30000}),
            span("POST /orders", 3, 2, kind=SpanKind.SERVER, attributes={"http.response.status_code": 201}),
            span("SELECT stock", 4, 3, kind=SpanKind.CLIENT),
            span("INSERT orders", 5, 3, kind=SpanKind.CLIENT, attributes={"db.system": "postgresql", **order}),
        ]
    )


_names = st.sampled_from(["GET /", "INSERT", "SELECT"])
_values = st.one_of(st.integers(-3, 3), st.sampled_from(["5", "x", ""]), st.booleans(), st.sampled_from([1.5, 5.0]))
_attributes = st.dictionaries(st.sampled_from(["a", "b", "int"]), _values, max_size=2)


@st.composite
def forests(draw, size=10):
    """Return a list of spans: any forest, any order of start."""
    count = draw(st.integers(0, size))
    return [
        span(
            draw(_names),
            number,
            draw(st.integers(0, number - 1)),
            start_ns=draw(st.integers(0, 5)),
            attributes=draw(_attributes),
            status=draw(st.sampled_from(list(StatusCode))),
        )
        for number in range(1, count + 1)
    ]
