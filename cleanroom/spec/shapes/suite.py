"""The shape of a whole spec file, and the index of which key belongs where."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanroom.spec.document import Scalar
from cleanroom.spec.shapes import chaos, expect, scenario, service
from cleanroom.spec.shapes.shape import (
    Record,
    boolean,
    choice,
    free_text,
    integer,
    items,
    name,
    not_available,
    regex,
    table,
)
from cleanroom.spec.shapes.value import duration, names, texts, words
from cleanroom.spec.suite import Determinism, Normalize, Otel, Replacement, Settle, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cleanroom.spec.document import Node, Table
    from cleanroom.spec.shapes.shape import Fields, Place

LANGUAGE_VERSION = 1
LARGEST_SEED = 2**63 - 1
_META = Record(
    place="meta",
    keys={"name": name, "description": free_text, "tags": names},
    later=frozenset({"tier", "required"}),
)
_SETTLE = Record(place="otel.settle", keys={"timeout": duration, "quiet": duration})
_REPLACE = Record(
    place="determinism.normalize.replace[]",
    keys={"pattern": regex, "with": free_text},
    required=("pattern", "with"),
)


def _collector(node: Node, place: Place) -> str:
    if not isinstance(node, Scalar):
        raise not_available(node, place, "a configuration of your own")
    return choice("bundled", "embedded")(node, place)


_OTEL = Record(
    place="otel",
    keys={
        "collector": _collector,
        "settle": lambda node, place: Settle(**_SETTLE(node, place).values),
        "resource": words,
    },
    later=frozenset({"sample_ratio", "propagators", "forward", "accept"}),
)


def _replacement(node: Node, place: Place) -> Replacement:
    values = _REPLACE(node, place).values
    return Replacement(pattern=values["pattern"], replacement=values["with"])


_NORMALIZE = Record(
    place="determinism.normalize",
    keys={
        "drop": texts,
        "replace": items(_replacement),
        "keep": texts,
        "siblings": choice("unordered", "by_start"),
    },
    later=frozenset({"durations"}),
)


def _seed(node: Node, place: Place) -> int | None:
    """Read a whole number; None stands for `random`."""
    if isinstance(node, Scalar) and node.value == "random":
        return None
    if not isinstance(node, Scalar) or not isinstance(node.value, int) or isinstance(node.value, bool):
        raise place.wrong(node, "a whole number, or random")
    return integer(0, LARGEST_SEED)(node, place)


_DETERMINISM = Record(
    place="determinism",
    keys={
        "iterations": integer(1, 100),
        "seed": _seed,
        "identical": boolean,
        "parallel": integer(1, 100),
        "normalize": lambda node, place: Normalize(**_NORMALIZE(node, place).values),
    },
    later=frozenset({"freeze_clock", "vary", "compare"}),
)


def _determinism(node: Node, place: Place) -> Determinism:
    values = _DETERMINISM(node, place).values
    return Determinism(random_seed="seed" in values and values["seed"] is None, at=node.at, **values)


def _version(node: Node, place: Place) -> int:
    if not isinstance(node, Scalar) or type(node.value) is not int or node.value != LANGUAGE_VERSION:
        raise place.wrong(node, "1, the version of the language", code="wrong-value")
    return LANGUAGE_VERSION


SUITE = Record(
    place="",
    keys={
        "cleanroom": _version,
        "meta": lambda node, place: _META(node, place).values,
        "vars": table(lambda node, _place: node),
        "environment": choice("scenario", "suite"),
        "services": service.services,
        "otel": lambda node, place: Otel(**_OTEL(node, place).values),
        "scenarios": items(scenario.scenario, at_least=1),
        "expect": expect.suite_expect,
        "determinism": _determinism,
    },
    later=frozenset({"matrix", "limits", "network", "cleanup", "report", "compose", "contracts"}),
    required=("cleanroom", "services", "scenarios"),
    advice=MappingProxyType({"version": "write cleanroom: 1", "faults": "write chaos in a scenario"}),
)
_RECORDS = (
    SUITE, _META, _OTEL, _SETTLE, _DETERMINISM, _NORMALIZE, _REPLACE,
    *service.RECORDS, *scenario.RECORDS, *expect.RECORDS, *chaos.RECORDS,
)  # fmt: skip


def belongs() -> Mapping[str, tuple[str, ...]]:
    """Return, for every key of the language, the places that know it (spec.md as a whole, built or not)."""
    places: dict[str, dict[str, None]] = {}
    for record in _RECORDS:
        for key in (*record.keys, *record.later):
            places.setdefault(key, {})[record.place] = None
    return MappingProxyType({key: tuple(found) for key, found in places.items()})


def read_suite(node: Table, place: Place) -> Suite:
    """Return the suite in `node`; what does not fit is reported, and the value is complete only if nothing was."""
    fields: Fields = SUITE(node, place)
    values = fields.values
    meta: dict[str, Any] = values.pop("meta", {})
    values.pop("cleanroom")
    values.pop("vars", None)
    return Suite(
        name=meta.get("name") or place.log.file.rpartition("/")[2].split(".")[0],
        description=meta.get("description", ""),
        tags=meta.get("tags", ()),
        file=place.log.file,
        services=tuple(values.pop("services").values()),
        at=node.at,
        **values,
    )
