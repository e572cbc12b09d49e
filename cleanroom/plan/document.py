"""A plan for programs: all of it as JSON, which is what `cleanroom plan --format json` prints."""

from __future__ import annotations

from fnmatch import fnmatchcase

from cleanroom.canonical import Json
from cleanroom.plan.build import PLAN_SCHEMA, event_json
from cleanroom.plan.model import FaultEvent, Plan
from cleanroom.plan.plain import plain
from cleanroom.plan.surroundings import variation
from cleanroom.plan.words import checks, moment_text, words
from cleanroom.spec.expect import Expect
from cleanroom.spec.fault import AtOffset
from cleanroom.spec.service import Service
from cleanroom.spec.step import ACTIONS, Step

REDACTED = "***"


def plan_json(plan: Plan) -> Json:
    """Return the whole plan as JSON: services, steps, expectations, the timeline with every stream, both digests.

    Occurrences that were not drawn are included. Every iteration runs the one timeline in `scenarios`; `iterations`
    lists them with the nuisance that each varies. Values of variables that `report.redact` names are left out.
    """
    suite = plan.suite
    by_name = {service.name: service for service in plan.services}
    return {
        "schema": PLAN_SCHEMA,
        "suite": suite.name,
        "description": suite.description,
        "file": suite.file,
        "tags": list(suite.tags),
        "tier": suite.tier,
        "required": suite.required,
        "instance": plain(suite.instance),
        "seed": str(plan.seed),
        "iterations": [
            {"index": index, "schedule_digest": plan.schedule_digest, "varies": nuisance}
            for index, nuisance in enumerate(nuisances(plan))
        ],
        "environment": suite.environment,
        "start_order": [list(wave) for wave in plan.start_order],
        "addresses": dict(plan.addresses),
        "services": [
            _service_json(by_name[name], suite.report.redact) for wave in plan.start_order for name in wave if by_name
        ],
        "scenarios": [
            {
                "scenario": scenario.scenario,
                "description": suite.scenarios[index].description,
                "timeout": plain(suite.scenarios[index].timeout),
                "steps": [_step_json(step) for step in suite.scenarios[index].steps],
                "events": [_event_json(event) for event in scenario.events],
                "expectations": _checks_json(suite.scenarios[index].expect),
            }
            for index, scenario in enumerate(plan.scenarios)
        ],
        "expectations": _checks_json(suite.expect),
        "unavailable": [{"at": str(p.at), "code": p.code, "message": p.message} for p in suite.unavailable],
        "schedule_digest": plan.schedule_digest,
        "plan_digest": plan.plan_digest,
    }


def nuisances(plan: Plan) -> tuple[str, ...]:
    """Return what each iteration varies; nothing in the first, the control, and beyond the last nuisance.

    Where a scenario varies more than the others, each is told with its name.
    """
    found = []
    for index in range(plan.iterations):
        chosen = {s.name: v.nuisance for s in plan.suite.scenarios if (v := variation(plan, s.name, index)) is not None}
        alike = len(chosen) == len(plan.suite.scenarios) and len(set(chosen.values())) == 1
        told = [next(iter(chosen.values()))] if alike else [f"{name}: {what}" for name, what in chosen.items()]
        found.append(", ".join(told))
    return tuple(found)


def shown_environment(service: Service, redact: tuple[str, ...]) -> dict[str, str]:
    """Return a service's variables after templates, with those that `report.redact` names masked."""
    return {
        name: REDACTED if any(fnmatchcase(name.casefold(), glob.casefold()) for glob in redact) else str(value)
        for name, value in service.environment.items()
    }


def source_of(service: Service) -> str:
    """Return where a service's container comes from, in one line: its image, its build, or what is mocked."""
    if service.build is not None:
        return f"build {words(service.build)}"
    return f"image {service.image}" if service.image else f"mock {words(service.mock)}"


def action_of(step: Step) -> str:
    """Return what a step does, in one line: `http {service: api, path: /orders}`."""
    text = words(step.action)
    kind = ACTIONS[type(step.action)]
    return f"{kind} {text.partition(' ')[2]}".rstrip()


def all_checks(plan_expect: Expect | None, path: str = "expect") -> tuple[tuple[str, str], ...]:
    """Return the rule and the words of every expectation of a block, none when there is no block."""
    if plan_expect is None:
        return ()
    found = []
    for rule, what, own in checks(plan_expect, path):
        name = f" ({own.id})" if own is not None and own.id else ""
        level = " warning" if own is not None and own.level == "warning" else ""
        found.append((f"{rule}{name}{level}", what))
    return tuple(found)


def _service_json(service: Service, redact: tuple[str, ...]) -> Json:
    found = plain(service)
    assert isinstance(found, dict)  # noqa: S101 -- a dataclass becomes a mapping
    return {**found, "environment": dict(shown_environment(service, redact))}


def _step_json(step: Step) -> Json:
    found = plain(step)
    assert isinstance(found, dict)  # noqa: S101 -- a dataclass becomes a mapping
    return {**found, "summary": f"{step.name}: {action_of(step)}"}


def _event_json(event: FaultEvent) -> Json:
    found = event_json(event)
    assert isinstance(found, dict)  # noqa: S101 -- event_json makes a mapping
    # An offset is a time; everything else is a trigger, whose moment only the run knows.
    return {**found, "begins": moment_text(event.moment), "trigger": not isinstance(event.moment, AtOffset)}


def _checks_json(block: Expect | None) -> Json:
    if block is None:
        return []
    return [
        {
            "rule": rule,
            "what": what,
            "id": own.id if own else "",
            "description": own.description if own else "",
            "level": own.level if own else "error",
        }
        for rule, what, own in checks(block, "expect")
    ]
