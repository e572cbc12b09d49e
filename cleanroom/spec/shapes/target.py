"""The shape of a fault's `target` (spec.md section 8)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, either, fixed_text, integer, pattern_text, true
from cleanroom.spec.shapes.value import references
from cleanroom.spec.target import Target

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_LABEL = re.compile(r"([^=\s]+)=(.+)")


def _label(text: str) -> tuple[str, str]:
    match = _LABEL.fullmatch(text)
    if match is None:  # the shape has made sure
        raise ValueError(text)
    return match[1], match[2]


_TARGET = Record(
    place="scenarios[].chaos[].target",
    doc="Whom a fault strikes, where it is more than the name of one service.",
    keys={
        "name": Key(fixed_text, "A service; `target: db` says the same.", example="db", errors=("unknown-service",)),
        "any_of": Key(references, "Candidates, of which `count` are drawn from the seed, for each occurrence anew.",
                      example="[api, db]", errors=("unknown-service",)),
        "count": Key(integer(1), "How many of `any_of` are struck.", default="1"),
        "all": Key(true, "All services."),
        "label": Key(
            pattern_text(r"[^=\s]+=.+", "a label and its value, such as tier=storage", example="tier=storage")
            .then(_label),
            "All services with this label.", errors=("unknown-label",),
        ),
        "replica": Key(integer(1), "One replica of the service in `of`, counted from 1.", example="2",
                       errors=("unknown-replica",), later=True),
        "of": Key(fixed_text, "The service whose replica is meant.", example="db", errors=("unknown-service",)),
    },
    exactly_one=("name", "any_of", "all", "label", "replica"),
    needs={"count": "any_of", "replica": "of", "of": "replica"},
    advice=MappingProxyType({"service": "did you mean name?"}),
)  # fmt: skip


def _target(node: Node, place: Place) -> Target:
    fields = _TARGET(node, place)
    values = fields.values
    if any(key not in values for key in fields.written & _TARGET.keys.keys()):
        raise RefusedError
    among = values.get("any_of", ())
    if len(set(among)) != len(among):
        raise place.key("any_of").wrong(fields.node.get("any_of") or node, "services, each once", code="wrong-value")
    if "any_of" in values and values.get("count", 1) > len(set(among)):
        expected = f"at most {len(set(among))}, the length of any_of"
        raise place.key("count").wrong(fields.node.get("count") or node, expected, code="wrong-value")
    if ("of" in values) != ("replica" in values):
        raise RefusedError  # reported: one of them stands alone
    return Target(
        service=values.get("name", ""),
        any_of=among,
        count=values.get("count", 1),
        all=values.get("all", False),
        label=values.get("label"),
        replica=values.get("replica"),
        of=values.get("of", ""),
    )


target = either(
    "the name of a service, or a mapping with name, any_of, all, label or replica",
    scalar=fixed_text.then(lambda service: Target(service=service), example="db"),
    mapping=Shape(_target, "a mapping", _TARGET),
)
"""Whom a fault strikes."""
