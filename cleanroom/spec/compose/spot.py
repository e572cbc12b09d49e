"""A place in a Compose file, what is said of it, and the list of what could not be taken over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cleanroom.spec.compose.interpolation import InterpolationError, Lookup, interpolate
from cleanroom.spec.compose.nodes import mapping, scalar, sequence
from cleanroom.spec.document import Entry, Items, Node, Scalar, Table, kind
from cleanroom.spec.operand import shown
from cleanroom.spec.problem import ProblemLog
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.source import Position

Weight: TypeAlias = Literal["refused", "decided", "harmless"]
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Dropped:
    """One thing of a Compose file that the spec has not, or not as it was written."""

    at: Position
    name: str
    """The path of keys, e.g. `services.web.ports[0]`."""
    reason: str
    weight: Weight
    """`harmless`: it changes nothing of what the services do here. `decided`: something was settled that the Compose
    file leaves open. `refused`: the services may behave differently without it."""

    def is_named_by(self, wanted: str) -> bool:
        """Whether `wanted` is its path, a path above it, or the plain name of a key of its path."""
        inside = f".{self.name}."
        return f".{wanted}." in inside.replace("[", ".[") or self.name == wanted


@dataclass(slots=True)
class Ledger:
    """What was found while reading Compose files: problems that make them invalid, and what is dropped."""

    log: ProblemLog
    lookup: Lookup
    """The variables for interpolation."""
    dropped: dict[tuple[str, Position, str], Dropped] = field(default_factory=dict)

    def add(self, name: str, at: Position, reason: str, weight: Weight) -> None:
        """List something as dropped, once."""
        one = Dropped(at=at, name=name, reason=reason, weight=weight)
        self.dropped.setdefault((name, at, reason), one)


@dataclass(frozen=True, slots=True)
class Spot:
    """A path of keys in a Compose file."""

    path: str
    ledger: Ledger

    def key(self, name: str) -> Spot:
        """Return the spot of a key inside this one."""
        return Spot(f"{self.path}.{name}" if self.path else name, self.ledger)

    def item(self, index: int) -> Spot:
        """Return the spot of an item inside this one."""
        return Spot(f"{self.path}[{index}]", self.ledger)

    def note(self, at: Position, reason: str) -> None:
        """List this as dropped, and harmlessly so."""
        self.ledger.add(self.path, at, reason, "harmless")

    def decide(self, at: Position, reason: str) -> None:
        """List this as settled in a way that the Compose file does not say."""
        self.ledger.add(self.path, at, reason, "decided")

    def refuse(self, at: Position, reason: str) -> None:
        """List this as something that cannot be taken over."""
        self.ledger.add(self.path, at, reason, "refused")

    def problem(self, code: str, at: Position, message: str, **details: str) -> RefusedError:
        """Report that the Compose file is invalid here; returns the exception to raise."""
        self.ledger.log.report(code, at, f"{self.path}: {message}", **details)
        return RefusedError()

    def wrong(self, node: Node, expected: str) -> RefusedError:
        """Report a value of the wrong kind; returns the exception to raise."""
        message = f"{self.path} takes {expected}"
        self.ledger.log.report("wrong-type", node.at, message, expected=expected, got=kind(node))
        return RefusedError()

    def table(self, node: Node) -> Table:
        """Return a mapping; nothing counts as an empty one. Raises RefusedError."""
        if isinstance(node, Scalar) and node.value is None:
            return mapping((), node.at)
        if not isinstance(node, Table):
            raise self.wrong(node, "a mapping")
        return node

    def items(self, node: Node) -> Sequence[Node]:
        """Return the items of a list; nothing counts as an empty one. Raises RefusedError."""
        if isinstance(node, Scalar) and node.value is None:
            return ()
        if not isinstance(node, Items):
            raise self.wrong(node, "a list")
        return node.items

    def text(self, node: Node) -> str:
        """Return a scalar as the text that was written; raises RefusedError for none."""
        if not isinstance(node, Scalar) or node.value is None:
            raise self.wrong(node, "text")
        return node.text

    def texts(self, node: Node) -> tuple[tuple[str, Position], ...]:
        """Return the texts of a list, or a single one; raises RefusedError."""
        if isinstance(node, Scalar) and node.value is not None:
            return ((node.text, node.at),)
        return tuple((self.item(n).text(item), item.at) for n, item in enumerate(self.items(node)))

    def number(self, node: Node, words: str = "a whole number") -> int:
        """Return a whole number, written as a number or as text; raises RefusedError."""
        try:
            return int(self.text(node))
        except ValueError:
            raise self.wrong(node, words) from None

    def truth(self, node: Node) -> bool:
        """Return true or false, written as a boolean or as text; raises RefusedError."""
        word = self.text(node).lower()
        if word not in (*_TRUE, *_FALSE):
            raise self.wrong(node, "true or false")
        return word in _TRUE

    def pairs(self, node: Node) -> Table:
        """Return a mapping, or a list of `NAME=value`, as a mapping; a name alone has no value. Raises RefusedError."""
        if isinstance(node, Table):
            return node
        entries: dict[str, Entry] = {}
        for index, item in enumerate(self.items(node)):
            name, equals, value = self.item(index).text(item).partition("=")
            entries[name] = Entry(key=name, at=item.at, value=scalar(value if equals else None, item.at))
        return mapping(entries.values(), node.at)

    def filled(self, node: Node) -> Node:
        """Return `node` with the variables in its values replaced; raises RefusedError for what cannot be."""
        if isinstance(node, Items):
            return sequence((self.item(n).filled(item) for n, item in enumerate(node.items)), node.at)
        if isinstance(node, Table):
            entries = (Entry(key=e.key, at=e.at, value=self.key(e.key).filled(e.value)) for e in node.entries)
            return mapping(entries, node.at)
        if not isinstance(node.value, str) or "$" not in node.value:
            return node

        def unset(name: str) -> None:
            reason = f"the variable {shown(name)} has no value and no default, so it is empty in {self.path}"
            self.ledger.add(f"variables.{name}", node.at, reason, "refused")

        try:
            return scalar(interpolate(node.value, self.ledger.lookup, unset), node.at)
        except InterpolationError as err:
            raise self.problem("interpolation", node.at, str(err), got=shown(node.value)) from err
