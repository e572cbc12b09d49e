"""The shape of a whole spec file, and the index of which key belongs where (spec.md, introduction)."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanroom.spec.contract import Contract
from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.shapes.determinism import determinism
from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.environment import cleanup, limits, network
from cleanroom.spec.shapes.expect import suite_expect
from cleanroom.spec.shapes.matrix import matrix
from cleanroom.spec.shapes.otel import otel
from cleanroom.spec.shapes.record import Key, Record, records_in
from cleanroom.spec.shapes.scenario import scenario
from cleanroom.spec.shapes.service import services
from cleanroom.spec.shapes.shape import Shape, boolean, choice, fixed_text, free_text, items, name, table
from cleanroom.spec.shapes.value import references
from cleanroom.spec.suite import TIERS, ComposeSource, Report, Suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cleanroom.spec.document import Node
    from cleanroom.spec.scenario import Scenario
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

LANGUAGE_VERSION = 1


def _version(node: Node, place: Place) -> int:
    if not isinstance(node, Scalar) or type(node.value) is not int or node.value != LANGUAGE_VERSION:
        raise place.wrong(node, "1, the version of the language", code="wrong-value")
    return LANGUAGE_VERSION


_version_shape = Shape(_version, "1, the version of the language", {"const": LANGUAGE_VERSION}, example="1")


def _variables(node: Node, place: Place) -> None:
    """Check that variables are a mapping; their values were settled, and refused, when templates were rendered."""
    if not isinstance(node, Table):
        raise place.wrong(node, "a mapping")


_anything = Shape(lambda node, _place: node, "any value", schema=True, example="eu")
_vars: Shape[None] = Shape(_variables, table(_anything).words, table(_anything).schema, example="{region: eu}")
_META = Record(
    place="meta",
    doc="What a suite is called, and when it runs.",
    keys={
        "name": Key(name, "The name of the suite; that of its file without it.", example="checkout"),
        "description": Key(free_text, "What the suite shows.", default='""', example="orders survive a crash"),
        "tags": Key(
            distinct(items(name), "tag"), "Words by which `run --tags` chooses.", default="[]", example="[smoke]"
        ),
        "tier": Key(
            choice(*TIERS),
            "How often the suite is worth its time. `run --tier` chooses by it; each tier includes those before it, so "
            "that `weekly` is everything.", default="full",
        ),
        "required": Key(
            boolean,
            "Whether the call fails when this suite does; `false` reports what it finds and lets the call pass, unless "
            "the suite ends in an error.", default="true",
        ),
    },
)  # fmt: skip
_REPORT = Record(
    place="report",
    doc="What reports show.",
    keys={
        "redact": Key(
            items(fixed_text),
            "Globs of the names of attributes, variables and headers whose values no report shows.",
            default="[]", example='["*password*", "*token*"]', later=True,
        )
    },
)  # fmt: skip
_COMPOSE = Record(
    place="compose",
    doc="A Compose file that adds its services to the suite's. What it cannot take is an error by name.",
    keys={
        "file": Key(
            fixed_text, "The Compose file inside the repository, relative to the spec.",
            example="compose.yaml", errors=("missing-path", "outside"),
        ),
        "services": Key(
            distinct(references, "service"), "The services that are taken, with their dependencies; all without it.",
            example="[db, api]",
        ),
        "profiles": Key(
            distinct(items(fixed_text), "profile"), "The profiles that are active.", default="[]", example="[debug]"
        ),
        "ignore": Key(
            distinct(items(fixed_text), "key"), "Keys of the Compose file that are left out on purpose.",
            default="[]", example="[services.web.networks]",
        ),
    },
    required=("file",),
)  # fmt: skip
_CONTRACTS = Record(
    place="contracts",
    doc="A document that every `http` step and every call of a mock is validated against.",
    keys={
        "openapi": Key(
            fixed_text, "An OpenAPI document inside the repository, relative to the spec.",
            example="./api.yaml", errors=("missing-path", "outside"),
        ),
        "services": Key(
            distinct(references, "service"), "The services that the document describes.",
            example="[api]", errors=("unknown-service",),
        ),
    },
    required=("openapi", "services"),
)  # fmt: skip
SUITE = Record(
    place="",
    doc="One spec file: one suite.",
    keys={
        "cleanroom": Key(_version_shape, "The version of the language."),
        "meta": Key(
            _META.into(lambda fields: fields.values), "What the suite is called, and when it runs.",
            default="{}", example="{name: checkout, tags: [smoke]}",
        ),
        "vars": Key(
            _vars, "Variables for templates. `null` declares one and leaves its value to the environment.",
            default="{}", example="{region: eu}",
        ),
        "matrix": Key(
            matrix,
            "Names with lists of values: the file is one suite for each combination. `exclude` takes away combinations "
            "that have all the values of one of its entries, `include` adds some. Templates read `matrix.<name>`.",
            example='{postgres: ["15", "17"]}',
        ),
        "environment": Key(
            choice("scenario", "suite"),
            "`scenario` starts fresh services for each scenario; `suite` starts them once for all scenarios.",
            default="scenario",
        ),
        "limits": Key(
            limits, "What one environment may use; unlimited without it.",
            default="{}", example="{cpus: 2, memory: 2GiB, duration: 120s}",
        ),
        "network": Key(network, "The network of one environment.", default="{}", example="{egress: none}"),
        "cleanup": Key(cleanup, "Removing an environment.", default="{}", example="{timeout: 30s}"),
        "report": Key(_REPORT.making(Report), "What reports show.", default="{}", example='{redact: ["*token*"]}'),
        "compose": Key(
            _COMPOSE.into(lambda fields: ComposeSource(**fields.values, at=fields.node.at)),
            "Adds the services of a Compose file.", example="{file: compose.yaml, services: [db, api]}",
        ),
        "contracts": Key(
            _CONTRACTS.into(lambda fields: Contract(**fields.values, at=fields.node.at)),
            "Validates every `http` step and every call of a mock against a document.",
            example="{openapi: ./api.yaml, services: [api]}", later=True,
        ),
        "services": Key(services, "The system under test; its names are host names in the environment's network."),
        "otel": Key(
            otel, "Telemetry of the suite as a whole.", default="{}", example="{collector: embedded}"
        ),
        "scenarios": Key(
            items(scenario, at_least=1), "What is done to the system, one scenario after the other.",
            example="[{name: an order is stored, steps: [{name: wait, sleep: 1s}]}]",
            errors=("duplicate-scenario",),
        ),
        "expect": Key(
            suite_expect, "What must hold for each iteration as a whole.", example="{status: {all: {ne: error}}}"
        ),
        "determinism": Key(
            determinism, "How often the suite runs, and what must be the same each time.",
            default="{}", example="{iterations: 5}",
        ),
    },
    required=("cleanroom", "scenarios"),
    at_least_one=("services", "compose"),
    advice=MappingProxyType({"version": "write cleanroom: 1", "faults": "write chaos in a scenario"}),
)  # fmt: skip


@cache
def belongs() -> Mapping[str, tuple[str, ...]]:
    """Return, for every key of the language, the places that know it."""
    places: dict[str, dict[str, None]] = {}
    for record in records_in(SUITE):
        for key in record.keys:
            places.setdefault(key, {})[record.place] = None
    return MappingProxyType({key: tuple(found) for key, found in places.items()})


def _refuse_examples_apart(scenarios: Iterable[Scenario], place: Place) -> None:
    """Report properties whose examples want fresh environments in a suite whose scenarios all share one."""
    for one in scenarios:
        if one.property is not None and one.property.isolation == "example":
            message = (
                f"examples of scenario {one.name!r} cannot have environments of their own: all scenarios share one"
            )
            place.log.report("contradiction", one.property.at, message, suggestion="take `environment: suite` out")


def read_suite(node: Table, place: Place) -> Suite:
    """Return the suite in `node`; what does not fit is reported, and the value is complete only if nothing was."""
    fields: Fields = SUITE(node, place)
    values = fields.values
    meta: dict[str, Any] = values.pop("meta", {})
    for read_before in ("cleanroom", "vars", "matrix"):
        values.pop(read_before, None)
    if values.get("environment") == "suite":
        _refuse_examples_apart(values.get("scenarios", ()), place)
    return Suite(
        name=meta.pop("name", "") or place.log.file.rpartition("/")[2].split(".")[0],
        file=place.log.file,
        services=tuple(fields.take("services", {}).values()),
        at=node.at,
        **meta,
        **values,
    )
