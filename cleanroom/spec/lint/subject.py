"""A spec as lint rules see it: the nodes after templates, and ways to the parts that rules ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from cleanroom.quantity import Duration, parse_duration
from cleanroom.spec.document import Entry, Items, Node, Scalar, Table, plain
from cleanroom.spec.source import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One instance of a valid spec."""

    document: Table
    text: str
    """The file as written: what templates refer to is only seen there."""
    unused_anchors: tuple[tuple[str, int, int], ...] = ()
    """Anchors that no alias names, with line and column."""
    place: Callable[[int, int], Position]
    """Makes the position of a line and a column of the file."""

    def services(self) -> tuple[Entry, ...]:
        """Return the entries of `services`."""
        return entries(self.document.get("services"))

    def scenarios(self) -> tuple[Table, ...]:
        """Return the scenarios."""
        return tables(self.document.get("scenarios"))

    def faults(self) -> Iterator[tuple[Table, Table]]:
        """Yield every fault with its scenario."""
        for scenario in self.scenarios():
            for fault in tables(scenario.get("chaos")):
                yield scenario, fault

    def expects(self) -> Iterator[Entry]:
        """Yield the `expect` of the suite and of each scenario."""
        for table in (self.document, *self.scenarios()):
            yield from (entry for entry in table.entries if entry.key == "expect" and isinstance(entry.value, Table))

    def spans(self) -> Iterator[Table]:
        """Yield every entry of `expect.spans`."""
        for expect in self.expects():
            yield from tables(child(expect.value, "spans"))

    def determinism(self, key: str) -> Entry | None:
        """Return an entry of `determinism`."""
        return entry_of(self.document.get("determinism"), key)


def child(node: Node | None, key: str) -> Node | None:
    """Return the value of a key, None when the node is no mapping or has no such key."""
    return node.get(key) if isinstance(node, Table) else None


def entry_of(node: Node | None, key: str) -> Entry | None:
    """Return the entry of a key, None when the node is no mapping or has no such key."""
    return next((entry for entry in entries(node) if entry.key == key), None)


def entries(node: Node | None) -> tuple[Entry, ...]:
    """Return the entries of a mapping; none for anything else."""
    return node.entries if isinstance(node, Table) else ()


def members(node: Node | None) -> tuple[Node, ...]:
    """Return the items of a list; none for anything else."""
    return node.items if isinstance(node, Items) else ()


def tables(node: Node | None) -> tuple[Table, ...]:
    """Return the mappings in a list."""
    return tuple(item for item in members(node) if isinstance(item, Table))


def word(node: Node | None) -> str:
    """Return a text scalar's value, the empty text for anything else."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else ""


def value(node: Node | None) -> Any:  # noqa: ANN401 -- JSON-like by construction
    """Return the node as plain data; None when there is none."""
    return None if node is None else plain(node)


def duration(node: Node | None) -> Duration | None:
    """Return a duration, None when the node is none."""
    try:
        return parse_duration(word(node))
    except ValueError:
        return None


def walk(node: Node) -> Iterator[Entry]:
    """Yield every entry of every mapping inside, outermost first."""
    if isinstance(node, Table):
        for entry in node.entries:
            yield entry
            yield from walk(entry.value)
    elif isinstance(node, Items):
        for item in node.items:
            yield from walk(item)


def words_in(node: Node) -> Iterator[str]:
    """Yield the text of every scalar and of every key inside."""
    if isinstance(node, Scalar):
        yield node.text
    elif isinstance(node, Table):
        for entry in node.entries:
            yield entry.key
            yield from words_in(entry.value)
    else:
        for item in node.items:
            yield from words_in(item)


def matches(pattern: str, names: Iterator[str] | tuple[str, ...]) -> bool:
    """Whether a glob matches one of some names."""
    return any(fnmatchcase(name, pattern) for name in names)


def zero(node: Node | None) -> bool:
    """Whether a comparator says that there must be none: `0`, `{eq: 0}`, `{lte: 0}`, `{lt: 1}`."""
    found = value(node)
    if isinstance(found, dict):
        return found.get("eq") == 0 or found.get("lte") == 0 or found.get("lt") == 1
    return found == 0 and not isinstance(found, bool)
