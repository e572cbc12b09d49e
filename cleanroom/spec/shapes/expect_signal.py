"""The shapes of `expect.lint`, `metrics` and `logs` (spec.md section 6)."""

from __future__ import annotations

from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.expectation import expectation, identity
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import fixed_text, integer, items, regex, table
from cleanroom.spec.signal import LintExpectation, LogExpectation, MetricExpectation

_LINT = Record(
    place="expect.lint",
    doc="How well service spans are made: names, attributes and structure against OpenTelemetry's conventions. The "
    "score is 100 times the weighted share of what is kept: of every rule that applies to some span, its weight times "
    "the share of those spans that keep it, divided by the sum of those weights, rounded down. Weights: `service_name` "
    "40; `name` (no id or number in it), `kind` and `error_status` 30; `orphan`, `times`, `attribute_name` and "
    "`dropped` 20; `scope` 10.",
    keys={
        "min_score": Key(integer(1, 100), "The lowest score that the service spans may have.", example="80"),
        **identity(),
    },
    required=("min_score",),
)
_METRIC = Record(
    place="expect.metrics[]",
    doc="A metric that services send. What one source says under one set of attributes is a series.",
    keys={
        "name": Key(fixed_text, "The name of the metric.", example="http.server.request.duration"),
        "where": Key(
            table(comparator()), "Selects data points whose attributes satisfy every comparator; by default all.",
            example="{http.route: /orders}",
        ),
        "value": Key(
            comparator("number"),
            "What every series must come to, in the metric's own unit: the total of a monotonic sum, the mean of a "
            "histogram or summary, and every point of a gauge or of a sum that may fall. No data point breaks it, also "
            "where 0 is wanted.",
            example="{lte: 1}",
        ),
        **identity(),
    },
    required=("name", "value"),
)  # fmt: skip
_LOG = Record(
    place="expect.logs[]",
    doc="Logs of a service: lines that it writes to its output and log records that it sends. What it writes to both "
    "counts twice.",
    keys={
        "service": Key(fixed_text, "The name of the service.", example="api", errors=("unknown-service",)),
        "matches": Key(
            regex, "A regular expression, searched for in each line; of a log record in severity, body and exception.",
            example="ERROR",
        ),
        "count": Key(comparator("count"), "In how many logs it is found.", "{gte: 1}", "0"),
        **identity(),
    },
    required=("service", "matches"),
)  # fmt: skip
SIGNAL_KEYS: dict[str, Key] = {
    "lint": Key(
        expectation(_LINT, LintExpectation), "How well service spans are made.", example="{min_score: 80}"
    ),
    "metrics": Key(
        items(expectation(_METRIC, MetricExpectation), at_least=1), "What the metrics of services say.",
        example="[{name: http.server.request.duration, value: {lte: 1}}]",
    ),
    "logs": Key(
        items(expectation(_LOG, LogExpectation), at_least=1), "What services log.",
        example="[{service: api, matches: ERROR, count: 0}]",
    ),
}  # fmt: skip
"""The keys of `expect` about telemetry besides spans."""
