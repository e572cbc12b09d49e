"""The shape of `expect.spans` (spec.md section 6)."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cleanroom.spec.comparator import Comparator
from cleanroom.spec.expect import AttributeConditions, EventConditions, SpanExpectation
from cleanroom.spec.operand import shown
from cleanroom.spec.reference import locate
from cleanroom.spec.satisfiable import admits_only_zero, unsatisfiable
from cleanroom.spec.shapes.attribute_schema import attribute_schemas
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.expect_timing import TIME_KEYS
from cleanroom.spec.shapes.expectation import IDENTITY, identity
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.selector import SELECTOR_KEYS
from cleanroom.spec.shapes.shape import Shape, boolean, choice, either, fixed_text, table
from cleanroom.spec.shapes.value import pattern, texts

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields
    from cleanroom.spec.source import Position

KINDS = ("internal", "server", "client", "producer", "consumer", "unspecified")
STATUSES = ("unset", "ok", "error")
CONDITIONS = ("parent", "ancestor", "root", "attributes", "schema", "resource", "events", "links", "status", "duration",
              "some", "each")  # fmt: skip
comparators = table(comparator(), at_least=1)
"""Attribute to what its value must be."""

_ATTRIBUTES = Record(
    place="expect.spans[].attributes",
    doc="What the attributes of the selected spans must be.",
    keys={
        "all": Key(comparators, "Each of these attributes must satisfy its comparator; one that is missing does not.",
                   example="{http.response.status_code: {lt: 500}}"),
        "any": Key(comparators, "At least one of these attributes must satisfy its comparator.",
                   example="{cached: true, fresh: true}"),
        "none": Key(texts, "Names (globs) of attributes that no selected span may have.", example="[password]"),
    },
    not_empty=True,
    advice={"*": "write attributes: {all: {…}}"},
)  # fmt: skip
_EVENTS = Record(
    place="expect.spans[].events",
    doc="Which events the selected spans must have.",
    keys={
        "all": Key(texts, "Names (globs) of events that must all be there.", example="[order.created]"),
        "any": Key(texts, "Names (globs) of events of which at least one must be there.", example="[hit, miss]"),
        "none": Key(texts, "Names (globs) of events that must not be there.", example="[exception]"),
    },
    not_empty=True,
)
_LINKS = Record(
    place="expect.spans[].links",
    doc="How many links the selected spans must have.",
    keys={"count": Key(comparator("count"), "The number of links of each span.")},
    required=("count",),
)
_NEVER = ("impossible", "contradiction")
_SPAN = Record(
    place="expect.spans[]",
    doc="Spans that must be there, or must not, and what must hold of each. The keys from `name` to `after` select "
    "spans; the others say what must hold of those selected.",
    keys={
        **SELECTOR_KEYS,
        "kind": Key(choice(*KINDS), "Selects spans by kind.", example="server"),
        **TIME_KEYS,
        "count": Key(
            comparator("count"), "How many spans are selected; `0` says that there is none.", "{gte: 1}", "2",
            errors=_NEVER,
        ),
        "parent": Key(pattern, "The name of the direct parent.", example='"cleanroom.step*"', errors=_NEVER),
        "ancestor": Key(pattern, "The name of some ancestor.", example="cleanroom.scenario", errors=_NEVER),
        "root": Key(
            boolean, "Whether the span is a root; a span under a span of the runner is one.", example="false",
            errors=_NEVER,
        ),
        "attributes": Key(
            _ATTRIBUTES.making(AttributeConditions), "What its attributes are.",
            example="{all: {http.response.status_code: {lt: 500}}, none: [password]}", errors=_NEVER,
        ),
        "schema": Key(
            either(
                "a mapping from attributes to schemas, or a file", scalar=fixed_text, mapping=attribute_schemas
            ),
            "What its attributes look like: JSON Schema by attribute, here or in a file of the repository.",
            example="{http.route: {type: string, required: true}}", errors=("outside", "missing-path"),
        ),
        "resource": Key(comparators, "What the attributes of its resource are.",
                        example="{deployment.environment.name: test}"),
        "events": Key(_EVENTS.making(EventConditions), "Which events it has.", example="{all: [order.created]}",
                      errors=_NEVER),
        "links": Key(_LINKS.making(lambda count: count), "How many links it has.", example="{count: {gte: 1}}"),
        "status": Key(comparator(words=STATUSES), "Its OTLP status; unset is not ok.", example="ok"),
        "duration": Key(comparator("duration"), "How long it lasted.", example="{lte: 200ms}"),
        "each": Key(boolean, "Whether every selected span is judged.", "true", "true", errors=("contradiction",)),
        "some": Key(boolean, "Whether it is enough that one selected span meets all conditions.", "false", "true",
                    errors=("contradiction",)),
        **identity(),
    },
    advice={"match": "did you mean name or where?"},
)  # fmt: skip


def _span(node: Node, place: Place) -> SpanExpectation:
    fields = _SPAN(node, place)
    values = fields.values
    if not fields.written - IDENTITY - {"each", "some"}:
        raise place.wrong(node, "a selector (name, service, kind, …), a count or a condition", code="empty-expect")
    each, some = values.pop("each", None), values.get("some", False)
    if each is not None and each is some:
        message = f"{place.path} says each and some against each other"
        place.log.report("contradiction", fields.node.key_at("each"), message)
    schema = values.pop("schema", None)
    found = SpanExpectation(at=node.at, **values)
    if isinstance(schema, str):
        found = replace(found, schema_file=schema)
    elif schema is not None:
        found = replace(found, schema=schema)
    _check_possible(found, fields, place)
    _check_lineage(found, fields, place)
    _check_attributes(found, fields, place)
    return found


def _check_possible(span: SpanExpectation, fields: Fields, place: Place) -> None:
    conditions = sorted(fields.written.intersection(CONDITIONS))
    if span.count is not None and conditions and admits_only_zero(span.count):
        message = f"{place.path} wants no span, so {conditions[0]} would never be judged"
        suggestion = "select by it (where, service, kind, …) or take it out"
        place.log.report("impossible", fields.node.key_at(conditions[0]), message, suggestion=suggestion)
    if span.name is not None and span.name.of_runner and "service" in fields.written:
        message = f"{place.path} can never select: the runner's own spans belong to no service"
        place.log.report("impossible", fields.node.key_at("service"), message)


def _check_lineage(span: SpanExpectation, fields: Fields, place: Place) -> None:
    """Report what no span can be under: a root has no service span above it, and the runner's have only their own."""
    of_runner = span.name is not None and span.name.of_runner
    for key, above in (("parent", span.parent), ("ancestor", span.ancestor)):
        if above is None or above.of_runner:
            continue
        if span.root:
            message = f"{place.path} wants a root under {above}, which is a span of a service: a root has none above it"
            place.log.report("contradiction", fields.node.key_at(key), message)
        elif of_runner:
            message = f"{place.path}.{key} can never hold: the runner's own spans have only its own above them"
            place.log.report("impossible", fields.node.key_at(key), message)


