"""Scenarios: steps, the faults that disturb them, and what must hold (spec.md section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cleanroom.quantity import Duration
from cleanroom.spec.determinism import Nuisance
from cleanroom.spec.property import Property
from cleanroom.spec.source import NOWHERE, Position
from cleanroom.spec.steady_state import SteadyState
from cleanroom.spec.step import Step

if TYPE_CHECKING:
    from cleanroom.spec.expect import Expect
    from cleanroom.spec.fault import Fault

SCENARIO_TIMEOUT = Duration(60 * 10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFailure:
    """`expect_failure`: at least one step must fail in the way `expect` says; `reason` may be empty."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFailure:
    """`known_failure`: an accepted defect, reported as such and not counted."""

    reason: str
    strict: bool = True
    """Whether passing unexpectedly is a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Steps in order, the faults that disturb them, and what must hold of the scenario's spans."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    timeout: Duration = SCENARIO_TIMEOUT
    deadline: Duration | None = None
    """From the scenario's start: no step begins later, and the running one is cut."""
    steady_state: SteadyState | None = None
    steps: tuple[Step, ...] = ()
    chaos: tuple[Fault, ...] = ()
    expect: Expect | None = None
    expect_failure: ExpectedFailure | None = None
    known_failure: KnownFailure | None = None
    allow_inconclusive: str = ""
    property: Property | None = None
    vary: tuple[Nuisance, ...] = ()
    at: Position = field(default=NOWHERE, compare=False)

    def all_steps(self) -> Iterator[Step]:
        """Yield every step, those inside `parallel`, workloads and the oracle included, in the order of the file."""
        for step in self.steps:
            yield from step.walk()
        if self.property is not None and self.property.oracle is not None:
            yield self.property.oracle
