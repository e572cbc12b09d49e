"""The comparators of spec.md section 6: one table drives parsing, evaluation, documentation and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from cleanroom.quantity import Duration
from cleanroom.spec.source import NOWHERE, Position

Operand: TypeAlias = "None | bool | int | float | str | Duration | tuple[Operand, ...] | Mapping[str, Operand] | Comparator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparator:
    """A conjunction of named comparisons, e.g. `{gte: 1, lt: 5}`; a scalar in the spec is `eq`."""

    tests: tuple[tuple[str, Operand], ...]
    """(comparator name, operand), in the order of the file, never empty."""
    at: Position = field(default=NOWHERE, compare=False)
