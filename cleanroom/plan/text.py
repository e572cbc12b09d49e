"""A plan for people: what `cleanroom plan` prints."""

from __future__ import annotations

from cleanroom.plan.document import action_of, all_checks, nuisances, shown_environment, source_of
from cleanroom.plan.model import FaultEvent, Plan, ScenarioPlan
from cleanroom.plan.words import moment_text, settings, words
from cleanroom.spec.scenario import Scenario
from cleanroom.spec.service import Service
from cleanroom.spec.shapes.fault_table import FAULTS
from cleanroom.spec.step import Step
from cleanroom.text import one_line

_HEADER = ("at", "for", "fault", "kind", "target", "parameters", "stream")
_STREAM_DIGITS = 8
_CELL = 60
_LINE = 200
_OF_SERVICE = ("name", "image", "build", "mock", "environment", "depends_on", "replicas")
_OF_STEP = ("name", "action")


def plan_text(plan: Plan) -> str:
    """Return the plan as text that is safe to print.

    Services in order of start, for each scenario its steps, one table of faults and its expectations, then both
    digests, and last what `run` cannot carry out yet.
    """
    suite = plan.suite
    lines = [f"suite     {one_line(suite.name)} ({one_line(suite.file)})"]
    if suite.instance:
        lines.append(f"instance  {_short(words(suite.instance))}")
    lines += [
        f"tier      {suite.tier}, {'required' if suite.required else 'not required: what it finds fails no call'}",
        f"seed      {plan.seed}",
        f"runs      {_counted(plan.iterations, 'iteration')} of {_counted(len(plan.scenarios), 'scenario')}"
        + (", each with the same schedule" if plan.iterations > 1 else ""),
    ]
    varied = [f"{index} {name}" for index, name in enumerate(nuisances(plan)) if name]
    if varied:
        lines.append(f"varies    {', '.join(varied)} (iteration 0 is the control)")
    lines.append(
        "services  "
        + " → ".join(", ".join(f"{name} (.{plan.addresses[name]})" for name in w) for w in plan.start_order)
    )
    lines += _services(plan)
    for index, scenario in enumerate(plan.scenarios):
        lines += _scenario(scenario, suite.scenarios[index])
    lines += _expectations("expect    of the suite", all_checks(suite.expect))
    lines += ["", f"schedule  {plan.schedule_digest}", f"plan      {plan.plan_digest}"]
    if suite.unavailable:
        lines += ["", "run cannot carry out yet"]
        lines += [f"  {one_line(str(p.at))}  {_short(p.message)}" for p in suite.unavailable]
    return "\n".join(lines) + "\n"


def _services(plan: Plan) -> list[str]:
    by_name = {service.name: service for service in plan.services}
    redact = plan.suite.report.redact
    return [
        line
        for wave in plan.start_order
        for name in wave
        if name in by_name
        for line in _service(by_name[name], redact)
    ]


def _service(service: Service, redact: tuple[str, ...]) -> list[str]:
    lines = [f"  {one_line(service.name)}  {_short(source_of(service))}"]
    if service.depends_on:
        lines.append(f"    after  {_short(', '.join(service.depends_on))}")
    lines += [f"    {_short(f'{name}={value}')}" for name, value in shown_environment(service, redact).items()]
    lines += [f"    {name}  {_short(value)}" for name, value in settings(service, *_OF_SERVICE)]
    return lines


def _scenario(planned: ScenarioPlan, scenario: Scenario) -> list[str]:
    lines = ["", f"scenario  {one_line(planned.scenario)}", f"  steps   {'' if scenario.steps else 'none'}".rstrip()]
    for number, step in enumerate(scenario.steps, start=1):
        lines += _step(f"{number}", step, "    ")
    lines += _table(planned.events) if planned.events else ["  faults  none"]
    lines += _expectations("  expect", all_checks(scenario.expect))
    return lines


def _step(number: str, step: Step, indent: str) -> list[str]:
    inner = list(step.inner)
    action = action_of(step) if not inner else action_of(step).partition(" ")[0]
    lines = [f"{indent}{number}  {one_line(step.name, _CELL)}: {_short(action)}"]
    said = [f"{name}={value}" for name, value in settings(step, *_OF_STEP)]
    if said:
        lines.append(f"{indent}   {_short(', '.join(said))}")
    for place, part in enumerate(inner, start=1):
        lines += _step(f"{number}.{place}", part, indent + "  ")
    return lines


def _expectations(title: str, found: tuple[tuple[str, str], ...]) -> list[str]:
    if not found:
        return []
    indent = "    " if title.startswith(" ") else "  "
    lead = [] if title.startswith(" ") else [""]
    return [*lead, title, *(f"{indent}{one_line(rule)}  {_short(what)}" for rule, what in found)]


def _table(events: tuple[FaultEvent, ...]) -> list[str]:
    rows = [_HEADER, *(row for event in events for row in _rows(event, ""))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _rows(event: FaultEvent, depth: str) -> list[tuple[str, ...]]:
    """Return a row for the event and one for each part of a composite, moved to the right."""
    fault = event.fault
    limits: list[str] = []
    if fault.kind.startswith("network."):
        limits = [fault.direction, *(f"port {port}" for port in fault.ports)]
        limits += [fault.protocol] if fault.protocol != "any" else []
    parameters = [*limits, *(f"{name}={words(value)}" for name, value in sorted(event.parameters.items()))]
    row = (
        one_line(moment_text(event.moment), _CELL) if event.drawn else "not drawn",
        one_line(_length(event), _CELL),
        depth + one_line(event.key, _CELL),
        fault.kind,
        one_line(", ".join(event.targets), _CELL),
        one_line(", ".join(parameters), _CELL),
        event.stream[:_STREAM_DIGITS],
    )
    return [row, *(inner for part in event.inner for inner in _rows(part, depth + "  "))]


def _length(event: FaultEvent) -> str:
    fault = event.fault
    if FAULTS[fault.kind].instant:
        return "at once"
    if fault.until_step:
        return f"until step {fault.until_step}"
    return str(fault.duration) if fault.duration else "until the end"


def _short(text: str) -> str:
    return one_line(text, _LINE)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
