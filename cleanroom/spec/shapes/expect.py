"""The shape of `expect` (spec.md section 6)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanroom.spec.expect import (
    CountExpectation,
    Expect,
    HermeticityExpectation,
    OutcomeExpectation,
    Pattern,
    StatusExpectation,
)
from cleanroom.spec.problem import nearest
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.expect_graph import graph
from cleanroom.spec.shapes.expect_resilience import RESILIENCE_KEYS
from cleanroom.spec.shapes.expect_signal import SIGNAL_KEYS
from cleanroom.spec.shapes.expect_spans import KINDS, STATUSES, comparators, span
from cleanroom.spec.shapes.expect_timing import TIMING_KEYS
from cleanroom.spec.shapes.expectation import IDENTITY, checked, identity
from cleanroom.spec.shapes.invariant import invariant
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, either, items, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

_count = comparator("count")
_counted = table(_count, at_least=1)


def _kind(key: str) -> str:
    if key in KINDS:
        return ""
    close = nearest(key, KINDS)
    return f"is not a kind of span ({', '.join(KINDS)})" + (f": did you mean {close}?" if close else "")


_COUNTS = Record(
    place="expect.counts",
    doc="How many spans, errors and events there are. Only spans of services count; an empty trace breaks all but an "
    "explicit zero of spans.",
    keys={
        "spans": Key(_count, "The number of spans.", example="{gte: 3}", errors=("contradiction",)),
        "errors": Key(_count, "The number of spans with status error.", example="0", errors=("contradiction",)),
        "events": Key(_count, "The number of events on spans."),
        "by_name": Key(_counted, "The number of spans by name (globs).", example="{db.query: 2}"),
        "by_service": Key(_counted, "The number of spans by service (globs).", example="{api: {gte: 1}}"),
        "by_kind": Key(
            table(_count, _kind, keys={"enum": list(KINDS)}, at_least=1), "The number of spans by kind.",
            example="{server: {gte: 1}}",
        ),
        **identity(),
    },
    not_empty=True,
)  # fmt: skip
_status = comparator(words=STATUSES)
_STATUS = Record(
    place="expect.status",
    doc="The OTLP status of spans, exactly: unset is not ok.",
    keys={
        "all": Key(_status, "The status of every span of a service.", example="{ne: error}"),
        "by_name": Key(
            table(_status, at_least=1), "The status of every span of a name (a glob); that there is none breaks it.",
            example='{"cleanroom.step:*": ok}',
        ),
        **identity(),
    },
    not_empty=True,
)  # fmt: skip
_HERMETICITY = Record(
    place="expect.hermeticity",
    doc="That nothing came in, went out or stayed. Egress is what the network saw, leaks are what inventories found.",
    keys={
        "egress": Key(
            choice("none", later=("declared",)),
            "`none`: no service tried to reach anything outside. `declared`: nothing but what `network.egress` allows.",
        ),
        "leaks": Key(choice("none"), "No container, network, volume or process was left behind."),
        "resource": Key(
            comparators, "What every resource of the services must carry.",
            example="{deployment.environment.name: test}",
        ),
        "forbid_attributes": Key(
            items(text, at_least=1), "Names (globs) of attributes that no span, event or link may carry.",
            example="[http.url]",
        ),
        "services": Key(choice("closed"), "Every span comes from a service that the spec declares."),
        **identity(),
    },
    not_empty=True,
)  # fmt: skip
_outcome = choice("passed", "degraded", "failed")
_OUTCOME = Record(
    place="expect.outcome",
    doc="The outcome of the scenario with what else an expectation takes; the word alone will do.",
    keys={"outcome": Key(_outcome, "The outcome."), **identity()},
    required=("outcome",),
)


def _counts(node: Node, place: Place) -> tuple[CountExpectation, ...]:
    fields = checked(_COUNTS, node, place)
    found: list[CountExpectation] = []
    whats: Iterator[Any] = (key for key in fields.values if key not in IDENTITY)
    for what in whats:
        value = fields.values[what]
        keyed: Mapping[str, Any] = value if what.startswith("by_") else {"": value}
        found += [
            CountExpectation(what=what, key=key, comparator=judged, at=judged.at, **_identity(fields))
            for key, judged in keyed.items()
        ]
    return tuple(found)


def _statuses(node: Node, place: Place) -> tuple[StatusExpectation, ...]:
    fields = checked(_STATUS, node, place)
    named: dict[Pattern | None, Any] = {None: fields.values["all"]} if "all" in fields.values else {}
    named.update({Pattern(key): judged for key, judged in fields.values.get("by_name", {}).items()})
    return tuple(
        StatusExpectation(name=pattern, comparator=judged, at=judged.at, **_identity(fields))
        for pattern, judged in named.items()
    )


def _hermeticity(node: Node, place: Place) -> HermeticityExpectation:
    fields = checked(_HERMETICITY, node, place)
    values = fields.values
    return HermeticityExpectation(
        egress_none=values.get("egress") == "none",
        egress_declared=values.get("egress") == "declared",
        leaks_none="leaks" in values,
        resource=values.get("resource", MappingProxyType({})),
        forbid_attributes=values.get("forbid_attributes", ()),
        services_closed="services" in values,
        at=node.at,
        **_identity(fields),
    )


def _identity(fields: Fields) -> dict[str, Any]:
    return {key: fields.values[key] for key in IDENTITY if key in fields.values}


def _outcome_alone(node: Node, place: Place) -> OutcomeExpectation:
    return OutcomeExpectation(outcome=_outcome(node, place), at=node.at)


_KEYS: dict[str, Key] = {
    "spans": Key(items(span, at_least=1), "Spans that must be there, or must not.", example='[{name: "GET /orders*"}]'),
    "graph": Key(graph, "How spans and services are connected."),
    "counts": Key(Shape(_counts, "a mapping", _COUNTS), "How many spans there are.", example="{spans: {gte: 3}}"),
    **TIMING_KEYS,
    "status": Key(Shape(_statuses, "a mapping", _STATUS), "The status of spans.", example="{all: {ne: error}}"),
    "hermeticity": Key(
        Shape(_hermeticity, "a mapping", _HERMETICITY), "That nothing came in, went out or stayed.",
        example="{egress: none, leaks: none}",
    ),
    **RESILIENCE_KEYS,
    "invariants": Key(
        items(invariant, at_least=1), "What must be true of the data, whatever was injected.",
        example="[{id: stored, holds: {tcp: {service: db, port: 5432}}}]",
    ),
    **SIGNAL_KEYS,
}  # fmt: skip
_SUITE_EXPECT = Record(
    place="expect",
    doc="What must hold of a whole iteration. An empty trace breaks every expectation but an explicit zero of spans.",
    keys=_KEYS,
    not_empty=True,
)
_SCENARIO_EXPECT = Record(
    place="scenarios[].expect",
    doc="What must hold of one scenario: of its spans, its outcome and its data.",
    keys={
        "outcome": Key(
            either(
                "passed, degraded or failed",
                scalar=Shape(
                    _outcome_alone, _outcome.words, _outcome.schema, choices=_outcome.choices, example="passed"
                ),
                mapping=_OUTCOME.into(lambda fields: OutcomeExpectation(at=fields.node.at, **fields.values)),
            ),
            "How the scenario ended; without it `passed` and `degraded` will do.",
        ),
        **_KEYS,
    },
    not_empty=True,
)


def _expect(record: Record, node: Node, place: Place) -> Expect:
    values = checked(record, node, place).values
    if not values:
        raise RefusedError
    return Expect(at=node.at, **values)


suite_expect: Shape[Expect] = Shape(
    lambda node, place: _expect(_SUITE_EXPECT, node, place), "a mapping", _SUITE_EXPECT, example="{counts: {errors: 0}}"
)
"""The top-level `expect`: judged on the spans of a whole iteration."""
scenario_expect: Shape[Expect] = Shape(
    lambda node, place: _expect(_SCENARIO_EXPECT, node, place),
    "a mapping",
    _SCENARIO_EXPECT,
    example="{outcome: passed}",
)
"""A scenario's `expect`: judged on that scenario's spans and its outcome."""
