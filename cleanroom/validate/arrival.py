"""What is judged of every scenario whatever its spec says: forged, broken or late telemetry, egress, what was left."""

from __future__ import annotations

from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.scenario import Scenario
from cleanroom.trace.model import RESERVED_PREFIX
from cleanroom.validate import wording
from cleanroom.validate.hermeticity import egress_findings, left_behind
from cleanroom.validate.model import Check, Finding
from cleanroom.validate.scene import Scene


def judge_arrival(scene: Scene, scenario: Scenario, record: ScenarioRecord) -> tuple[Check, ...]:
    """Return the checks of every scenario: genuine, decodable and timely telemetry, nothing out, nothing left."""
    return (
        _forged(scene, scenario),
        _decode(scene, scenario),
        _late(scenario, record),
        *_egress(scenario, record),
        *_left(scenario, record),
    )


def _forged(scene: Scene, scenario: Scenario) -> Check:
    findings: tuple[Finding, ...] = ()
    if scene.forged:
        findings = (
            Finding(
                rule="telemetry.forged",
                at=scenario.at,
                expected=f"no service span named {RESERVED_PREFIX}…, and none with the id of a runner's span",
                found=f"{wording.plural(len(scene.forged), 'forged span')}: "
                + wording.listing(wording.label(span) for span in scene.forged),
                span_ids=wording.ids(scene.forged),
                remedy="rename the span: the prefix is the runner's own",
            ),
        )
    return Check(rule="telemetry.forged", name="telemetry is genuine", at=scenario.at, findings=findings)


def _decode(scene: Scene, scenario: Scenario) -> Check:
    findings: tuple[Finding, ...] = ()
    if scene.malformed:
        findings = (
            Finding(
                rule="telemetry.decode",
                at=scenario.at,
                expected="OTLP requests that can be decoded",
                found=wording.listing(scene.malformed),
                remedy="what could not be decoded was not judged: correct the exporter",
            ),
        )
    return Check(rule="telemetry.decode", name="telemetry could be decoded", at=scenario.at, findings=findings)


def _late(scenario: Scenario, record: ScenarioRecord) -> Check:
    why = f"{wording.plural(record.late, 'request')} arrived after the environment was closed, and no check saw them"
    return Check(
        rule="telemetry.late",
        name="telemetry arrived in time",
        at=scenario.at,
        inconclusive=why if record.late else "",
    )


def _egress(scenario: Scenario, record: ScenarioRecord) -> tuple[Check, ...]:
    """Tell a spec that is silent about egress of attempts all the same; they were dropped, so a warning is enough."""
    stated = scenario.expect.hermeticity if scenario.expect is not None else None
    if stated is not None and stated.egress_none:
        return ()
    findings = egress_findings((record,), "network.egress", "warning", scenario.at)
    return (Check(rule="network.egress", name="network egress", at=scenario.at, findings=findings),)


def _left(scenario: Scenario, record: ScenarioRecord) -> tuple[Check, ...]:
    stated = scenario.expect.hermeticity if scenario.expect is not None else None
    if stated is not None and stated.leaks_none:
        return ()
    left = left_behind(record.cleanup)
    found = f"left behind: {wording.listing(left)}"
    finding = Finding(rule="cleanup.left", at=scenario.at, expected="nothing is left after teardown", found=found)
    return (Check(rule="cleanup.left", name="cleanup", at=scenario.at, findings=(finding,) if left else ()),)
