"""`steady_state` (spec.md section 4): one check for each phase that the spec names."""

from __future__ import annotations

from cleanroom.drive.answer import Answer
from cleanroom.run.record import ScenarioRecord, SteadyRecord
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.source import Position
from cleanroom.validate.model import Check, Finding

_MOST = 10
_WORDS = {"before": "before the steps", "during": "while the steps run", "after": "after the steps"}


def judge_steady_state(scenario: Scenario, record: ScenarioRecord) -> tuple[Check, ...]:
    """Return one check for each phase; a phase that was never asked breaks, unless what kept it is told elsewhere."""
    wanted = scenario.steady_state
    if wanted is None:
        return ()
    phases = (*(["before"] if "before" in wanted.when else []), *(["during"] if wanted.during else []),
              *(["after"] if "after" in wanted.when else []))  # fmt: skip
    found = {steady.phase: steady for steady in record.steady}
    stopped = broken_before(record)
    return tuple(_check(phase, found.get(phase), record, wanted.at, stopped=stopped) for phase in phases)  # type: ignore[call-overload]


def broken_before(record: ScenarioRecord) -> bool:
    """Whether the steady state was broken before the steps, so that they were not run."""
    return any(steady.phase == "before" and steady.broken for steady in record.steady)


def _check(phase: str, found: SteadyRecord | None, record: ScenarioRecord, at: Position, *, stopped: bool) -> Check:
    rule, name = f"steady_state.{phase}", f"the steady state {_WORDS[phase]}"
    if found is None or not found.rounds:
        if record.trouble is not None:
            return Check(rule=rule, name=name, at=at, inconclusive=f"it was not asked: {record.trouble.message}")
        if stopped:
            return Check(rule=rule, name=name, at=at, inconclusive="it was broken before the steps, which did not run")
        finding = Finding(rule=rule, at=at, expected="every probe holds", found="they were never asked")
        return Check(rule=rule, name=name, at=at, findings=(finding,))
    bad = _distinct(found)
    findings = tuple(_finding(rule, answer, found, at) for answer in bad if not answer.optional)[:_MOST]
    notes = [f"optional, and failed: {answer.question}: {answer.why}" for answer in bad if answer.optional]
    return Check(rule=rule, name=name, at=at, findings=findings, note="; ".join(notes[:_MOST]))


def _distinct(found: SteadyRecord) -> tuple[Answer, ...]:
    """Return the first failure of each probe."""
    first: dict[tuple[str, Position], Answer] = {}
    for answer in found.answers:
        if not answer.ok:
            first.setdefault((answer.question, answer.at), answer)
    return tuple(first.values())


def _finding(rule: str, answer: Answer, found: SteadyRecord, at: Position) -> Finding:
    often = f" (in {found.failed_rounds} of {found.rounds} rounds)" if found.rounds > 1 else ""
    return Finding(
        rule=rule, at=answer.at if answer.at.line else at, expected=f"{answer.question} holds",
        found=f"{answer.why}{often}",
        remedy="the scenario did not begin: see why the system is not well before anything is done to it"
        if found.phase == "before" else "",
    )  # fmt: skip
