"""Nodes made by the importers: like those of a spec file, with positions of the file that they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cleanroom.spec.document import Entry, Items, Node, Scalar, ScalarValue, Table
from cleanroom.spec.source import Position


class FileText(str):
    """The text of a file in the repository: a spec that is written refers to the file instead of repeating it."""

    __slots__ = ("path",)

    path: str

    @classmethod
    def of(cls, text: str, path: str) -> FileText:
        """Return the text of the file at `path`, which is relative to the spec's folder."""
        made = cls(text)
        made.path = path
        return made


def scalar(value: ScalarValue, at: Position) -> Scalar:
    """Return a scalar; text counts as quoted, so that it stays text."""
    words = {True: "true", False: "false", None: ""}
    text = (
        value
        if isinstance(value, str)
        else words[value]
        if value is None or value is True or value is False
        else str(value)
    )
    return Scalar(value=value, text=text, at=at, quoted=isinstance(value, str))


def sequence(nodes: Iterable[Node], at: Position) -> Items:
    """Return a list of nodes."""
    made = tuple(nodes)
    return Items(items=made, at=at, size=1 + sum(node.size for node in made))


def mapping(entries: Iterable[Entry], at: Position) -> Table:
    """Return a mapping of entries."""
    made = tuple(entries)
    return Table(entries=made, at=at, size=1 + sum(1 + entry.value.size for entry in made))


def entry(key: str, at: Position, value: Any) -> Entry:  # noqa: ANN401 -- a node, or plain data
    """Return an entry; plain data becomes nodes at the same position."""
    return Entry(key=key, at=at, value=node_of(value, at))


def node_of(value: Any, at: Position) -> Node:  # noqa: ANN401 -- a node, or plain data
    """Return plain data as nodes that all stand at one position; nodes in it keep theirs."""
    if isinstance(value, (Scalar, Items, Table)):
        return value
    if isinstance(value, Mapping):
        return mapping((entry(key, at, item) for key, item in value.items()), at)
    if isinstance(value, (list, tuple)):
        return sequence((node_of(item, at) for item in value), at)
    return scalar(value, at)
