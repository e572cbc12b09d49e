"""The shape of `matrix` (spec.md, introduction): its form only, since it is expanded before a suite is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.shape import Shape, items, table

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

CHANGES = ("include", "exclude")


def _scalar(node: Node, place: Place) -> bool | int | float | str:
    if not isinstance(node, Scalar) or node.value is None:
        raise place.wrong(node, "text, a number, true or false")
    return node.value


_value = Shape(
    _scalar,
    "text, a number, true or false",
    {"type": ["string", "number", "boolean"], "minLength": 1},
    example='"17"',
)
_values = items(_value, at_least=1)
_combinations = items(table(_value, at_least=1), at_least=1)
_WORDS = "a mapping from names to lists of values, with `include` and `exclude` for single combinations"


def _matrix(node: Node, place: Place) -> None:
    if not isinstance(node, Table):
        raise place.wrong(node, "a mapping from names to lists of values")
    if not node.entries:
        raise place.wrong(node, "a mapping that is not empty", code="empty-list")
    for entry in node.entries:
        shape = _combinations if entry.key in CHANGES else _values
        try:
            shape(entry.value, place.key(entry.key))
        except RefusedError:
            continue


matrix = Shape(
    _matrix,
    _WORDS,
    {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"},
        "properties": dict.fromkeys(CHANGES, _combinations),
        "additionalProperties": _values,
    },
    example='{postgres: ["15", "17"]}',
)
"""The combinations of a suite; what each is called and how they are chosen is no matter of the form."""
