"""A Flask server that calls itself: its spans are stock instrumentation's, and one is made by hand with every type."""

from __future__ import annotations

import signal
import sys

import requests
from flask import Flask
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

app = Flask(__name__)
tracer = trace.get_tracer("by-hand", "1.2.3")
ELSEWHERE = SpanContext(trace_id=7, span_id=9, is_remote=True, trace_flags=TraceFlags(1))


@app.get("/work")
def work() -> str:
    requests.get("http://127.0.0.1:8080/leaf", timeout=10)
    attributes = {"text": "ä", "flag": True, "big": 2**53 - 1, "share": 0.5, "texts": ["a", "b"], "numbers": [1, 2]}
    with tracer.start_as_current_span(
        "by hand", attributes=attributes, links=[Link(ELSEWHERE, {"why": "test"})]
    ) as span:
        span.add_event("noted", {"n": 1})
        span.set_status(Status(StatusCode.ERROR, "no"))
    return "done\n"


@app.get("/leaf")
def leaf() -> str:
    return "leaf\n"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(host="0.0.0.0", port=8080)
