"""What became of each scenario of a suite, over all iterations: what gates and limits of failures count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cleanroom.plan.model import Plan
from cleanroom.run.skipped import Skipped
from cleanroom.validate.model import SuiteVerdict

ScenarioWord: TypeAlias = Literal["passed", "failed", "known", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One scenario with the tags that it has, its suite's among them; open: not judged, or not in every iteration."""

    scenario: str
    tags: frozenset[str]
    word: ScenarioWord


def tally(verdict: SuiteVerdict, plan: Plan) -> tuple[Counted, ...]:
    """Return every planned scenario by the worst that became of it; one that ended in an error has failed."""
    return tuple(
        Counted(
            scenario=scenario.name,
            tags=frozenset((*plan.suite.tags, *scenario.tags)),
            word=_word(verdict, scenario.name, plan.iterations),
        )
        for scenario in plan.suite.scenarios
    )


def tally_skipped(skipped: Skipped) -> tuple[Counted, ...]:
    """Return the scenarios that were asked for and did not run: nobody knows what would have become of them."""
    if skipped.unchosen:
        return ()
    return tuple(
        Counted(scenario=one.name, tags=frozenset((*skipped.tags, *one.tags)), word="open") for one in skipped.scenarios
    )


def _word(verdict: SuiteVerdict, name: str, iterations: int) -> ScenarioWord:
    outcomes = [s.outcome for iteration in verdict.iterations for s in iteration.scenarios if s.name == name]
    if "failed" in outcomes or "error" in outcomes:
        return "failed"
    if "inconclusive" in outcomes or len(outcomes) < iterations:
        return "open"
    return "known" if "known" in outcomes else "passed"
