"""Which of the chosen suites still start: not after the time budget, nor after so many failures, nor after the end."""

from __future__ import annotations

from collections.abc import Sequence

from cleanroom.clock import Clock
from cleanroom.pipeline.options import RunOptions
from cleanroom.plan.model import Plan
from cleanroom.run.record import SuiteRecord
from cleanroom.run.skipped import SkipKind, Skipped, skipped_of
from cleanroom.validate.judge import judge_suite
from cleanroom.validate.tally import tally


class Admission:
    """Decides before each suite whether it starts; one that is under way is never cut.

    The budget counts from the making of this value. Failures are scenarios of required suites that failed, by a
    verdict of their own; a known failure is none.
    """

    def __init__(self, options: RunOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._began = clock.monotonic()
        self._judged = 0
        self._failures = 0
        self._refused: dict[tuple[str, str], tuple[SkipKind, str]] = {}

    def __call__(self, plan: Plan, done: Sequence[SuiteRecord]) -> bool:
        """Whether the suite of `plan` starts, after those in `done`."""
        why = self._too_many(done) or self._too_late()
        if why is None:
            return True
        self._refused[plan.suite.file, plan.suite.name] = why
        return False

    def _too_late(self) -> tuple[SkipKind, str] | None:
        budget = self._options.budget
        if budget is None or self._clock.monotonic() - self._began < budget.seconds:
            return None
        return "budget", f"the time budget of {budget} was used up"

    def _too_many(self, done: Sequence[SuiteRecord]) -> tuple[SkipKind, str] | None:
        most = self._options.max_failures
        if most is None:
            return None
        for record in done[self._judged :]:
            if record.plan.suite.required:
                self._failures += sum(1 for one in tally(judge_suite(record), record.plan) if one.word == "failed")
        self._judged = len(done)
        if self._failures < most:
            return None
        return "failures", f"{self._failures} scenarios had failed, and {most} end the run"

    def skipped(self, plans: Sequence[Plan], done: Sequence[SuiteRecord], *, interrupted: bool) -> tuple[Skipped, ...]:
        """Return every suite of `plans` that never started, each with its reason."""
        ran = {(record.plan.suite.file, record.plan.suite.name) for record in done}
        ended: tuple[SkipKind, str] = (
            ("interrupted", "the run was interrupted") if interrupted else ("trouble", "the run ended before it")
        )
        return tuple(
            skipped_of(plan.suite, plan.suite.scenarios, *self._refused.get(key, ended))
            for plan in plans
            if (key := (plan.suite.file, plan.suite.name)) not in ran
        )
