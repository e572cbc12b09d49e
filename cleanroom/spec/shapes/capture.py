"""The shape of `capture` (spec.md section 4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cleanroom.spec.capture import Capture
from cleanroom.spec.document import Table
from cleanroom.spec.operand import shown
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, pattern_text, regex

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
"""What a template can write after a dot."""
_NAME = re.compile(VARIABLE)
JSON_PATH = r"\$|(?!/)\$?(?:\.?[^.\[\]]+|\[[0-9]+\])(?:\.[^.\[\]]+|\[[0-9]+\])*"
json_path = pattern_text(JSON_PATH, "a JSON path such as a.b[0].c, or $ for the whole", example="order.id")
"""`a.b[0].c`, as `expect.json` takes it."""
HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
header_name = pattern_text(HEADER_NAME, "the name of a header", example="location")
_CAPTURE = Record(
    place="scenarios[].steps[].capture.<name>",
    doc="A value that a step keeps of its result; later steps write `{{ captured.name }}`. Nothing found is a failure.",
    keys={
        "json": Key(json_path, "The value at this path of the body, of standard output, of the rows or of the reply."),
        "regex": Key(
            regex, "What this expression finds in the output: its first group, or all of it without one.",
            example="'id=(\\d+)'",
        ),
        "header": Key(header_name, "This header of the response.", errors=("impossible",)),
    },
    exactly_one=("json", "regex", "header"),
)  # fmt: skip


def identifier(key: str) -> str:
    """Return what is wrong with the name of a variable, or nothing."""
    return "" if _NAME.fullmatch(key) else "is not a name that a template can use (letters, digits and _)"


def _captures(node: Node, place: Place) -> tuple[Capture, ...]:
    if not isinstance(node, Table):
        raise place.wrong(node, "a mapping from names to captures")
    if not node.entries:
        raise place.wrong(node, "a mapping that is not empty", code="empty-list")
    read = []
    for entry in node.entries:
        fault = identifier(entry.key)
        if fault:
            place.log.report("wrong-value", entry.at, f"{shown(entry.key)} in {place.path} {fault}")
        try:
            fields: Fields = _CAPTURE(entry.value, place.key(entry.key))
            by, source = fields.only(_CAPTURE.exactly_one)
        except RefusedError:
            continue
        read.append(Capture(name=entry.key, by=by, source=source, at=entry.at))  # type: ignore[arg-type]  # of the three
    return tuple(read)


captures = Shape(
    _captures,
    "a mapping from names to captures",
    {
        "type": "object", "additionalProperties": _CAPTURE, "propertyNames": {"pattern": f"^{VARIABLE}$"},
        "minProperties": 1,
    },
    example="{id: {json: order.id}}",
)  # fmt: skip
"""`{name: {json: path}}`."""
