"""The shape of error types, and of what judges one (spec.md section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.document import Scalar, Table
from cleanroom.spec.error_type import ERROR_TYPES, SQL_ERROR, is_error_type
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import nearest
from cleanroom.spec.reference import items_at
from cleanroom.spec.shapes.comparison import comparator
from cleanroom.spec.shapes.distinct import distinct
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.shape import Shape, fixed_text, items

if TYPE_CHECKING:
    from cleanroom.spec.comparator import Comparator
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_WORDS = "an error type such as timeout or sql:40001"
_KNOWN = f"{', '.join(ERROR_TYPES)}, or sql: and an SQLSTATE or a number"


def _error_type(node: Node, place: Place) -> str:
    value = fixed_text.read(node, place)
    if not is_error_type(value):
        close = nearest(value, ERROR_TYPES)
        hint = f"did you mean {close}?" if close else ""
        message = f"{place.path} takes {_WORDS}"
        place.log.report("wrong-value", node.at, message, expected=_KNOWN, got=shown(value), suggestion=hint)
        raise RefusedError
    return value


_SCHEMA = {"anyOf": [{"enum": list(ERROR_TYPES)}, {"type": "string", "pattern": f"^{SQL_ERROR}$"}]}
error_type = Shape(_error_type, _WORDS, _SCHEMA, example="timeout", choices=ERROR_TYPES)
"""One of ERROR_TYPES, or `sql:` and the server's code."""
error_types = distinct(items(error_type, at_least=1), "error-type")
"""A list of error types."""

_judged = comparator("text")


def _comparator(node: Node, place: Place) -> Comparator:
    # Text that equals no error type could never be found: it would make `ne` and `not_in` hold for nothing.
    if isinstance(node, Scalar):
        error_type(node, place)
    elif isinstance(node, Table):
        for entry in node.entries:
            if entry.key in ("eq", "ne"):
                error_type(entry.value, place.key(entry.key))
            elif entry.key in ("in", "not_in"):
                for index, item in enumerate(items_at(entry.value)):
                    error_type(item, place.key(entry.key).item(index))
    return _judged(node, place)


error_type_comparator: Shape[Comparator] = Shape(_comparator, _judged.words, _judged.schema, example="timeout")
"""A comparator whose operands are error types."""
