"""What a step keeps of its result for later ones, as `captured.<name>` (spec.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cleanroom.spec.source import NOWHERE, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One value: at a JSON path of the output, found by a regular expression in it, or a header of the response."""

    name: str
    by: Literal["json", "regex", "header"]
    source: str
    """The path, the expression (its first group, if it has one) or the header's name."""
    at: Position = field(default=NOWHERE, compare=False)
