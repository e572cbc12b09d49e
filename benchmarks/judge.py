"""Judging without an engine: spans decoded, judged by 50 expectations, normalised and digested.

Prints the seconds of processor time of each part (nothing here waits) for 10,000 and 100,000 spans, and 1,000,000 with
`--million`; the peak memory; the exponent of the growth fitted over them (1 is linear); and what adversarial traces of
100,000 spans cost in proportion to the ordinary one: a chain 100,000 deep, one parent with 100,000 equal children,
100,000 traces of one span. Each measurement has a process of its own. Needs no engine. Exits 1 when a goal is missed:
100,000 spans in 1.5 s, a million in 15 s and 1.5 GB, an adversarial trace in 3 times the ordinary.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from cleanroom.spec.load import load_suite
from cleanroom.spec.suite import Suite
from cleanroom.telemetry.ports import Payload
from cleanroom.trace.digest import trace_digest
from cleanroom.trace.model import Origin, Trace
from cleanroom.trace.normalise import normalise
from cleanroom.trace.rules import NormaliseOptions
from cleanroom.validate.scenario import judge_expect
from cleanroom.validate.scene import Scene, decode_service_spans

ROOT = Path(__file__).resolve().parents[1]
ORDINARY, MILLION, SMALL = 100_000, 1_000_000, 10_000
SECONDS = {ORDINARY: 1.5, MILLION: 15.0}
MEMORY = 1.5 * 2**30
WORST = 3.0
BATCH = 512  # what an SDK's batch processor exports at once
SERVICES = ("web", "api", "db", "mail")
START = 1_700_000_000_000_000_000
PARTS = ("decode", "judge", "normalise", "digest")


def attribute(key: str, value: str | int | bool) -> KeyValue:
    """Return one attribute."""
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def span(number: int, parent: int, trace: int, name: str, **fields: object) -> Span:
    """Return span `number`; ids are its number, scattered."""
    return Span(
        trace_id=(trace * 0x9E3779B97F4A7C15 % 2**127 + 1).to_bytes(16, "big"),
        span_id=(number * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big"),
        parent_span_id=(parent * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big") if parent else b"",
        name=name,
        start_time_unix_nano=START + number * 1000,
        end_time_unix_nano=START + number * 1000 + 900_000,
        **fields,
    )


def ordinary(count: int) -> Iterator[tuple[int, Span]]:
    """Yield requests of ten spans through four services, each a trace, with the attributes that SDKs put on them."""
    for number in range(1, count + 1):
        place = (number - 1) % 10
        first = number - place
        service = (0, 1, 2, 2, 1, 3, 2, 1, 2, 3)[place]
        if service in {0, 1}:
            kind, name = Span.SPAN_KIND_SERVER, ("GET /orders/{id}", "POST /orders", "GET /stock")[place % 3]
            found = {
                "http.request.method": name.partition(" ")[0],
                "http.route": name.partition(" ")[2],
                "http.response.status_code": 200,
                "url.path": f"/orders/{number % 5000}",
                "server.address": SERVICES[service],
                "server.port": 8080,
                "client.address": f"10.213.0.{10 + service}",
                "client.port": 32768 + number % 20000,
                "user_agent.original": "python-requests/2.32.3",
            }
        else:
            kind, name = Span.SPAN_KIND_CLIENT, ("SELECT stock", "INSERT orders", "UPDATE stock")[place % 3]
            found = {
                "db.system.name": "postgresql",
                "db.query.text": f"{name} where id = {number}",
                "server.address": "10.213.0.12",
                "server.port": 5432,
                "thread.id": number % 16,
            }
        parent = 0 if place == 0 else first + (place - 1) // 2
        events = [Span.Event(name="order.created", time_unix_nano=START)] if place == 1 else []
        pairs = [attribute(key, value) for key, value in found.items()]
        yield service, span(number, parent, first, name, kind=kind, attributes=pairs, events=events, status=Status())


def chain(count: int) -> Iterator[tuple[int, Span]]:
    """Yield spans of which each is the child of the one before it."""
    for number, (service, found) in enumerate(ordinary(count), start=1):
        again = span(number, number - 1, 1, found.name, kind=found.kind, attributes=found.attributes)
        yield service, again


def star(count: int) -> Iterator[tuple[int, Span]]:
    """Yield one parent, and all others as its children and equal."""
    _, leaf = list(ordinary(10))[3]
    yield 0, span(1, 0, 1, "POST /orders", kind=Span.SPAN_KIND_SERVER)
    for number in range(2, count + 1):
        yield 2, span(number, 1, 1, leaf.name, kind=leaf.kind, attributes=leaf.attributes)


def dust(count: int) -> Iterator[tuple[int, Span]]:
    """Yield spans of which each is a trace of its own."""
    for number, (service, found) in enumerate(ordinary(count), start=1):
        yield service, span(number, 0, number, found.name, kind=found.kind, attributes=found.attributes)


SHAPES: dict[str, Callable[[int], Iterator[tuple[int, Span]]]] = {
    "ordinary": ordinary,
    "chain": chain,
    "star": star,
    "dust": dust,
}


def request(batch: list[tuple[int, Span]]) -> bytes:
    """Return the OTLP request of one batch, a group for each service."""
    groups: dict[int, list[Span]] = {}
    for service, found in batch:
        groups.setdefault(service, []).append(found)
    scope = InstrumentationScope(name="opentelemetry.instrumentation.http", version="0.57b0")
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(
                    attributes=[
                        attribute("service.name", SERVICES[service]),
                        attribute("service.instance.id", f"0f3e-{service}"),
                        attribute("process.pid", 7 + service),
                        attribute("telemetry.sdk.name", "opentelemetry"),
                    ]
                ),
                scope_spans=[ScopeSpans(scope=scope, spans=found)],
            )
            for service, found in groups.items()
        ]
    ).SerializeToString()


def requests_of(shape: str, count: int) -> list[bytes]:
    """Return all requests of a trace, as they would arrive."""
    bodies, batch = [], []
    for found in SHAPES[shape](count):
        batch.append(found)
        if len(batch) == BATCH:
            bodies.append(request(batch))
            batch = []
    return [*bodies, request(batch)] if batch else bodies


def payload(body: bytes) -> Payload:
    """Return a request as it is kept until it is judged."""
    return Payload(
        environment="benchmark", origin=Origin.SERVICE, signal="traces", content_type="application/x-protobuf",
        body=body, received_ns=START,
    )  # fmt: skip


def specification() -> str:
    """Return a spec with 50 expectations about spans, of the kinds that specs are made of."""
    names = ("GET /orders/{id}", "POST /orders", "GET /stock", "SELECT stock", "INSERT orders", "UPDATE *", "GET *")
    lines = []
    for number in range(46):
        name = names[number % len(names)]
        more = (
            "count: {gte: 0}",
            f"service: {SERVICES[number % 4]}, count: {{gte: 0}}",
            "count: {gte: 0}, attributes: {none: [password]}",
            "where: {http.request.method: GET}, count: {gte: 0}, attributes: {all: {server.port: {gt: 0}}}",
            "kind: client, count: {gte: 0}, parent: 'POST *', some: true",
        )[number % 5]
        lines.append(f"    - {{name: '{name}', {more}}}")
    expectations = "\n".join(lines)
    return f"""cleanroom: 1
