"""What the shapes of all expectations share: id, description and level, pairs, and blocks that must check something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from cleanroom.spec.document import Items, Scalar
from cleanroom.spec.pattern import Pattern
from cleanroom.spec.problem import one_of
from cleanroom.spec.shapes.place import RefusedError
from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape, choice, either, fixed_text, free_text, items, name
from cleanroom.spec.shapes.value import pattern
from cleanroom.spec.source import Position

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.record import Fields

T = TypeVar("T")
_AS_PAIR = "a list of one pair is [[first, second]]"
IDENTITY = frozenset({"id", "description", "level"})
fault_reference = fixed_text
"""The id of a fault."""


def identity(*, later: bool = False) -> dict[str, Key]:
    """Return the keys that every expectation has; `later` where judging does not honour them yet."""
    return {
        "id": Key(
            name, "A name by which reports call the expectation; unique within its `expect`.", example="orders-stored",
            later=later, errors=("duplicate-expectation",),
        ),
        "description": Key(
            free_text, "What the expectation is for, in words.", example="every order is stored once", later=later
        ),
        "level": Key(
            choice("error", "warning"), "A `warning` is reported and does not fail.", "error", "warning", later=later
        ),
    }  # fmt: skip


def checked(record: Record, node: Node, place: Place, aside: frozenset[str] = IDENTITY) -> Fields:
    """Read a block that must check something: keys in `aside` check nothing by themselves. Raises RefusedError."""
    fields = record(node, place)
    if all(_is_empty(entry.value) for entry in fields.node.entries if entry.key not in aside):
        checks = one_of(sorted(record.keys.keys() - aside))
        message = f"{place.path} takes at least one check"
        place.log.report("empty-expect", node.at, message, expected=f"at least one of {checks}")
        raise RefusedError
    return fields


def _is_empty(node: Node) -> bool:
    return not isinstance(node, Scalar) and not (node.items if isinstance(node, Items) else node.entries)


def expectation(record: Record, make: Callable[..., T]) -> Shape[T]:
    """Return the shape of one expectation in a list: `make` takes the values by their keys, and where it stands."""
    return record.into(lambda fields: make(at=fields.node.at, **fields.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two patterns, and the keys that were written beside them."""

    first: Pattern
    second: Pattern
    identity: dict[str, Any]
    at: Position


def _two(node: Node, place: Place) -> tuple[Pattern, Pattern]:
    if not isinstance(node, Items):
        raise place.wrong(node, "a pair [first, second]")
    found = items(pattern)(node, place)
    if len(node.items) != 2:  # noqa: PLR2004
        raise place.wrong(node, "a pair [first, second]", code="wrong-value", suggestion=_AS_PAIR)
    if len(found) != 2:  # noqa: PLR2004 -- one of the two did not fit and has been reported
        raise RefusedError
    return found[0], found[1]


_TWO = Shape(
    _two,
    "a pair [first, second] of patterns",
    {"type": "array", "items": pattern, "minItems": 2, "maxItems": 2},
    example="[api.checkout, db.insert]",
)
_PAIR = Record(
    place="a pair",
    doc="A pair of patterns with what else an expectation takes; `[first, second]` alone will do.",
    keys={"pair": Key(_TWO, "The two patterns."), **identity()},
    required=("pair",),
    advice={"*": "write [first, second], or {pair: [first, second], id: …}"},
)


def _pair(node: Node, place: Place) -> Pair:
    if isinstance(node, Scalar):
        raise place.wrong(node, "a pair [first, second]", suggestion=_AS_PAIR)
    if isinstance(node, Items):
        first, second = _TWO(node, place)
        return Pair(first=first, second=second, identity={}, at=node.at)
    fields = _PAIR(node, place)
    first, second = fields.take("pair")
    return Pair(first=first, second=second, identity=fields.values, at=node.at)


pair: Shape[Pair] = Shape(
    _pair,
    "a pair [first, second], or {pair: [first, second], id: …}",
    either("a pair", sequence=_TWO, mapping=Shape(_PAIR, "a mapping", _PAIR)).schema,
    example=_TWO.example,
)
