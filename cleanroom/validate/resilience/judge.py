"""`expect.resilience`: each figure against its comparator (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.comparator import judge
from cleanroom.spec.resilience import ResilienceExpectation
from cleanroom.validate import wording
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.resilience.figures import OF_FAULTS, RULES, Asked, value_of, words_of
from cleanroom.validate.resilience.lost import lost_in
from cleanroom.validate.resilience.samples import NeverError, NoBaseError
from cleanroom.validate.resilience.source import measured_in
from cleanroom.validate.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One figure of one scenario, or why there is none."""

    scenario: str
    number: float = 0.0
    missing: str = ""
    never: bool = False


def judge_resilience(scene: Scene, expectations: Iterable[ResilienceExpectation]) -> tuple[Check, ...]:
    """Judge each figure in every scenario of the scene; one that has nothing to be computed from breaks.

    A suite's own expectation passes over scenarios without operations, as long as one has a figure. It is inconclusive
    where a fault that it leans on was not drawn, or has no evidence.
    """
    return tuple(_judge_one(scene, wanted) for wanted in expectations)


def _judge_one(scene: Scene, wanted: ResilienceExpectation) -> Check:
    rule = f"resilience.{wanted.figure}"
    name = f"resilience {f'{wanted.id} ' if wanted.id else ''}{subject(wanted)}"
    why, allowed = _unusable(scene, wanted)
    if why:
        return Check(rule=rule, name=name, at=wanted.at, inconclusive=why, allowed=allowed)
    readings = [_read(wanted, record) for record in scene.scenarios]
    known = [r for r in readings if not r.missing]
    findings: list[Finding] = []
    for reading in readings:
        if reading.missing and known and not reading.never:
            continue
        judged = "" if reading.missing else judge(wanted.comparator, value_of(wanted.figure, reading.number)).reason
        if reading.missing or judged:
            findings.append(_finding(wanted, reading, several=len(readings) > 1))
    if not readings:
        findings.append(_finding(wanted, _Reading(scenario="", missing="no scenario ran"), several=False))
    note = "; ".join(_told(wanted, reading, several=len(readings) > 1) for reading in known)
    return Check(rule=rule, name=name, at=wanted.at, findings=tuple(findings), note=note)


def subject(wanted: ResilienceExpectation) -> str:
    """Return the figure with what of it is measured, e.g. `latency.p99 of orders during slow-db`."""
    of = f" of {wanted.journal}" if wanted.journal else ""
    return f"{wanted.figure}{of}{f' during {wanted.during}' if wanted.during else ''}"


def _unusable(scene: Scene, wanted: ResilienceExpectation) -> tuple[str, str]:
    """Return why nothing can be said of the faults that a figure leans on, and the leave for it; empty when it can."""
    if wanted.during:
        state = scene.faults.get(wanted.during)
        return (state.unusable, state.allowed) if state is not None else ("", "")
    if wanted.figure not in OF_FAULTS or any(state.windows and not state.unusable for state in scene.faults.values()):
        return "", ""
    found = [state for state in scene.faults.values() if state.unusable]
    leave = found[0].allowed if found and all(state.allowed for state in found) else ""
    return "; ".join(state.unusable for state in found), leave


def _read(wanted: ResilienceExpectation, record: ScenarioRecord) -> _Reading:
    try:
        asked = Asked(
            whole=measured_in(record, wanted.journal), fault=wanted.during, slo=wanted.slo, window=wanted.window.ns,
            lost=lambda: lost_in(record, wanted.journal),
        )  # fmt: skip
        return _Reading(scenario=record.name, number=RULES[wanted.figure].compute(asked))
    except NoBaseError as err:
        return _Reading(scenario=record.name, missing=str(err), never=isinstance(err, NeverError))


def _finding(wanted: ResilienceExpectation, reading: _Reading, *, several: bool) -> Finding:
    return Finding(
        rule=f"resilience.{wanted.figure}",
        level=wanted.level,
        at=wanted.at,
        expected=wording.wanted(subject(wanted), wanted.comparator),
        found=_told(wanted, reading, several=several),
    )


def _told(wanted: ResilienceExpectation, reading: _Reading, *, several: bool) -> str:
    words = f"none: {reading.missing}" if reading.missing else words_of(wanted.figure, reading.number)
    return f"scenario {reading.scenario}: {words}" if several else words
