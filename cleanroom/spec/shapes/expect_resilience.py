"""The shapes of `expect.resilience`, `resources` and `faults` (spec.md section 6)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from cleanroom.spec.comparator import Comparator
from cleanroom.spec.document import Table
from cleanroom.spec.operand import shown
from cleanroom.spec.resilience import FaultExpectation, Figure, ResilienceExpectation, ResourceExpectation
from cleanroom.spec.satisfiable import unsatisfiable
from cleanroom.spec.shapes.comparison import comparator, comparators_of
from cleanroom.spec.shapes.expectation import IDENTITY, checked, fault_reference, identity
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, boolean, number, table, text, true
from cleanroom.spec.shapes.value import positive_duration, references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.comparison import Judged
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

_SCOPE = frozenset({"journal", "during"})
_OF_FIGURE = frozenset({"slo", "window"})
_SCOPE_KEYS: dict[str, Key] = {
    "journal": Key(
        text, "The journal of the workload that is measured; by default all operations, without a workload all steps.",
        example="orders", errors=("unknown-journal", "contradiction"), names=frozenset({"iteration"}),
    ),
    "during": Key(
        fault_reference, "The fault in whose window it is measured; by default it is all the time.", example="slow-db",
        errors=("unknown-fault", "impossible", "contradiction"),
    ),
}  # fmt: skip
_SHARES = ("success_rate", "availability")


@cache
def _figure_record(judged: Judged) -> Record:
    return Record(
        place=f"a figure of a {judged}",
        doc="Comparators with what is measured; comparators alone, or a value, will do.",
        keys={**comparators_of(judged), **_SCOPE_KEYS},
        not_empty=True,
    )


def _figure(judged: Judged) -> Shape[Any]:
    """Take a comparator, with `journal` and `during` among its keys; returns what `_scoped` reads."""
    plain, record = comparator(judged), _figure_record(judged)

    def read(node: Node, place: Place) -> tuple[Comparator, dict[str, str]]:
        if not isinstance(node, Table):
            return plain(node, place), {}
        scope, rest = _split(node, place)
        return plain(rest, place), scope

    schema = {"anyOf": [cast("Any", plain.schema)["anyOf"][0], record]}
    return Shape(read, plain.words, schema, example=plain.example)


def _recovery_figure() -> Shape[Any]:
    """Take what a figure of a duration takes, or comparators for its mean, 95th percentile and longest."""
    plain = _figure("duration")
    parts = _RECOVERY.keys.keys() - _SCOPE

    def read(node: Node, place: Place) -> Any:  # noqa: ANN401 -- what a figure or a record returns
        if isinstance(node, Table) and any(entry.key in parts for entry in node.entries):
            return _RECOVERY(node, place)
        return plain(node, place)

    schema = {"anyOf": [*cast("Any", plain.schema)["anyOf"], _RECOVERY]}
    return Shape(read, plain.words, schema, example=plain.example)


def _split(node: Table, place: Place) -> tuple[dict[str, str], Table]:
    """Return `journal` and `during` of a figure, and the mapping without them."""
    scope: dict[str, str] = {}
    broken = False
    for entry in node.entries:
        if entry.key in _SCOPE:
            key = _SCOPE_KEYS[entry.key]
            try:
                scope[entry.key] = key.shape(entry.value, place.key(entry.key).knowing(key.names))
            except RefusedError:
                broken = True
    if broken:
        raise RefusedError
    rest = tuple(entry for entry in node.entries if entry.key not in _SCOPE)
    return scope, Table(entries=rest, at=node.at, size=node.size)


_LATENCY = Record(
    place="expect.resilience.latency",
    doc="How long operations took, from when each was due to start. One that timed out counts at its limit.",
    keys={
        "avg": Key(comparator("duration"), "The mean.", example="{lte: 1s}"),
        "p50": Key(comparator("duration"), "What half of them did not exceed."),
        "p95": Key(comparator("duration"), "What 95 of 100 did not exceed.", example="{lte: 1s}"),
        "p99": Key(comparator("duration"), "What 99 of 100 did not exceed.", example="{lte: 2s}"),
        "max": Key(comparator("duration"), "The longest.", example="{lte: 5s}"),
        **_SCOPE_KEYS,
    },
    not_empty=True,
)
_BUDGET = Record(
    place="expect.resilience.error_budget",
    doc="How much of the failures that an objective allows was used up.",
    keys={
        "slo": Key(
            number(0, 1, above=True), "The objective: the share of operations that must succeed.", example="0.999",
            errors=("impossible",),
        ),
        "burn": Key(
            comparator("number"), "The failures there were, divided by those that the objective allows.",
            example="{lte: 1}",
        ),
        **_SCOPE_KEYS,
    },
    required=("slo", "burn"),
)  # fmt: skip
_STABILITY = Record(
    place="expect.resilience.stability",
    doc="How evenly it went, window by window.",
    keys={
        "variance": Key(
            comparator("number"), "The variance of the success rates of the windows, in squared percentage points.",
            example="{lt: 100}",
        ),
        "last_to_first": Key(
            comparator("number"), "The mean latency of the last window, divided by that of the first.",
            example="{lt: 2}",
        ),
        "window": Key(positive_duration, "How long a window is; 1s by default.", example="5s"),
        **_SCOPE_KEYS,
    },
    at_least_one=("variance", "last_to_first"),
)  # fmt: skip
_RECOVERY = Record(
    place="expect.resilience.recovery_time",
    doc="How long recovering took, over all occurrences of faults. A comparator or a value alone judges the longest.",
    keys={
        "avg": Key(comparator("duration"), "The mean.", example="{lte: 1s}"),
        "p95": Key(comparator("duration"), "What 95 of 100 did not exceed.", example="{lte: 3s}"),
        "max": Key(comparator("duration"), "The longest.", example="{lte: 5s}"),
        **_SCOPE_KEYS,
    },
    not_empty=True,
)
_FIGURES: Mapping[str, tuple[Judged, str, str]] = {
    "success_rate": ("number", "The share of operations that succeeded, from 0 to 1.", "{gte: 0.7}"),
    "throughput": ("number", "Successful operations per second.", "{gte: 5}"),
    "recovery_time": ("duration", "The longest time from a fault's end (of a kill: death) until what it harmed works.",
                      "{lte: 3s}"),
    "detection_time": ("duration", "The longest time from a fault's beginning until an operation that fails shows it.",
                       "{lte: 1s}"),
    "rto": ("duration", "The longest time from a fault's beginning until operations succeed again, lastingly.",
            "{lte: 3s}"),
    "rpo": ("count", "The number of acknowledged operations that are lost.", "{lte: 10}"),
    "unavailability": ("duration", "The longest time in which operations were under way and none succeeded.",
                       "{lte: 2s}"),
    "degradation": ("number", "By what share the throughput is less than before the first fault: 0.2 is a fifth less.",
                    "{lte: 0.2}"),
    "availability": ("number", "The share of the time in which operations succeeded, from 0 to 1.", "{gte: 0.99}"),
    "operations": ("count", "The number of operations, successful or not.", "{gte: 100}"),
}  # fmt: skip
_RESILIENCE = Record(
    place="expect.resilience",
    doc="How well the system went through its faults. `journal` and `during` stand here, for every figure, or with "
    "one figure, for it alone.",
    keys={
        **{
            name: Key(
                _recovery_figure() if name == "recovery_time" else _figure(judged), doc, example=example
            )
            for name, (judged, doc, example) in _FIGURES.items()
        },
        "latency": Key(Shape(_LATENCY, "a mapping", _LATENCY), "How long operations took.", example="{p99: {lte: 2s}}"),
        "error_budget": Key(
            Shape(_BUDGET, "a mapping", _BUDGET), "How much of the allowed failures was used up.",
            example="{slo: 0.999, burn: {lte: 1}}",
        ),
        "stability": Key(
            Shape(_STABILITY, "a mapping", _STABILITY), "How evenly it went.", example="{variance: {lt: 100}}"
        ),
        **_SCOPE_KEYS,
        **identity(),
    },
    not_empty=True,
)  # fmt: skip


def _resilience(node: Node, place: Place) -> tuple[ResilienceExpectation, ...]:
    fields = checked(_RESILIENCE, node, place, IDENTITY | _SCOPE)
    shared = {key: fields.values[key] for key in IDENTITY if key in fields.values}
    found: list[ResilienceExpectation] = []
    for name, value in fields.values.items():
        if name in IDENTITY | _SCOPE:
            continue
        inside = place.key(name)
        figures, own, rest = _figures(name, value, inside)
        scope: dict[str, Any] = _scope(fields, own, inside)
        for figure, judged in figures.items():
            _check_share(figure, judged, inside)
            found.append(
                ResilienceExpectation(
                    figure=cast("Figure", figure), comparator=judged, at=judged.at, **rest, **scope, **shared
                )
            )
    return tuple(found)


def _figures(name: str, value: Any, place: Place) -> tuple[dict[str, Comparator], dict[str, str], dict[str, Any]]:  # noqa: ANN401 -- of a figure's shape
    """Return the comparators of one key by their names, its own scope, and its objective or length of windows."""
    if isinstance(value, tuple):
        judged, scope = value
        return {name: judged}, scope, {}
    values: dict[str, Any] = dict(value.values)
    scope = {key: values.pop(key) for key in _SCOPE & values.keys()}
    rest = {key: values.pop(key) for key in _OF_FIGURE & values.keys()}
    if not value.written - _SCOPE:
        place.log.report("empty-expect", value.node.at, f"{place.path} takes at least one check")
    if rest.get("slo") == 1:
        message = f"{place.path} can never be computed: an objective of 1 allows no failure to divide by"
        place.log.report("impossible", value.node.key_at("slo"), message, suggestion="use success_rate: 1")
    return {f"{name}.{key}": judged for key, judged in values.items()}, scope, rest


def _scope(fields: Fields, own: dict[str, str], place: Place) -> dict[str, str]:
    """Return journal and during of one figure; saying one of them here and there is ambiguous."""
    shared = {key: fields.values[key] for key in _SCOPE if key in fields.values}
    for key in sorted(own.keys() & shared.keys()):
        message = f"{place.path} has {key}, and the whole block has one too"
        written = fields.node.get(place.path.rpartition(".")[2])
        at = written.key_at(key) if isinstance(written, Table) else fields.node.at
        place.log.report("contradiction", at, message, suggestion=f"write {key} in one of the two places")
    return {**shared, **own}


def _check_share(figure: str, judged: Comparator, place: Place) -> None:
    if figure not in _SHARES:
        return
    within = Comparator(tests=(*judged.tests, ("between", (0, 1))))
    if unsatisfiable(within):
        message = f"{place.path} can never hold: it is a share from 0 to 1"
        place.log.report("impossible", judged.at, message, suggestion="70 percent are 0.7")


_RESOURCE = Record(
    place="expect.resources.<service>",
    doc="What a service used from when it was ready until it was asked to stop, by its control group and the engine. "
    "In an environment of the whole suite that is the time of all scenarios.",
    keys={
        "memory_peak": Key(
            comparator("size"), "The most memory it used at once, file cache included: as the kernel keeps it, else as "
            "seen ten times a second. The report says which.", example="{lte: 128MiB}",
        ),
        "cpu_time": Key(comparator("duration"), "The processor time it used.", example="{lte: 2s}"),
        "open_files": Key(
            comparator("count"), "The most files it was seen to have open at once.", example="{lte: 100}"
        ),
        "growth": Key(
            comparator("size"), "How much more memory it used in the end than when it was ready, without file cache "
            "that the kernel could drop.", example="{lte: 5MiB}",
        ),
        "restarts": Key(comparator("count"), "How often its restart policy started it again.", example="0"),
        "oom_killed": Key(boolean, "Whether the kernel killed a process of it for its memory.", example="false"),
        **identity(),
    },
    not_empty=True,
)  # fmt: skip
_IMPACT = Record(
    place="expect.faults.<id>.impact",
    doc="Which services a fault harmed: in its windows more of their spans, of the steps and probes that asked them, "
    "failed than before it, or spans of a name took twice as long as before it, and 10 ms longer (medians). Of a "
    "service of which nothing is seen in the windows, nobody can say that it was not harmed.",
    keys={
        "affected": Key(references, "Services that it must have harmed.", example="[api]", errors=("unknown-service",)),
        "unaffected": Key(
            references, "Services that it must not have harmed.", example="[web]", errors=("unknown-service",)
        ),
    },
    not_empty=True,
)
_FAULT = Record(
    place="expect.faults.<id>",
    doc="What must be known of a fault afterwards.",
    keys={
        "verified": Key(true, "Its effect was measured from outside, in every occurrence.", errors=("contradiction",)),
        "backend": Key(
            comparator("text"), "The rung by which it was injected.", example="{in: [netem, nfqueue]}",
            errors=("contradiction",),
        ),
        "impact": Key(Shape(_IMPACT, "a mapping", _IMPACT), "Which services it harmed.", example="{affected: [api]}"),
        **identity(),
    },
    not_empty=True,
)  # fmt: skip


def _resources(node: Node, place: Place) -> tuple[ResourceExpectation, ...]:
    found = _RESOURCES(node, place)
    return tuple(
        ResourceExpectation(service=service, at=fields.node.at, **fields.values) for service, fields in found.items()
    )


def _faults(node: Node, place: Place) -> tuple[FaultExpectation, ...]:
    found: list[FaultExpectation] = []
    for fault, fields in _FAULTS(node, place).items():
        impact: Fields | None = fields.take("impact")
        harmed = {} if impact is None else impact.values
        found.append(FaultExpectation(fault=fault, at=fields.node.at, **fields.values, **harmed))
        both = sorted(set(found[-1].affected) & set(found[-1].unaffected))
        if both and impact is not None:
            message = f"{place.key(fault).path}.impact wants {shown(both[0])} harmed and not harmed"
            place.log.report("contradiction", impact.node.key_at("unaffected"), message)
    return tuple(found)


def _block(record: Record) -> Shape[Fields]:
    return Shape(lambda node, place: checked(record, node, place), "a mapping", record)


_RESOURCES = table(_block(_RESOURCE), at_least=1)
_FAULTS = table(_block(_FAULT), at_least=1)
RESILIENCE_KEYS: dict[str, Key] = {
    "resilience": Key(
        Shape(_resilience, "a mapping", _RESILIENCE), "How well the system went through its faults.",
        example="{success_rate: {gte: 0.7}}",
    ),
    "resources": Key(
        Shape(_resources, "a mapping from services to figures", _RESOURCES.schema), "What services used.",
        example="{api: {memory_peak: {lte: 128MiB}}}", errors=("unknown-service",),
    ),
    "faults": Key(
        Shape(_faults, "a mapping from faults to what is known of them", _FAULTS.schema),
        "What must be known of faults afterwards, by their ids.", example="{slow-db: {verified: true}}",
        errors=("unknown-fault",),
    ),
}  # fmt: skip
"""The keys of `expect` about faults and what they do."""
