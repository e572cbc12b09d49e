"""A list in which nothing stands twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from cleanroom.spec.document import Scalar
from cleanroom.spec.reference import items_at, require_unique

if TYPE_CHECKING:
    from cleanroom.spec.document import Node
    from cleanroom.spec.shapes.place import Place
    from cleanroom.spec.shapes.shape import Shape

T = TypeVar("T")


def distinct(shape: Shape[tuple[T, ...]], what: str) -> Shape[tuple[T, ...]]:
    """Return the shape of the same list, in which a repeated item is a problem (code `duplicate-<what>`)."""

    def read(node: Node, place: Place) -> tuple[T, ...]:
        values = shape.read(node, place)
        written = (item for item in items_at(node) if isinstance(item, Scalar))
        require_unique(((item.text, item.at) for item in written), what, place.log)
        return values

    return replace(shape, read=read, schema={**shape.schema, "uniqueItems": True})