def _check_attributes(span: SpanExpectation, fields: Fields, place: Place) -> None:
    """Report attributes and events that are wanted and forbidden, or selected with values that break the condition."""
    wanted = span.attributes or AttributeConditions()
    for name, needed in wanted.all.items():
        forbids = _covering(wanted.none, name)
        if forbids is not None and not _wants_absence(needed):
            message = f"{place.path}.attributes wants {shown(name)} and forbids it"
            place.log.report("contradiction", _at(fields, "attributes", "none", forbids), message)
        selected = span.where.get(name)
        both = Comparator(tests=(*needed.tests, *selected.tests)) if selected is not None else needed
        if selected is not None and not _wants_absence(needed) and unsatisfiable(both):
            message = f"{place.path} selects by {shown(name)} what its attributes forbid"
            place.log.report("contradiction", _at(fields, "attributes", "all", name), message)
    for name, chosen in span.where.items():
        forbids = _covering(wanted.none, name)
        if forbids is not None and name not in wanted.all and not _wants_absence(chosen):
            message = f"{place.path} selects by {shown(name)} and forbids it"
            place.log.report("contradiction", _at(fields, "attributes", "none", forbids), message)
    events = span.events or EventConditions()
    for name in sorted({*events.all}):
        forbids = _covering(events.none, name)
        if forbids is not None:
            message = f"{place.path}.events wants {shown(name)} and forbids it"
            place.log.report("contradiction", _at(fields, "events", "none", forbids), message)


def _covering(globs: tuple[str, ...], name: str) -> int | None:
    """Return the index of the first glob that names `name` (itself a name, or the very same glob)."""
    return next((index for index, glob in enumerate(globs) if glob == name or fnmatchcase(name, glob)), None)


def _at(fields: Fields, *path: str | int) -> Position:
    """Return where a part of the expectation stands."""
    found = locate(fields.node, *path)
    return found.at if found is not None else fields.node.at


def _wants_absence(needed: Comparator) -> bool:
    return ("exists", False) in needed.tests


span: Shape[SpanExpectation] = Shape(_span, "a mapping", _SPAN, example='{name: "GET /orders*", count: {gte: 1}}')
"""One entry of `expect.spans`."""
