"""What every expectation has besides its check: a name to refer to, words, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cleanroom.spec.source import NOWHERE, Position

Level: TypeAlias = Literal["error", "warning"]
"""A warning is reported and does not fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The part that all expectations share."""

    id: str = ""
    description: str = ""
    level: Level = "error"
    at: Position = field(default=NOWHERE, compare=False)
