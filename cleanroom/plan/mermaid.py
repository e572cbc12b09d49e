"""A plan as Gantt charts: one Mermaid diagram for each scenario, in Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.plan.model import FaultEvent, Plan, ScenarioPlan
from cleanroom.plan.words import words
from cleanroom.spec.fault import AtManual, AtOffset, AtProbe, AtStep
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.text import one_line

_LONGEST = 120
# What ends a task's name or begins a comment, a directive or a statement in Mermaid's grammar of Gantt charts.
_SPECIAL = str.maketrans({
    ":": "\N{FULLWIDTH COLON}", ";": "\N{FULLWIDTH SEMICOLON}", "#": "\N{FULLWIDTH NUMBER SIGN}",
    "%": "\N{FULLWIDTH PERCENT SIGN}", "{": "(", "}": ")", "`": "'",
    "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
})  # fmt: skip
_STEP_MS = 1000
_SHORTEST_MS = 1000


def plan_mermaid(plan: Plan) -> str:
    """Return Markdown with one Gantt chart for each scenario.

    A section has one zero: the scenario's first step, or the trigger that it names. A fault without an end of its own
    is drawn to the end of its section. Steps take as long as they take: each is drawn with the same length.
    """
    return "\n".join(_chart(plan, planned, plan.suite.scenarios[index]) for index, planned in enumerate(plan.scenarios))


def _chart(plan: Plan, planned: ScenarioPlan, scenario: Scenario) -> str:
    title = f"{plan.suite.name} - {planned.scenario} - seed {plan.seed}, {plan.iterations} times"
    lines = [
        "```mermaid",
        "gantt",
        f"    title {_safe(title)}",
        "    dateFormat x",
        "    axisFormat %M m %S.%L s",
        "    section Steps in order, drawn with one length",
    ]
    for index, step in enumerate(scenario.steps):
        lines.append(f"    step {_safe(step.name)} :done, s{index}, {index * _STEP_MS}, {(index + 1) * _STEP_MS}")
    sections: dict[str, list[_Bar]] = {}
    for event in planned.events:
        for bar in _bars(event, _anchor(event), _begin(event)):
            sections.setdefault(bar.anchor, []).append(bar)
    for place, (anchor, bars) in enumerate(sections.items()):
        end = max(bar.begin + (_length(bar.event) or _SHORTEST_MS) for bar in bars)
        lines.append(f"    section {_safe(anchor)}")
        lines += [_task(bar, f"f{place}x{number}", end) for number, bar in enumerate(bars)]
    return "\n".join([*lines, "```"]) + "\n"


@dataclass(frozen=True, slots=True)
class _Bar:
    """One occurrence in its section, with its begin in ms from the section's zero."""

    anchor: str
    begin: int
    event: FaultEvent


def _bars(event: FaultEvent, anchor: str, begin: int) -> list[_Bar]:
    """Return the bar of an event and those of its parts, whose moments count from its own begin."""
    inner = [bar for part in event.inner for bar in _bars(part, anchor, begin + _begin(part))]
    return [_Bar(anchor, begin, event), *inner]


def _anchor(event: FaultEvent) -> str:
    match event.moment:
        case AtOffset():
            return "Faults, from the first step"
        case AtStep(moment=relation, step=step):
            return f"Faults {relation} step {step}"
        case AtProbe(probe=probe):
            return f"Faults when {words(probe)}"
        case AtManual():
            return "Faults by hand"


def _begin(event: FaultEvent) -> int:
    """Return the begin in ms from what the moment counts from."""
    moment = event.moment
    return 0 if isinstance(moment, AtManual) else moment.offset.ns // 10**6


def _length(event: FaultEvent) -> int:
    """Return the length in ms; 0 when the plan does not know it."""
    return max(1, event.fault.duration.ns // 10**6) if event.fault.duration else 0


def _task(bar: _Bar, name: str, end: int) -> str:
    event, fault = bar.event, bar.event.fault
    notes = [] if event.drawn else ["not drawn"]
    notes += [f"until step {fault.until_step}"] if fault.until_step else []
    whom = ", ".join(event.targets) or "nobody"
    label = f"{fault.kind} on {whom} ({', '.join([f'{fault.id} {event.occurrence}', *notes])})"
    tag = "active" if event.drawn else "done"
    if FAULTS[fault.kind].instant:
        return f"    {_safe(label)} :milestone, {tag}, {name}, {bar.begin}, {bar.begin}"
    return f"    {_safe(label)} :{tag}, {name}, {bar.begin}, {bar.begin + _length(event) if _length(event) else end}"


def _safe(text: str) -> str:
    """Return text that Mermaid takes as a name: one line without the characters that mean something to it."""
    return one_line(text, _LONGEST).translate(_SPECIAL)
