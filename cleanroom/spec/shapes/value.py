"""Shapes of the small values that many keys share: quantities, commands, patterns, reasons."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from cleanroom.quantity import parse_duration, parse_size
from cleanroom.spec.document import Items, Scalar, Table
from cleanroom.spec.expect import Pattern
from cleanroom.spec.shapes.shape import Record, integer, items, name, quantity, regex, scalar_text, table, text

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.shape import Place

duration = quantity(parse_duration, "a duration such as 250ms, 2s or 1m30s")
positive_duration = quantity(parse_duration, "a duration such as 250ms, 2s or 1m30s", positive=True)
size = quantity(parse_size, "a size such as 64MiB, 64m or a number of bytes")
positive_size = quantity(parse_size, "a size such as 64MiB, 64m or a number of bytes", positive=True)
port = integer(1, 65535)
texts = items(text)
names = items(name)
_arguments = items(scalar_text, at_least=1)
_reason = Record(place="allow_inconclusive", keys={"reason": text}, required=("reason",))
_regex = Record(place="a pattern", keys={"regex": regex}, required=("regex",))


def _variable(key: str) -> str:
    return "is not the name of a variable" if not key or "=" in key or not key.isprintable() else ""


def _absolute(key: str) -> str:
    clean = posixpath.normpath(key)
    if not key.startswith("/") or clean in ("/", "//") or ".." in key.split("/") or not key.isprintable():
        return "is not an absolute path inside the container"
    return ""


variables = table(scalar_text, _variable)
words = table(scalar_text)
container_files = table(scalar_text, _absolute)
container_sizes = table(positive_size, _absolute)


def command(node: Node, place: Place) -> tuple[str, ...]:
    """Take a list of arguments, or text for `sh -c`."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
        return ("sh", "-c", node.value)
    if not isinstance(node, Items):
        raise place.wrong(node, "a list of arguments, or text for sh -c")
    return _arguments(node, place)


def pattern(node: Node, place: Place) -> Pattern:
    """Take a glob as text, or `{regex: …}`."""
    if isinstance(node, Table):
        return Pattern(_regex(node, place).values["regex"], regex=True)
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        raise place.wrong(node, "a glob, or {regex: …}")
    return Pattern(node.value)


def reason(node: Node, place: Place) -> str:
    """Take `{reason: text}`."""
    value: str = _reason(node, place).values["reason"]
    return value
