"""Noise learned from the journals of several runs of the same specs."""

from __future__ import annotations

from collections.abc import Sequence

from cleanroom.errors import UsageError
from cleanroom.pipeline.retelling import find_journal
from cleanroom.plan.model import Plan
from cleanroom.run.journal import read_journal
from cleanroom.text import one_line
from cleanroom.trace.noise import Learned, learn_noise
from cleanroom.trace.normalise import NormalisedTrace
from cleanroom.trace.proposal import Rules
from cleanroom.validate.determinism import Run
from cleanroom.validate.judge import judge_iteration
from cleanroom.validate.watched import Watched


def noise_of(journals: Sequence[str]) -> dict[str, Learned]:
    """Return what differed among the iterations of all runs, by suite; the last journal's expectations are heeded.

    Raises `UsageError` where a journal cannot be compared with the others: no iteration of a suite in it, or other
    rules of normalising.
    """
    runs: dict[str, list[Run]] = {}
    plans: dict[str, Plan] = {}
    for name in journals:
        for suite in read_journal(find_journal(name)).suites:
            key = f"{suite.plan.suite.name} ({suite.plan.suite.file})"
            judged = (judge_iteration(suite.plan, iteration).run for iteration in suite.iterations)
            runs.setdefault(key, []).extend(run for run in judged if run is not None)
            plans[key] = suite.plan
    found = {key: _learned(key, every, plans[key]) for key, every in runs.items() if every}
    if not found:
        raise UsageError(f"no iteration was recorded in {', '.join(one_line(name) for name in journals)}")
    return found


def _learned(name: str, runs: Sequence[Run], plan: Plan) -> Learned:
    def again(index: int, rules: Rules) -> NormalisedTrace:
        run = runs[index]
        return run.again(rules) if run.again is not None else run.trace

    try:
        return learn_noise([run.trace for run in runs], again, Watched(plan.suite))
    except ValueError as err:
        raise UsageError(f"{one_line(name)}: {err}", remedy="name runs of one spec by one version") from err
