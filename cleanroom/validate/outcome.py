"""`expect.outcome` and what the run itself says of a scenario (spec.md section 4)."""

from __future__ import annotations

from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.expect import OutcomeExpectation
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene

GOOD = ("passed", "degraded")


def judge_outcome(scene: Scene, wanted: OutcomeExpectation | None) -> tuple[Check, ...]:
    """Judge `outcome` on every scenario of the scene; no scenario at all breaks it."""
    if wanted is None:
        return ()
    differing = tuple(r for r in scene.scenarios if r.outcome != wanted.outcome)
    findings = tuple(
        Finding(
            rule="outcome",
            level=wanted.level,
            at=wanted.at,
            expected=f"outcome {wanted.outcome}",
            found=f"scenario {record.name}: {record.outcome}{_first_failure(record)}",
        )
        for record in differing
    )
    if not scene.scenarios:
        findings = (
            Finding(
                rule="outcome",
                level=wanted.level,
                at=wanted.at,
                expected=f"outcome {wanted.outcome}",
                found="no scenario ran",
            ),
        )
    name = f"outcome {wanted.id or wanted.outcome}"
    return (Check(rule="outcome", name=name, at=wanted.at, findings=findings),)


def judge_ending(record: ScenarioRecord, explained: tuple[Check, ...], expected: str) -> tuple[Check, ...]:
    """Return a check for an outcome that nothing in `explained` accounts for: what the run calls bad is never a pass.

    `expected` is the wanted outcome or empty. An outcome `failed` is explained by a broken check, `inconclusive` by an
    inconclusive one (even where the spec allows it), `error` by the record's trouble.
    """
    if record.outcome in GOOD or record.outcome == expected or record.trouble is not None:
        return ()
    broken = any(f.level == "error" for c in explained for f in c.findings)
    if broken or (record.outcome == "inconclusive" and any(c.inconclusive for c in explained)):
        return ()
    name = "the scenario ended well"
    if record.outcome == "inconclusive":
        return (Check(rule="scenario.outcome", name=name, inconclusive="the run could not judge the scenario"),)
    finding = Finding(
        rule="scenario.outcome",
        expected="a scenario that ends as passed or degraded",
        found=f"it ended as {record.outcome}{_first_failure(record)}",
    )
    return (Check(rule="scenario.outcome", name=name, findings=(finding,)),)


def _first_failure(record: ScenarioRecord) -> str:
    failed = next((s for s in record.steps if s.outcome == "failed"), None)
    return f' (step "{failed.name}": {failed.reason or failed.error_type or "failed"})' if failed else ""
