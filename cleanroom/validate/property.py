"""Whether a scenario's property held for every example (spec.md section 4)."""

from __future__ import annotations

import shlex

from cleanroom.run.record import ScenarioRecord
from cleanroom.spec.scenario import Scenario
from cleanroom.validate.model import Check, Finding


def judge_property(scenario: Scenario, record: ScenarioRecord) -> tuple[Check, ...]:
    """Return one check for the scenario's property: the smallest example that fails breaks it.

    Examples that could not be run are no counterexample: the check is inconclusive, and the run ends in that trouble.
    """
    wanted, found = scenario.property, record.property
    if wanted is None:
        return ()
    rule, name = "property.counterexample", "the property holds for every example"
    if found is None:
        why = record.trouble.message if record.trouble is not None else "no example was run"
        return (Check(rule=rule, name=name, at=wanted.at, inconclusive=why),)
    if not found.broken:
        return (Check(rule=rule, name=name, at=wanted.at, note=f"it held for {found.tried} examples"),)
    least = "the smallest found in the time for shrinking" if found.shrunk_out else "the smallest that fails"
    finding = Finding(
        rule=rule,
        at=wanted.at,
        expected=f"scenario {scenario.name!r} holds for every example",
        found=f"{found.example} ({least}): {found.broken}",
        remedy=f"to see it fail again, run this spec with --example {shlex.quote(found.example)}",
    )
    return (Check(rule=rule, name=name, at=wanted.at, findings=(finding,)),)
