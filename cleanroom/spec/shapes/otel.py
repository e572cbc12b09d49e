"""The shape of `otel` (spec.md section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.otel import CollectorConfig, Forward, Otel, Settle
from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, either, fixed_text, items, number, pattern_text
from cleanroom.spec.shapes.value import duration, words

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

PROTOCOLS = ("grpc", "http/protobuf", "http/json")
_url = pattern_text(
    r"https?://[A-Za-z0-9.\[\]:-]+(?:/[^\s?#]*)?", "a URL that begins with http:// or https://",
    example='"https://telemetry.example.com:4318"',
)  # fmt: skip

_SETTLE = Record(
    place="otel.settle",
    doc="When the trace of an iteration counts as complete.",
    keys={
        "timeout": Key(
            duration, "How long positive expectations are waited for after the steps, at most.", default="5s"
        ),
        "quiet": Key(
            duration, "The time without a new span that ends the waiting.", default="200ms", errors=("contradiction",)
        ),
    },
)


def _settle(node: Node, place: Place) -> Settle:
    fields = _SETTLE(node, place)
    settle = Settle(**fields.values)
    if "quiet" in fields.values and settle.quiet > settle.timeout:
        message = f"{place.path} ends after {settle.timeout}, before it could have been quiet for {settle.quiet}"
        place.log.report("contradiction", fields.node.key_at("quiet"), message, expected="a longer timeout")
    return settle


_CONFIG = Record(
    place="otel.collector",
    doc="A collector with a configuration of its own.",
    keys={
        "config": Key(
            fixed_text, "A file inside the repository, relative to the spec: the collector's own configuration.",
            example="./collector.yaml", errors=("missing-path", "outside"), later=True,
        ),
    },
    required=("config",),
)  # fmt: skip
_FORWARD = Record(
    place="otel.forward",
    doc="Where all telemetry of the run is sent on to.",
    keys={
        "endpoint": Key(_url, "The URL of an OTLP receiver outside the environment."),
        "protocol": Key(choice(*PROTOCOLS), "The protocol of the receiver.", default="http/protobuf"),
        "headers": Key(words, "Headers that are sent along.", default="{}", example="{authorization: Bearer x}"),
    },
    required=("endpoint",),
)
_OTEL = Record(
    place="otel",
    doc="Telemetry of the suite as a whole. A collector that dies during a run is an error, never a pass.",
    keys={
        "collector": Key(
            either(
                "bundled, embedded or {config: …}",
                scalar=choice("bundled", "embedded"),
                mapping=_CONFIG.making(CollectorConfig),
            ),
            "What receives the telemetry: `bundled` is the OpenTelemetry Collector in a container, `embedded` a "
            "receiver inside the runner, `{config: …}` the collector with a configuration of its own.",
            default="bundled",
        ),
        "sample_ratio": Key(
            number(0, 1),
            "The share of traces that services are told to record. Traces of steps are always recorded.",
            default="1.0", example="0.25", later=True,
        ),
        "resource": Key(
            words, "Resource attributes that every service's telemetry is given.",
            default="{}", example="{deployment.environment.name: test}",
        ),
        "propagators": Key(
            distinct(
                items(choice("tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace"), at_least=1),
                "propagator",
            ),
            "How services pass the trace on, as `OTEL_PROPAGATORS` names it.",
            default="[tracecontext, baggage]", later=True,
        ),
        "settle": Key(
            Shape(_settle, "a mapping", _SETTLE), "When the trace of an iteration counts as complete.",
            default="{timeout: 5s, quiet: 200ms}", example="{timeout: 10s, quiet: 1s}",
        ),
        "forward": Key(
            _FORWARD.making(Forward), "Where all telemetry of the run is sent on to.",
            example='{endpoint: "https://telemetry.example.com:4318"}', later=True,
        ),
        "accept": Key(
            distinct(items(choice("traces", "metrics", "logs"), at_least=1), "signal"),
            "The signals that the collector takes; it refuses the others.",
            default="[traces, metrics, logs]", example="[traces]", later=True,
        ),
    },
)  # fmt: skip
otel = _OTEL.into(lambda fields: Otel(**fields.values, at=fields.node.at))
"""The telemetry of a suite."""
