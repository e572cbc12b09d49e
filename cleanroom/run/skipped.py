"""What a call chose and did not run: named in every report, never counted as passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.spec.scenario import Scenario
from cleanroom.spec.suite import Suite

SkipKind: TypeAlias = Literal["tier", "tags", "budget", "failures", "interrupted", "trouble"]
_UNCHOSEN = frozenset({"tier", "tags"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedScenario:
    """A scenario that did not run; its own tags only, those of its suite count for all of them."""

    name: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Scenarios of one suite that did not run, and why."""

    suite: str
    file: str
    kind: SkipKind
    why: str
    scenarios: tuple[SkippedScenario, ...]
    tags: tuple[str, ...] = ()
    """The suite's own."""
    required: bool = True

    @property
    def unchosen(self) -> bool:
        """Whether the call did not ask for them; the others were asked for, and their result is missing."""
        return self.kind in _UNCHOSEN


def skipped_of(suite: Suite, scenarios: tuple[Scenario, ...], kind: SkipKind, why: str) -> Skipped:
    """Return that `scenarios` of `suite` do not run."""
    return Skipped(
        suite=suite.name,
        file=suite.file,
        kind=kind,
        why=why,
        scenarios=tuple(SkippedScenario(name=one.name, tags=one.tags) for one in scenarios),
        tags=suite.tags,
        required=suite.required,
    )
