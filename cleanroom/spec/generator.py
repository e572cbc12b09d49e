"""Generators of values for workloads and properties, drawn from the seed (spec.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from cleanroom.canonical import Json

LARGEST_INTEGER = 2**31 - 1
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerGenerator:
    """A whole number from `min` to `max`."""

    min: int = 0
    max: int = LARGEST_INTEGER


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatGenerator:
    """A finite number from `min` to `max`."""

    min: float = 0.0
    max: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BooleanGenerator:
    """True or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextGenerator:
    """Text of `min` to `max` characters of `alphabet`."""

    min: int = 0
    max: int = 20
    alphabet: str = PRINTABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierGenerator:
    """A lower-case letter, then letters, digits and underscores: at most `max` characters."""

    max: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOfGenerator:
    """One of `values`, each equally likely."""

    values: tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListGenerator:
    """A list of `min` to `max` values of `of`."""

    of: Generator
    min: int = 0
    max: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDefinitionGenerator:
    """A table with a name and 1 to `columns` columns, each with a name and an SQL type."""

    columns: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceGenerator:
    """Whole numbers in order: `start`, then `step` more each time; unique over all workers."""

    start: int = 1
    step: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UuidGenerator:
    """A UUID of version 4 whose bits are drawn from the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedChoice:
    """One value of `choice_weighted` and how likely it is in proportion to the others."""

    value: Json
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceWeightedGenerator:
    """One of several values, each as likely as its weight says."""

    choices: tuple[WeightedChoice, ...]


Generator: TypeAlias = (
    IntegerGenerator | FloatGenerator | BooleanGenerator | TextGenerator | IdentifierGenerator | OneOfGenerator
    | ListGenerator | TableDefinitionGenerator | SequenceGenerator | UuidGenerator | ChoiceWeightedGenerator
)  # fmt: skip
