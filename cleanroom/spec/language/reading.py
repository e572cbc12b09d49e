"""Which problems reading a key can report, as far as its shape and its record tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cleanroom.spec.language.vocabulary import COMPARATOR, FIGURE
from cleanroom.spec.shapes.record import Record
from cleanroom.spec.shapes.shape import Shape, regex

if TYPE_CHECKING:
    from cleanroom.spec.language.vocabulary import Word

_BOUNDS = frozenset(
    {"pattern", "enum", "const", "minimum", "exclusiveMinimum", "maximum", "maxLength", "propertyNames"}
)
_JUDGING = ("wrong-type", "unknown-comparator", "empty-comparator", "impossible")
_INSIDE = ("items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf")


def problems_of(word: Word) -> tuple[str, ...]:
    """Return the codes, sorted, of what can be wrong with a key and the value under it.

    What is inside a mapping with keys of its own is said there; templates can be wrong everywhere.
    """
    record, name = word.record, word.name
    found = set(word.key.errors) | _of_value(word.key.shape, set())
    if name in record.required or name in record.needs or name in record.at_least_one:
        found.add("missing-key")
    if name in record.exactly_one or any(name in group for group in record.at_most_one):
        found.add("one-of")
    return tuple(sorted(found))


def _of_value(part: Any, seen: set[int]) -> set[str]:  # noqa: ANN401 -- a Fragment is anything
    if id(part) in seen:
        return set()
    seen.add(id(part))
    if isinstance(part, Record):
        return set(_JUDGING if part.place.startswith((COMPARATOR, FIGURE)) else ("wrong-type",))
    if isinstance(part, Shape):
        return _of_value(part.schema, seen) | ({"wrong-value"} if part.words == regex.words else set())
    if isinstance(part, Mapping):
        return _of_keywords(part, seen)
    if isinstance(part, (list, tuple)):
        return set().union(*(_of_value(item, seen) for item in part))
    return _of_value(part(), seen) if callable(part) else set()


def _of_keywords(part: Mapping[str, Any], seen: set[int]) -> set[str]:
    if "variants" in part:
        return {"wrong-type", "missing-key", "wrong-value"}
    found: set[str] = set()
    if {"type", "enum", "const"} & part.keys():
        found.add("wrong-type")
    if _BOUNDS & part.keys():
        found.add("wrong-value")
    if part.get("minItems", 0) > 1:
        found.add("wrong-value")
    if part.get("minItems", part.get("minProperties", 0)):
        found.add("empty-list")
    for keyword in _INSIDE:
        found |= _of_value(part.get(keyword, True), seen)
    return found
