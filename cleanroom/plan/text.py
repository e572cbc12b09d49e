"""A plan for people and for programs: what `cleanroom plan` prints."""

from __future__ import annotations

from cleanroom.canonical import Json
from cleanroom.plan.build import PLAN_SCHEMA, event_json
from cleanroom.plan.model import FaultEvent, Plan
from cleanroom.quantity import Rate, Size
from cleanroom.spec.fault import AtManual, AtOffset, AtStep, Moment, ParameterValue
from cleanroom.text import one_line

_HEADER = ("at", "for", "fault", "kind", "target", "parameters", "stream")
_STREAM_DIGITS = 8
_CELL = 60


def plan_json(plan: Plan) -> Json:
    """Return the whole plan as JSON: the timeline with every stream, undrawn occurrences included, and both digests."""
    return {
        "schema": PLAN_SCHEMA,
        "suite": plan.suite.name,
        "file": plan.suite.file,
        "seed": str(plan.seed),
        "iterations": plan.iterations,
        "start_order": [list(wave) for wave in plan.start_order],
        "addresses": dict(plan.addresses),
        "scenarios": [
            {
                "scenario": scenario.scenario,
                "steps": [step.name for step in plan.suite.scenarios[index].steps],
                "events": [event_json(event) for event in scenario.events],
            }
            for index, scenario in enumerate(plan.scenarios)
        ],
        "schedule_digest": plan.schedule_digest,
        "plan_digest": plan.plan_digest,
    }


def plan_text(plan: Plan) -> str:
    """Return the plan as text that is safe to print: services in order of start, one table per scenario, digests."""
    lines = [
        f"suite     {one_line(plan.suite.name)} ({one_line(plan.suite.file)})",
        f"seed      {plan.seed}",
        f"runs      {_counted(plan.iterations, 'iteration')} of {_counted(len(plan.scenarios), 'scenario')}",
        "services  "
        + " → ".join(", ".join(f"{name} (.{plan.addresses[name]})" for name in w) for w in plan.start_order),
    ]
    for index, scenario in enumerate(plan.scenarios):
        steps = [one_line(step.name, _CELL) for step in plan.suite.scenarios[index].steps]
        lines += ["", f"scenario  {one_line(scenario.scenario)}", "  steps   " + (" → ".join(steps) or "none")]
        lines += _table(scenario.events) if scenario.events else ["  faults  none"]
    lines += ["", f"schedule  {plan.schedule_digest}", f"plan      {plan.plan_digest}"]
    return "\n".join(lines) + "\n"


def _table(events: tuple[FaultEvent, ...]) -> list[str]:
    rows = [_HEADER, *(_row(event) for event in events)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(event: FaultEvent) -> tuple[str, ...]:
    fault = event.fault
    limits: list[str] = [fault.direction] if fault.kind.startswith("network.") else []
    limits += [f"port {port}" for port in fault.ports]
    parameters = [*limits, *(f"{name}={_value(value)}" for name, value in sorted(event.parameters.items()))]
    cells = (
        moment_text(event.moment) if event.drawn else "not drawn",
        _length(event),
        event.key,
        fault.kind,
        ", ".join(event.targets),
        ", ".join(parameters),
        event.stream[:_STREAM_DIGITS],
    )
    return tuple(one_line(cell, _CELL) for cell in cells)


def moment_text(moment: Moment) -> str:
    """Return when a fault is due, e.g. `+2s`, `before step place`, `during step place +200ms`."""
    match moment:
        case AtOffset(offset=offset):
            return f"+{offset}"
        case AtStep(moment=relation, step=step, offset=offset):
            return f"{relation} step {step}" + (f" +{offset}" if offset.ns else "")
        case AtManual():
            return "by hand"


def _length(event: FaultEvent) -> str:
    fault = event.fault
    if fault.until_step:
        return f"until step {fault.until_step}"
    return str(fault.duration) if fault.duration else "until the end"


def _value(value: ParameterValue) -> str:
    match value:
        case Size(bytes=count):
            return f"{count}B"
        case Rate(bits=bits):
            return f"{bits}bit/s"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
