"""The defaults and examples of keys, which are written as YAML: as nodes and as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanroom.spec.document import Node, UnreadableError, plain, read_document
from cleanroom.spec.problem import ProblemLog, render_problems

if TYPE_CHECKING:
    from cleanroom.canonical import Json


def node_of(written: str) -> Node:
    """Return the node of a value written as YAML flow text; raises ValueError when it is none."""
    log = ProblemLog("example.cleanroom.yaml")
    try:
        node = read_document(f"value: {written}", log).get("value")
    except UnreadableError:
        node = None
    if node is None or log.found:
        raise ValueError(f"{written!r} is no YAML value: {render_problems(log.sorted())}")
    return node


def value_of(written: str) -> Json:
    """Return a value written as YAML flow text as plain data; raises ValueError when it is none."""
    value: Json = plain(node_of(written))
    return value
