"""Shapes of the small values that many keys share: quantities, commands, patterns, reasons."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from cleanroom.quantity import parse_duration, parse_rate, parse_size
from cleanroom.spec.document import Items, Scalar
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import (
    Shape,
    either,
    fixed_text,
    integer,
    items,
    name,
    quantity,
    regex,
    scalar_text,
    table,
    text,
)

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place

_DURATION = "a duration such as 250ms, 2s or 1m30s"
_SIZE = "a size such as 64MiB, 64m or a number of bytes"
_RATE = "a rate such as 1mbit, 200kbit or 4MiB/s"
duration = quantity(parse_duration, _DURATION, example="2s")
positive_duration = quantity(parse_duration, _DURATION, example="2s", positive=True)
size = quantity(parse_size, _SIZE, example="64MiB", number=True)
positive_size = quantity(parse_size, _SIZE, example="64MiB", positive=True, number=True)
rate = quantity(parse_rate, _RATE, example="1mbit")
port = integer(1, 65535)
texts = items(text)
names = items(name)
references = items(fixed_text, at_least=1)
"""Names of other parts of the spec."""
_arguments = items(scalar_text, at_least=1)


def _variable(key: str) -> str:
    return "is not the name of a variable" if not key or "=" in key or not key.isprintable() else ""


def _absolute(key: str) -> str:
    clean = posixpath.normpath(key)
    if not key.startswith("/") or clean in ("/", "//") or ".." in key.split("/") or not key.isprintable():
        return "is not an absolute path inside the container"
    return ""


_VARIABLE = {"pattern": "^[^=]+$"}
_ABSOLUTE = {"pattern": "^/.*[^/]"}
variables = table(scalar_text, _variable, keys=_VARIABLE)
words = table(scalar_text)
container_files = table(scalar_text, _absolute, keys=_ABSOLUTE)
container_sizes = table(positive_size, _absolute, keys=_ABSOLUTE)


def _command(node: Node, place: Place) -> tuple[str, ...]:
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
        return ("sh", "-c", node.value)
    if not isinstance(node, Items):
        raise place.wrong(node, "a list of arguments, or text for sh -c")
    return _arguments(node, place)


command = Shape(
    _command,
    "a list of arguments, or text for `sh -c`",
    {"anyOf": [{"type": "string", "minLength": 1}, _arguments]},
    example="[echo, hello]",
    runtime=True,
)

_REGEX = Record(
    place="a pattern",
    doc="A regular expression in the place of a glob; it is searched for, not matched as a whole.",
    keys={"regex": Key(regex, "A regular expression in Python's syntax.", example='"^GET"')},
    required=("regex",),
)
pattern = either(
    "a glob, or {regex: …}",
    scalar=fixed_text.then(Pattern),
    mapping=_REGEX.making(lambda regex: Pattern(regex, regex=True)),
)
"""A glob as text, or `{regex: …}`."""

_REASON = Record(
    place="a reason",
    doc="Why something is accepted that would otherwise fail.",
    keys={"reason": Key(fixed_text, "The reason, which every report repeats.", example="the runner may lack netem")},
    required=("reason",),
)
reason = _REASON.making(lambda reason: reason)
"""`{reason: text}`."""
