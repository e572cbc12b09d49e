from __future__ import annotations

import pytest

from cleanroom.quantity import Duration
from cleanroom.spec.otel import CollectorConfig, Forward, Otel, Settle
from cleanroom.spec.shapes.otel import otel
from tests.unit.spec.shapes.reading import accepted, deferred, read

FORWARD = '{forward: {endpoint: "https://t.example.com:4318/v1", protocol: grpc, headers: {x: 1}}}'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{}", Otel()),
        ("{collector: embedded}", Otel(collector="embedded")),
        ("{collector: {config: ./c.yaml}}", Otel(collector=CollectorConfig(config="./c.yaml"))),
        ("{sample_ratio: 0.25}", Otel(sample_ratio=0.25)),
        ("{sample_ratio: 0}", Otel(sample_ratio=0.0)),
        ("{resource: {k: v, n: 1}}", Otel(resource={"k": "v", "n": "1"})),
        ("{propagators: [b3, xray]}", Otel(propagators=("b3", "xray"))),
        (
            "{settle: {timeout: 1s, quiet: 50ms}}",
            Otel(settle=Settle(timeout=Duration(10**9), quiet=Duration(5 * 10**7))),
        ),
        (
            FORWARD,
            Otel(forward=Forward(endpoint="https://t.example.com:4318/v1", protocol="grpc", headers={"x": "1"})),
        ),
        ("{accept: [traces]}", Otel(accept=("traces",))),
    ],
)
def test_each_key_has_its_place_in_the_model(source, expected):
    assert accepted(otel, source) == expected


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{collector: bundled, resource: {k: v}, settle: {timeout: 1s}}", []),
        ("{collector: {config: c.yaml}}", [(15, '"config" in it.collector')]),
        ("{sample_ratio: 1}", [(3, '"sample_ratio" in it')]),
        ("{propagators: [b3]}", [(3, '"propagators" in it')]),
        (FORWARD, [(3, '"forward" in it')]),
        ("{accept: [logs]}", [(3, '"accept" in it')]),
    ],
)
def test_run_refuses_what_it_cannot_carry_out(source, found):
    assert deferred(otel, source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{collector: jaeger}", ("wrong-value", 2, 14)),
        ("{collector: {}}", ("missing-key", 2, 14)),
        ("{collector: [bundled]}", ("wrong-type", 2, 14)),
        ("{collector: {config: 5}}", ("wrong-type", 2, 23)),
        ("{sample_ratio: 1.5}", ("wrong-value", 2, 17)),
        ("{sample_ratio: -1}", ("wrong-value", 2, 17)),
        ("{sample_ratio: most}", ("wrong-type", 2, 17)),
        ("{resource: {k: [v]}}", ("wrong-type", 2, 17)),
        ("{propagators: [w3c]}", ("wrong-value", 2, 17)),
        ("{propagators: []}", ("empty-list", 2, 16)),
        ("{propagators: [b3, b3]}", ("duplicate-propagator", 2, 21)),
        ("{accept: [traces, traces]}", ("duplicate-signal", 2, 20)),
        ("{accept: [spans]}", ("wrong-value", 2, 12)),
        ("{settle: {quiet: long}}", ("wrong-value", 2, 19)),
        ("{settle: {timeout: 1s, quiet: 2s}}", ("contradiction", 2, 25)),
        ("{settle: {wait: 1s}}", ("unknown-key", 2, 12)),
        ("{forward: {protocol: grpc}}", ("missing-key", 2, 12)),
        ("{forward: {endpoint: t.example.com}}", ("wrong-value", 2, 23)),
        ("{forward: {endpoint: http://t, protocol: udp}}", ("wrong-value", 2, 43)),
        ("{exporter: x}", ("unknown-key", 2, 3)),
    ],
)
def test_what_does_not_fit_is_refused_where_it_stands(source, found):
    assert read(otel, source).found == [found]
