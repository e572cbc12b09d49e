"""`expect.faults`: what must be known of a fault afterwards, and whom it harmed (spec.md section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cleanroom.run.record import FaultRecord
from cleanroom.spec.comparator import Comparator, judge
from cleanroom.spec.resilience import FaultExpectation
from cleanroom.validate import wording
from cleanroom.validate.impact import impact_on
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.occurrence import FaultState
from cleanroom.validate.scene import Scene

_UNKNOWN = FaultState(unusable="no such fault was planned here")


def judge_expected_faults(scene: Scene, expectations: Iterable[FaultExpectation]) -> tuple[Check, ...]:
    """Judge what the spec says of its faults; of one that was not drawn nothing can be said."""
    return tuple(check for wanted in expectations for check in _judge_one(scene, wanted))


def _judge_one(scene: Scene, wanted: FaultExpectation) -> Iterator[Check]:
    state = scene.faults.get(wanted.fault, _UNKNOWN)
    drawn = [f for record in scene.scenarios for f in record.faults if f.id == wanted.fault and f.drawn]
    if wanted.verified:
        yield _verified(wanted, state, drawn)
    if wanted.backend is not None:
        yield _backend(wanted, state, drawn, wanted.backend)
    for names, harmed in ((wanted.affected, True), (wanted.unaffected, False)):
        for service in names:
            yield _impact(scene, wanted, service, harmed=harmed)


def _check(wanted: FaultExpectation, rule: str, what: str, found: str = "", **fields: str) -> Check:
    """Return a check; a text in `found` is its finding, against the text in `expected`."""
    expected = fields.pop("expected", what)
    findings: tuple[Finding, ...] = ()
    if found:
        findings = (Finding(rule=rule, level=wanted.level, at=wanted.at, expected=expected, found=found),)
    name = f"faults {f'{wanted.id} ' if wanted.id else ''}{wanted.fault} {what}"
    return Check(rule=rule, name=name, at=wanted.at, findings=findings, **fields)


def _verified(wanted: FaultExpectation, state: FaultState, drawn: list[FaultRecord]) -> Check:
    if not drawn:
        return _check(wanted, "faults.verified", "verified", inconclusive=state.unusable, allowed=state.allowed)
    without = next((f for f in drawn if not f.verified), None)
    why = without.reason or "nothing was measured" if without else ""
    found = f"occurrence {without.occurrence + 1} has no evidence: {why}" if without else ""
    expected = f"the effect of fault {wanted.fault} is measured in every occurrence"
    return _check(wanted, "faults.verified", "verified", found, expected=expected, note=_times(drawn))


def _backend(wanted: FaultExpectation, state: FaultState, drawn: list[FaultRecord], comparator: Comparator) -> Check:
    injected = [f for f in drawn if f.injected]
    if not injected:
        why = state.unusable or f"fault {wanted.fault} was not injected"
        return _check(wanted, "faults.backend", "backend", inconclusive=why, allowed=state.allowed)
    other = sorted({f.backend for f in injected if judge(comparator, f.backend).reason})
    expected = wording.wanted(f"the rung of fault {wanted.fault}", comparator)
    return _check(wanted, "faults.backend", "backend", ", ".join(other), expected=expected, note=_rungs(injected))


def _impact(scene: Scene, wanted: FaultExpectation, service: str, *, harmed: bool) -> Check:
    what = f"{'harmed' if harmed else 'did not harm'} {service}"
    state = scene.faults.get(wanted.fault, _UNKNOWN)
    if state.unusable:
        return _check(wanted, "faults.impact", what, inconclusive=state.unusable, allowed=state.allowed)
    found = impact_on(scene, service, state.windows)
    if not found.seen:
        why = f"nothing of {service} was seen while fault {wanted.fault} was active"
        # Who was to be harmed and was not even heard of cannot pass; who was not to be harmed may have been.
        if not harmed:
            return _check(wanted, "faults.impact", what, inconclusive=why)
        return _check(wanted, "faults.impact", what, why, expected=f"fault {wanted.fault} harms {service}")
    if harmed:
        missed = "" if found.harm else f"{wording.plural(found.seen, 'sign')} of it, and none failed or took longer"
        return _check(
            wanted, "faults.impact", what, missed, expected=f"fault {wanted.fault} harms {service}", note=found.harm
        )
    expected = f"fault {wanted.fault} does not harm {service}"
    return _check(wanted, "faults.impact", what, found.harm, expected=expected, note=f"{found.seen} seen, none harmed")


def _times(drawn: list[FaultRecord]) -> str:
    return f"{wording.plural(len(drawn), 'occurrence')}"


def _rungs(injected: list[FaultRecord]) -> str:
    return ", ".join(sorted({f.backend for f in injected}))
