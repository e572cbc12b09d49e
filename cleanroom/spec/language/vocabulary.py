"""The records of the language in reading order, their keys with their paths, and the variants among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.spec.shapes.record import Key, Record
from cleanroom.spec.shapes.shape import Shape

COMPARATOR = "a comparator of "
"""How the places of the records of comparators begin: one table under several names (spec.md section 6)."""

FIGURE = "a figure of "
"""The same for comparators with more keys beside them (`expect.resilience`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One key of the language: the record that it belongs to, its name and what it is."""

    record: Record
    name: str
    key: Key

    @property
    def path(self) -> str:
        """The path of the key: `services.<name>.ready`; for a record without a path of its own `regex of a pattern`."""
        place = self.record.place
        if not place:
            return self.name
        return f"{self.name} of {place}" if " " in place else f"{place}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """Mappings whose keys depend on the text under `discriminator`: each text with its record."""

    discriminator: str
    records: Mapping[str, Record]


def outline(root: Record) -> tuple[Record, ...]:
    """Return every record of the language once, in the order in which a reader meets them: each before its parts."""
    return tuple(part for part in _walk(root) if isinstance(part, Record))


def words(root: Record) -> tuple[Word, ...]:
    """Return every key of every record, in reading order."""
    return tuple(
        Word(record=record, name=name, key=key) for record in outline(root) for name, key in record.keys.items()
    )


def variants_in(root: Record) -> tuple[Variants, ...]:
    """Return every place of the language where one text decides which keys there are."""
    return tuple(part for part in _walk(root) if isinstance(part, Variants))


def parts_of(shape: Any) -> tuple[Record | Variants, ...]:  # noqa: ANN401 -- a Fragment is anything
    """Return the records and variants that a value of this shape is read by directly, without theirs."""
    return tuple(_walk(shape, deep=False))


def choices_of(shape: Any) -> tuple[str, ...]:  # noqa: ANN401 -- a Fragment is anything
    """Return the words of the closed choices that a value of this shape is made of directly, in their order."""
    found: list[str] = []
    for part in _parts(shape, deep=False):
        if isinstance(part, Mapping) and "enum" in part:
            found += [word for word in part["enum"] if isinstance(word, str)]
    return tuple(dict.fromkeys(found))


def _walk(part: Any, *, deep: bool = True) -> Iterator[Record | Variants]:  # noqa: ANN401 -- a Fragment is anything
    for found in _parts(part, deep=deep):
        if isinstance(found, Record):
            yield found
        elif "variants" in found:
            yield Variants(discriminator=found["discriminator"], records=found["variants"])


def _parts(part: Any, *, deep: bool) -> Iterator[Record | Mapping[str, Any]]:  # noqa: ANN401 -- a Fragment is anything
    """Yield records and the mappings of fragments, depth first, each once; `deep` goes on into the keys of records."""
    pending: list[Any] = [part]
    # The parts themselves are kept, not their ids alone: a function makes new ones, and ids of dead ones come again.
    seen: dict[int, Any] = {}
    while pending:
        part = pending.pop()
        if id(part) in seen or isinstance(part, (str, int, float, type(None))):
            continue
        seen[id(part)] = part
        inside: list[Any] = []
        if isinstance(part, Record):
            yield part
            inside = [key.shape for key in part.keys.values()] if deep else []
        elif isinstance(part, Shape):
            inside = [part.schema]
        elif isinstance(part, Mapping):
            yield part
            parts = part.get("variants", part)
            inside = list(parts.values()) if deep or "variants" not in part else []
        elif isinstance(part, (list, tuple)):
            inside = list(part)
        elif callable(part):
            inside = [part()]
        pending += reversed(inside)


_SEGMENT = re.compile(r"[^.\[\]]+")


def segments(path: str) -> tuple[str, ...]:
    """Return a path's names without the marks of lists: `scenarios[].steps[0]` is (scenarios, steps)."""
    return tuple(segment for segment in _SEGMENT.findall(path) if not segment.isdigit())


def matches(known: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether names are the same where `known` has no placeholder such as `<name>`."""
    return len(known) == len(wanted) and all(
        left == right or (left.startswith("<") and left.endswith(">"))
        for left, right in zip(known, wanted, strict=True)
    )
