from __future__ import annotations

import json

import pytest

from cleanroom.run.codec import decode, encode
from cleanroom.spec.shapes.service import services
from cleanroom.spec.suite import Suite
from tests.unit.spec.shapes.reading import accepted
from tests.unit.spec.shapes.test_suite import suite

SERVICES = """\
{a: {image: i, volumes: [{source: f, target: /f}, {name: v, target: /v}], clock: frozen, replicas: 2},
 b: {mock: {routes: [{when: {path: /a, headers: {h: "*"}}, reply: {json: {type: [1, null]}}, sequence: [{body: x}]}]}},
 c: {mock: {openapi: o, hosts: [h]}, clock: {at: 2025-01-01T00:00:00Z}},
 d: {mock: {cassette: c}, clock: {offset: -1h}}, e: {image: i, clock: {rate: 2}, capabilities: []},
 f: {image: i, clock: real, capabilities: [KILL]}}
"""


def test_services_of_every_kind_pass_through_a_journal():
    read = accepted(services, SERVICES)
    before = Suite(name="x", file="x.cleanroom.yaml", services=tuple(read.values()))
    assert decode(json.loads(json.dumps(encode(before))), Suite) == before


@pytest.mark.parametrize(
    "source",
    [
        "limits: {cpus: 2, memory: 1GiB, containers: 3, duration: 1m}",
        'network: {mtu: 1400, egress: {allow: ["a:1"]}}',
        "contracts: {openapi: a, services: [db]}",
        "compose: {file: c, services: [a]}",
        "compose: {file: c}",
        "meta: {tier: smoke, required: false}",
        'otel: {collector: {config: c}, forward: {endpoint: "http://h"}, accept: [logs]}',
        "determinism: {freeze_clock: 2025-01-01T00:00:00Z, vary: [cpus], normalize: {durations: {bucket: 1s}}}",
    ],
)
def test_a_suite_passes_through_a_journal(source):
    before = suite(source)
    assert decode(json.loads(json.dumps(encode(before))), Suite) == before
