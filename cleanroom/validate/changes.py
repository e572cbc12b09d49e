"""All changes between two runs: plans, verdicts, outcomes, and the spans of each iteration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cleanroom.run.record import SessionRecord, SuiteRecord
from cleanroom.trace.comparison import Change, Risk, compare, ranked
from cleanroom.trace.tree import SEPARATOR
from cleanroom.validate.determinism import Run
from cleanroom.validate.judge import JudgedIteration, conclude_suite, judge_iteration
from cleanroom.validate.model import SuiteVerdict
from cleanroom.validate.verdict import all_checks, check_word

_RANK = {"pass": 0, "known": 1, "inconclusive": 2, "fail": 3, "error": 4}
_BAD = frozenset({"failed", "error", "inconclusive", "skipped", "known"})
NONE = "(none)"


def compare_sessions(left: SessionRecord, right: SessionRecord) -> tuple[Change, ...]:
    """Return every change from `left` to `right`, ranked; suites are paired by name, iterations by number."""
    return ranked(tuple(_sessions(left, right)))


def _sessions(left: SessionRecord, right: SessionRecord) -> Iterator[Change]:
    ours, theirs = ({s.plan.suite.name: s for s in session.suites} for session in (left, right))
    for name in dict.fromkeys((*ours, *theirs)):
        if name not in theirs:
            yield Change(risk="high", kind="suite gone", path=name, left="ran", right=NONE)
        elif name not in ours:
            yield Change(risk="medium", kind="suite new", path=name, left=NONE, right="ran")
        else:
            yield from _suites(ours[name], theirs[name])


def _suites(left: SuiteRecord, right: SuiteRecord) -> Iterator[Change]:
    name = left.plan.suite.name
    ours, theirs = (tuple(judge_iteration(r.plan, i) for i in r.iterations) for r in (left, right))
    yield from _plans(name, left, right)
    yield from _verdicts(name, conclude_suite(left, ours), conclude_suite(right, theirs))
    if len(ours) != len(theirs):
        yield Change(risk="medium", kind="iterations", path=name, left=str(len(ours)), right=str(len(theirs)))
    for one, other in zip(ours, theirs, strict=False):
        yield from _iterations(name, one, other)


def _plans(name: str, left: SuiteRecord, right: SuiteRecord) -> Iterator[Change]:
    for what in ("seed", "schedule_digest", "plan_digest"):
        ours, theirs = str(getattr(left.plan, what)), str(getattr(right.plan, what))
        if ours != theirs:
            yield Change(risk="medium", kind="plan", path=name, attribute=what, left=ours, right=theirs)


def _verdicts(name: str, left: SuiteVerdict, right: SuiteVerdict) -> Iterator[Change]:
    ours, theirs = ({**_words(verdict), f"suite {name}": verdict.verdict} for verdict in (left, right))
    for where in dict.fromkeys((*ours, *theirs)):
        before, after = ours.get(where, NONE), theirs.get(where, NONE)
        if before != after:
            # A check that is gone says nothing any more, and so is as grave as one that broke.
            worse = after == NONE or _RANK[after] > _RANK.get(before, 0)
            yield Change(risk="high" if worse else "medium", kind="verdict", path=where, left=before, right=after)


def _words(verdict: SuiteVerdict) -> dict[str, str]:
    """Return the worst verdict on each check over all iterations."""
    found: dict[str, str] = {}
    every = [pair for iteration in verdict.iterations for pair in all_checks(iteration)]
    every += [("", verdict.determinism)] if verdict.determinism is not None else []
    for scenario, check in every:
        where = SEPARATOR.join(part for part in (verdict.name, scenario, check.name) if part)
        word = check_word(check)
        found[where] = max(found.get(where, word), word, key=lambda one: _RANK[one])
    return found


def _iterations(name: str, left: JudgedIteration, right: JudgedIteration) -> Iterator[Change]:
    if left.run is None or right.run is None:
        told = tuple("ended in trouble" if side.run is None else "complete" for side in (left, right))
        risk: Risk = "high" if right.run is None else "medium"
        path = f"{name}{SEPARATOR}iteration {left.verdict.index + 1}"
        yield Change(risk=risk, kind="not compared", path=path, left=told[0], right=told[1])
        return
    yield from compare(left.run.trace, right.run.trace)
    yield from _facts(name, left.run, right.run)


def _facts(name: str, left: Run, right: Run) -> Iterator[Change]:
    for where, what in dict.fromkeys((*left.facts, *right.facts)):
        before, after = (_fact(run.facts, where, what) for run in (left, right))
        if before != after and what != "verdict":  # verdicts are told once, over all iterations
            risk: Risk = "high" if after in _BAD else "medium"
            path = f"{name}{SEPARATOR}{where}"
            yield Change(risk=risk, kind="outcome", path=path, attribute=what, left=before, right=after)


def _fact(facts: Mapping[tuple[str, str], str], where: str, what: str) -> str:
    return facts.get((where, what), NONE)
