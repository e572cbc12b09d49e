"""The registry of rules: every `rule` of a Check or a Finding, with one line on what it says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RULES: Mapping[str, str] = MappingProxyType(
    {
        "spans.count": "as many spans were selected as the spec wants",
        "spans.parent": "the direct parent of each selected span has the wanted name",
        "spans.ancestor": "an ancestor of each selected span has the wanted name",
        "spans.root": "each selected span is (or is not) a root; the runner's spans are transparent",
        "spans.attributes": "the attributes of each selected span are as wanted",
        "spans.schema": "the attributes of each selected span are as their schema says",
        "spans.resource": "the resource of each selected span is as wanted",
        "spans.events": "the events of each selected span are as wanted",
        "spans.links": "each selected span has as many links as wanted",
        "spans.status": "the OTLP status of each selected span is as wanted (unset is not ok)",
        "spans.duration": "each selected span lasted as long as wanted",
        "spans.some": "at least one selected span meets all conditions at once",
        "graph.edges": "at least one span of the first name is the direct parent of one of the second",
        "counts.spans": "the number of service spans",
        "counts.errors": "the number of service spans with status error",
        "counts.events": "the number of events on service spans",
        "counts.by_name": "the number of spans of a name",
        "counts.by_service": "the number of spans of a service",
        "counts.by_kind": "the number of spans of a kind",
        "status.all": "the status of every service span",
        "status.by_name": "the status of every span of a name",
        "hermeticity.egress": "no service tried to reach anything outside, by the network's own record",
        "hermeticity.leaks": "nothing was left behind, by inventories before and after",
        "hermeticity.resource": "every resource of the services carries the wanted attributes",
        "hermeticity.forbid_attributes": "no service span, event or link carries a forbidden attribute",
        "hermeticity.services": "every span comes from a service that the spec declares",
        "lint.score": "the score of the service spans is at least the wanted one",
        "lint.service_name": "every service span has a `service.name` of its own",
        "lint.name": "no span's name has an id, a number, an address or a query in it",
        "lint.kind": "every service span has a kind",
        "lint.error_status": "the status is error where the span says that it failed",
        "lint.orphan": "every parent that a service span names arrived",
        "lint.times": "every service span has a start, and an end that is not before it",
        "lint.attribute_name": "attributes are named in lower-case words and namespaces",
        "lint.dropped": "the limits of the SDK dropped nothing",
        "lint.scope": "every instrumentation scope has a name",
        "metrics.value": "every selected series of a metric has the wanted value; a metric that nobody sent breaks it",
        "logs.count": "the number of log records and lines of output of a service that match",
        "outcome": "the scenario's own outcome is the wanted one",
        "scenario.outcome": "the scenario ended as passed or degraded",
        "step.exit_code": "the exit code of a step",
        "step.stdout": "the standard output of a step",
        "step.stderr": "the standard error of a step",
        "step.status": "the HTTP status of a step's answer",
        "step.headers": "the headers of a step's answer",
        "step.body": "the body of a step's answer",
        "step.json": "the JSON of a step's answer",
        "step.error_type": "the type of error a step met",
        "step.duration": "how long a step took",
        "step.failed": "a step did what it was to do",
        "step.skipped": "a step was skipped though no step before it failed",
        "step.missing": "a step of the spec never ran",
        "fault.verified": "a fault was injected and its effect was measured from outside",
        "fault.reverted": "a fault was taken back, and that was measured",
        "fault.recovery": "what a fault had ended came back",
        "determinism.identical": "all iterations have the same digest",
        "telemetry.forged": "no service sent a span with the reserved prefix `cleanroom.` or with a runner span's id",
        "telemetry.decode": "everything that the services sent could be decoded",
        "telemetry.late": "nothing arrived after the environment was closed",
        "network.egress": "attempts to get out, where the spec says nothing of egress (a warning)",
        "service.ended": "every service ran until it was stopped, unless the spec says that it ends or is killed",
        "cleanup.left": "teardown left nothing behind",
        "run.incomplete": "every planned iteration and scenario ran",
    }
)

# Judged of every scenario whatever its spec says: alone they are no evidence that the system works.
ALWAYS: frozenset[str] = frozenset(
    {
        "telemetry.forged",
        "telemetry.decode",
        "telemetry.late",
        "network.egress",
        "service.ended",
        "cleanup.left",
        "run.incomplete",
    }
)