meta: {{name: benchmark}}
services: {{web: {{image: "web:1"}}, api: {{image: "api:1"}}, db: {{image: "db:1"}}, mail: {{image: "mail:1"}}}}
scenarios:
  - name: orders
    steps: [{{name: wait, sleep: 1s}}]
expect:
  spans:
{expectations}
  graph: {{edges: [["GET /orders/{{id}}", POST /orders]]}}
  counts: {{spans: {{gte: 3}}, by_service: {{api: {{gte: 1}}}}}}
  status: {{all: {{ne: error}}}}
"""


def measure(shape: str, count: int) -> dict[str, float]:
    """Return the seconds of each part and the peak of this process's memory, its requests included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.cleanroom.yaml"
        path.write_text(specification(), encoding="utf-8")
        suite = load_suite(path, root=Path(folder), variables={}, environment={})
        assert isinstance(suite, Suite), suite
    bodies = requests_of(shape, count)
    options = NormaliseOptions(roles={f"10.213.0.{10 + n}": f"<{name}>" for n, name in enumerate(SERVICES)})
    gc.collect()
    marks = [time.process_time()]
    trace = Trace.of(decode_service_spans(payload(body) for body in bodies))
    marks.append(time.process_time())
    checks = judge_expect(Scene(trace=trace, services=SERVICES), suite.expect)
    marks.append(time.process_time())
    normalised = normalise(trace, options)
    marks.append(time.process_time())
    trace_digest(normalised)
    marks.append(time.process_time())
    assert len(trace.spans) == count == len(normalised.spans)
    assert len(checks) >= 50, len(checks)  # noqa: PLR2004 -- the number the goals are about
    taken = {part: after - before for part, before, after in zip(PARTS, marks, marks[1:], strict=False)}
    return {**taken, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def measured(shape: str, count: int) -> dict[str, float]:
    """Measure in a process of its own, print it, and return it with the sum of its parts."""
    command = (sys.executable, __file__, "--shape", shape, "--count", str(count))
    said = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ).stdout
    found: dict[str, float] = json.loads(said)
    found["seconds"] = sum(found[part] for part in PARTS)
    parts = ", ".join(f"{part} {found[part]:.2f}" for part in PARTS)
    peak = found["bytes"] / 2**20
    print(f"{count:>9,} spans, {shape:<8}: {found['seconds']:6.2f} s ({parts}), {peak:,.0f} MiB at most", flush=True)
    return found


def exponent(points: dict[int, float]) -> float:
    """Return the slope of log(seconds) over log(spans) by least squares."""
    logs = [(math.log(count), math.log(seconds)) for count, seconds in points.items()]
    x, y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    return sum((a - x) * (b - y) for a, b in logs) / sum((a - x) ** 2 for a, _ in logs)


def main() -> int:
    """Measure every size and shape, print the ratios, and say whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="also 1,000,000 spans, which takes some gigabytes")
    parser.add_argument("--shape", choices=SHAPES, help="measure one shape in this process and print JSON")
    parser.add_argument("--count", type=int, default=ORDINARY)
    arguments = parser.parse_args()
    if arguments.shape:
        print(json.dumps(measure(arguments.shape, arguments.count)))
        return 0
    sizes = (SMALL, ORDINARY, MILLION) if arguments.million else (SMALL, ORDINARY)
    found = {count: measured("ordinary", count) for count in sizes}
    power = exponent({count: each["seconds"] for count, each in found.items()})
    print(f"the cost grows with the number of spans to the power of {power:.2f}")
    missed = [f"{n:,} spans took more than {s} s" for n, s in SECONDS.items() if n in found and found[n]["seconds"] > s]
    if arguments.million and found[MILLION]["bytes"] > MEMORY:
        missed.append(f"{MILLION:,} spans took more than 1.5 GB")
    for shape in ("chain", "star", "dust"):
        ratio = measured(shape, ORDINARY)["seconds"] / found[ORDINARY]["seconds"]
        print(f"{shape} costs {ratio:.2f} times the ordinary trace")
        missed += [f"{shape} costs more than {WORST:g} times the ordinary trace"] if ratio > WORST else []
    for line in missed:
        print(f"goal missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
