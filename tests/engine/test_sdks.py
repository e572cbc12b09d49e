"""Spans of stock instrumentations of three SDKs, by every protocol that each speaks, are decoded alike (issue 5)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from cells import drop_cache
from runs import ROOT, Ran, cleanroom, write

from cleanroom.engine.client import DockerEngine
from cleanroom.engine.ports import BuildSpec
from cleanroom.run.journal import read_journal
from cleanroom.trace.decode import decode_traces
from cleanroom.trace.model import Span

pytestmark = pytest.mark.full
TAG = "cleanroom-tests/sdks:1"
COMMANDS = {
    "python": "[/opt/emit/bin/python, /opt/emit/emit.py]",
    "node": "[/opt/emit-js/node, /opt/emit-js/emit.js]",
    "go": "[/opt/emit-go]",
}
PROTOCOLS = {
    # Python's and Go's SDKs have no exporter of OTLP/JSON.
    "python": ("grpc", "http/protobuf"),
    "node": ("grpc", "http/protobuf", "http/json"),
    "go": ("grpc", "http/protobuf"),
}
PAIRS = [(sdk, protocol) for sdk, protocols in PROTOCOLS.items() for protocol in protocols]
AUTO = "/opt/emit/lib/python3.13/site-packages/opentelemetry/instrumentation/auto_instrumentation"
BY_HAND = {"text": "ä", "flag": True, "big": 2**53 - 1, "share": 0.5, "texts": ("a", "b"), "numbers": (1, 2)}
WAYS = ("bundled", "embedded")


def service_of(sdk: str, protocol: str) -> str:
    return f"{sdk}-{protocol.replace('/', '-')}"


def spec(collector: str) -> str:
    lines = ["cleanroom: 1", f"meta: {{name: sdks-{collector}}}", f"otel: {{collector: {collector}}}", "services:"]
    for sdk, protocol in PAIRS:
        environment = f"{{PYTHONPATH: {AUTO}, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: urllib3}}"
        lines.append(
            f'  {service_of(sdk, protocol)}: {{image: "{TAG}", command: {COMMANDS[sdk]}, environment: {environment}, '
            f"telemetry: {{protocol: {protocol}, service_name: emitter}}, ready: [{{tcp: 8080}}], ready_timeout: 90s}}"
        )
    lines += ["scenarios:", "  - name: everybody works", "    steps:"]
    for sdk, protocol in PAIRS:
        name = service_of(sdk, protocol)
        lines.append(
            f"      - {{name: {name}, http: {{service: {name}, port: 8080, path: /work}}, "
            'expect: {status: 200, body: "done\\n"}}'
        )
    lines += ["expect:", "  spans:"]
    lines += ['    - {name: "by hand", service: emitter, count: 7}', "determinism: {iterations: 1}"]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def ran(
    engine: DockerEngine, docker_host: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, dict[str, Any]]]:
    """Collector → service → what its step caused, as trees; one run for all, through both ways in."""
    if not engine.has_image(TAG):
        context = ROOT / "tests" / "images" / "sdks"
        engine.build(BuildSpec(tag=TAG, context=str(context), dockerfile="Dockerfile"), lambda _line: None)
    folder = tmp_path_factory.mktemp("sdks")
    files = [write(folder, f"sdks-{way}", spec(way)).name for way in WAYS]
    out = tmp_path_factory.mktemp("out")
    done = cleanroom(*files, out=out, cwd=folder)
    yield {way: trees_of(done, f"sdks-{way}") for way in WAYS}
    drop_cache(str(folder))
    client = docker.APIClient(docker_host, version="auto")
    client.remove_image(TAG, noprune=True)
    client.close()


def trees_of(done: Ran, suite: str) -> dict[str, Any]:
    assert done.code == 0, done.said
    record = next(s for s in read_journal(done.out / "journal").suites if s.plan.suite.name == suite)
    iteration = record.iterations[0]
    payloads = (*iteration.runner_payloads, *iteration.scenarios[0].payloads)
    spans = [
        span
        for payload in payloads
        if payload.signal == "traces"
        for span in decode_traces(payload.body, payload.content_type, payload.origin)
    ]
    below: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        below.setdefault((span.trace_id, span.parent_id), []).append(span)
    steps = [span for span in spans if span.name.startswith("cleanroom.step:")]
    assert len(steps) == len(PAIRS)
    return {
        step.name.removeprefix("cleanroom.step:"): tree(step, below, step.name.removeprefix("cleanroom.step:"))["below"]
        for step in steps
    }


def tree(span: Span, below: dict[tuple[str, str], list[Span]], service: str) -> Any:
    """What a span says, without ids, times, ports, sizes of chunks and the name that each service has for itself."""
    hidden = ("port", "peer.address", "local.address", "client.address", "user_agent")
    attributes = {
        key: value.replace(service, "<service>") if isinstance(value, str) else value
        for key, value in sorted(span.attributes.items())
        if not any(part in key for part in hidden) or key == "server.port"
    }
    children = [tree(child, below, service) for child in below.get((span.trace_id, span.span_id), ())]
    return {
        "name": span.name,
        "kind": span.kind.value,
        "status": (span.status.value, span.status_message),
        "attributes": attributes,
        "events": [(event.name, dict(event.attributes)) for event in span.events],
        "links": [(link.trace_id, link.span_id, dict(link.attributes)) for link in span.links],
        "scope": (span.scope.name, span.scope.version),
        "service": span.service,
        "below": sorted(children, key=repr),
    }


def every(trees: list[Any]) -> Iterator[Any]:
    for one in trees:
        yield one
        yield from every(one["below"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("sdk", "protocol"), PAIRS)
@pytest.mark.timeout(900)
def test_what_was_made_by_hand_arrives_whole(ran: dict[str, dict[str, Any]], way: str, sdk: str, protocol: str):
    spans = list(every(ran[way][service_of(sdk, protocol)]))
    (by_hand,) = [span for span in spans if span["name"] == "by hand"]

    assert by_hand["attributes"] == BY_HAND
    assert {key: type(value) for key, value in by_hand["attributes"].items()} == {
        key: type(value) for key, value in BY_HAND.items()
    }
    assert by_hand["events"] == [("noted", {"n": 1})]
    assert by_hand["links"] == [(f"{7:032x}", f"{9:016x}", {"why": "test"})]
    assert by_hand["status"] == ("error", "no")
    assert by_hand["scope"] == ("by-hand", "1.2.3")
    # Stock instrumentation: the request of the step, the call of itself, and the same call as it came in.
    assert sorted(span["kind"] for span in spans) == ["client", "internal", "server", "server"]
    assert {span["service"] for span in spans} == {"emitter"}


@pytest.mark.parametrize("sdk", PROTOCOLS)
@pytest.mark.timeout(900)
def test_whatever_the_protocol_and_the_way_in_the_spans_are_the_same(ran: dict[str, dict[str, Any]], sdk: str):
    said = [ran[way][service_of(sdk, protocol)] for way in WAYS for protocol in PROTOCOLS[sdk]]

    assert all(one == said[0] for one in said)


@pytest.mark.timeout(900)
def test_what_another_sdk_says_is_something_else(ran: dict[str, dict[str, Any]]):
    said = [ran["bundled"][service_of(sdk, "grpc")] for sdk in PROTOCOLS]

    assert said[0] != said[1] != said[2] != said[0]
