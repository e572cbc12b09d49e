"""Properties: a scenario that must hold for every generated example (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cleanroom.quantity import Duration
from cleanroom.spec.generator import Generator
from cleanroom.spec.source import NOWHERE, Position

if TYPE_CHECKING:
    from cleanroom.spec.step import Step

SHRINK_BUDGET = Duration(60 * 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """`property`: what is generated, how many examples are tried, and what says which result is right."""

    given: Mapping[str, Generator]
    """Known in the scenario's templates as `example.<name>`."""
    examples: int = 50
    isolation: Literal["scenario", "example"] = "scenario"
    """Whether all examples share the scenario's environment, or each gets a fresh one."""
    shrink: Duration = SHRINK_BUDGET
    """How long a smaller failing example is looked for; 0: not at all."""
    oracle: Step | None = None
    """A reference whose result the last step's must equal."""
    at: Position = field(default=NOWHERE, compare=False)
