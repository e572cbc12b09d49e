"""A suite and a seed to the plan of everything that will be done."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from cleanroom.canonical import Json, digest
from cleanroom.errors import SpecError, UsageError
from cleanroom.plan.model import FaultEvent, Plan, ScenarioPlan
from cleanroom.plan.plain import plain
from cleanroom.plan.replicas import expand
from cleanroom.plan.surroundings import check_clocks, check_variations
from cleanroom.plan.sweep import swept
from cleanroom.plan.timeline import draw
from cleanroom.spec.service import Service
from cleanroom.spec.suite import Suite

SCHEDULE_SCHEMA = 1
PLAN_SCHEMA = 3
DEFAULT_SEED = 42
MAX_ITERATIONS = 100
_FIRST_HOST = 10
_LAST_HOST = 254  # of a /24


def build_plan(suite: Suite, *, seed: int | None = None, iterations: int | None = None) -> Plan:
    """Return the plan of `suite`; the same arguments always give the same bytes.

    `seed` and `iterations` override the spec's; without either the seed is 42 (spec.md section 7). A spec with
    `seed: random` needs `seed`, because nothing is drawn here that the arguments do not fix. Raises `UsageError` for
    that and for iterations outside 1 to 100, `SpecError` for a cycle, an unknown dependency, a template of a replica
    that fails, too many services, or a sweep without environments of its own.
    """
    chosen = _seed(suite, seed)
    suite = swept(suite)
    rounds = suite.determinism.iterations if iterations is None else iterations
    if not 1 <= rounds <= MAX_ITERATIONS:
        raise UsageError(
            f"{suite.name}: iterations is {rounds}, expected 1 to {MAX_ITERATIONS}", remedy="pass another --iterations"
        )
    services = expand(suite.services)
    waves = start_waves(services)
    check_variations(suite, rounds, waves)
    check_clocks(suite)
    addresses = _addresses(services)
    scenarios = draw(suite, chosen)
    body: Json = {
        "schema": PLAN_SCHEMA,
        "seed": str(chosen),
        "iterations": rounds,
        "start_order": [list(wave) for wave in waves],
        "addresses": dict(addresses),
        "suite": plain(suite),
        # What replicas became of it; for the others it is what the suite says.
        "replicas": [plain(one) for one in services if one.name not in {service.name for service in suite.services}],
        "timeline": [_scenario_json(scenario, drawn_only=False) for scenario in scenarios],
    }
    return Plan(
        suite=suite,
        seed=chosen,
        iterations=rounds,
        start_order=waves,
        addresses=MappingProxyType(addresses),
        scenarios=scenarios,
        schedule_digest=schedule_digest(scenarios),
        plan_digest=digest(body),
        services=services,
    )


def schedule_digest(scenarios: tuple[ScenarioPlan, ...]) -> str:
    """Return the digest of the drawn events of all scenarios, their streams included, and of nothing else."""
    return digest(
        {
            "schema": SCHEDULE_SCHEMA,
            "scenarios": [_scenario_json(scenario, drawn_only=True) for scenario in scenarios],
        }
    )


def _scenario_json(scenario: ScenarioPlan, *, drawn_only: bool) -> Json:
    return {
        "scenario": scenario.scenario,
        "events": [event_json(event) for event in scenario.events if event.drawn or not drawn_only],
    }


def event_json(event: FaultEvent) -> Json:
    """Return all of one occurrence as JSON: whom, when, how long, with what, and the stream of its inner draws."""
    fault = event.fault
    composed: dict[str, Json] = {"inner": [event_json(part) for part in event.inner]} if event.inner else {}
    return {
        "id": fault.id,
        "occurrence": event.occurrence,
        "kind": fault.kind,
        "drawn": event.drawn,
        "stream": event.stream,
        "targets": list(event.targets),
        "between": list(fault.between),
        "direction": fault.direction,
        "ports": list(fault.ports),
        "protocol": fault.protocol,
        "moment": plain(event.moment),
        "duration": plain(fault.duration),
        "until_step": fault.until_step,
        "backend": fault.backend,
        "parameters": plain(event.parameters),
        **composed,
    }


def _seed(suite: Suite, seed: int | None) -> int:
    if seed is not None:
        return seed
    if suite.determinism.random_seed:
        raise UsageError(
            f"{suite.name}: determinism.seed is `random`, and no seed was drawn for this plan",
            remedy="pass --seed with a number",
        )
    return DEFAULT_SEED if suite.determinism.seed is None else suite.determinism.seed


def start_waves(services: tuple[Service, ...]) -> tuple[tuple[str, ...], ...]:
    """Return names in waves: each wave depends only on earlier ones, sorted by name; raises `SpecError` for a cycle."""
    by_name = {service.name: service for service in services}
    for service in services:
        for name in service.depends_on:
            if name not in by_name:
                raise SpecError(
                    f"{service.at}: service {service.name!r} depends on {name!r}, which is not a service",
                    remedy=f"the services are: {', '.join(sorted(by_name))}",
                )
    sorter = TopologicalSorter({name: by_name[name].depends_on for name in sorted(by_name)})
    try:
        sorter.prepare()
    except CycleError as err:
        cycle = " → ".join(reversed(err.args[1]))
        raise SpecError(f"depends_on is a cycle: {cycle}", remedy="remove one of these dependencies") from err
    waves = []
    while sorter.is_active():
        ready = tuple(sorted(sorter.get_ready()))
        waves.append(ready)
        sorter.done(*ready)
    return tuple(waves)


def _addresses(services: tuple[Service, ...]) -> dict[str, int]:
    names = sorted(service.name for service in services)
    room = _LAST_HOST - _FIRST_HOST + 1
    if len(names) > room:
        first = services[room].at
        raise SpecError(
            f"{first}: {len(names)} containers, and one environment has addresses for {room}", remedy="split the suite"
        )
    return {name: _FIRST_HOST + index for index, name in enumerate(names)}
