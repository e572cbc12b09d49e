"""`schema` of spans: what attributes look like, as JSON Schema says it (spec.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from cleanroom.spec.operand import Operand
from cleanroom.spec.source import NOWHERE, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeSchema:
    """The schema of one attribute; None and empty say nothing."""

    types: tuple[str, ...] = ()
    """Any of string, integer, number, boolean and array."""
    required: bool = False
    const: Operand = None
    has_const: bool = False
    enum: tuple[Operand, ...] = ()
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_minimum: int | float | None = None
    exclusive_maximum: int | float | None = None
    multiple_of: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str = ""
    min_items: int | None = None
    max_items: int | None = None
    items: AttributeSchema | None = None
    at: Position = field(default=NOWHERE, compare=False)
