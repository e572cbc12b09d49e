"""An iteration's three digests and the one over them (spec.md section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from cleanroom.canonical import Json
from cleanroom.plan.model import Plan
from cleanroom.plan.surroundings import variation
from cleanroom.run.record import IterationRecord, ServiceRecord
from cleanroom.spec.determinism import Buckets
from cleanroom.trace.digest import iteration_digest, outcome_digest, trace_digest
from cleanroom.trace.normalise import normalise
from cleanroom.trace.rules import NormaliseOptions
from cleanroom.trace.scrub import Scrubber
from cleanroom.validate.determinism import Run
from cleanroom.validate.model import Check, IterationDigests, ScenarioVerdict
from cleanroom.validate.scene import Scene
from cleanroom.validate.verdict import check_word

GATEWAY_ROLE = "<gateway>"
_ID = re.compile(r"[0-9a-f]{64}")

Facts = Mapping[tuple[str, str], str]
NO_FACTS: Facts = MappingProxyType({})


def fingerprint(
    plan: Plan,
    iteration: IterationRecord,
    whole: Scene,
    scenarios: tuple[ScenarioVerdict, ...],
    checks: tuple[Check, ...],
) -> Run:
    """Digest one judged iteration: its normalised trace, the drawn faults, its outcomes and verdicts."""
    wanted = plan.suite.determinism
    options = normalise_options(plan, iteration)
    normalised = normalise(whole.trace, options)
    facts = outcome_facts(iteration, scenarios, checks)
    trace = trace_digest(normalised)
    outcome = outcome_digest(_as_json(facts))
    digests = IterationDigests(
        digest=iteration_digest(
            rule_set=normalised.rule_set, trace=trace, schedule=plan.schedule_digest, outcome=outcome
        ),
        trace=trace,
        schedule=plan.schedule_digest,
        outcome=outcome,
        rule_set=normalised.rule_set,
    )
    outputs = step_outputs(iteration, Scrubber(options, whole.trace.spans)) if "output" in wanted.compare else NO_FACTS
    return Run(index=iteration.index, digests=digests, trace=normalised, facts=facts, outputs=outputs)


def normalise_options(plan: Plan, iteration: IterationRecord) -> NormaliseOptions:
    """Return what an iteration is normalised by: roles of its services, issued traces, the spec's rules."""
    rules = plan.suite.determinism.normalize
    return NormaliseOptions(
        roles={
            **roles(service for record in iteration.scenarios for service in record.services),
            **_drawn_hostnames(plan, iteration),
        },
        excluded_traces=frozenset(trace for record in iteration.scenarios for trace in record.noise_traces),
        drop=rules.drop,
        drop_spans=rules.drop_spans,
        replace=tuple((r.pattern, r.replacement) for r in rules.replace),
        keep=rules.keep,
        siblings=rules.siblings,
        bucket_ns=rules.durations.bucket.ns if isinstance(rules.durations, Buckets) else 0,
    )


def _drawn_hostnames(plan: Plan, iteration: IterationRecord) -> Mapping[str, str]:
    """Return what stands for a varied host name: what would have been there without, so that saying it is no matter."""
    found: dict[str, str] = {}
    for record in iteration.scenarios:
        chosen = variation(plan, record.name, iteration.index)
        for service in plan.suite.services if chosen is not None else ():
            drawn = chosen.hostnames.get(service.name) if chosen is not None else None
            if drawn:
                found[drawn] = service.name if service.hostname in ("", service.name) else f"<{service.name}>"
    return found


def roles(services: Iterable[ServiceRecord]) -> Mapping[str, str]:
    """Return text → role `<name>` for each service's address, container name and id and host name; and the gateway."""
    found: dict[str, str] = {}
    for service in services:
        role = f"<{service.name}>"
        if service.address:
            found[f"{service.address.rpartition('.')[0]}.1"] = GATEWAY_ROLE
        short_id = service.container[:12] if _ID.fullmatch(service.container) else ""
        for text in (service.address, service.container, short_id, service.hostname):
            # A host name that is the service's name is the same in every run: it stays readable.
            if text and text != service.name:
                found[text] = role
    return MappingProxyType(found)


def outcome_facts(
    iteration: IterationRecord, scenarios: tuple[ScenarioVerdict, ...], checks: tuple[Check, ...]
) -> Facts:
    """Return (where, what) → value for every step outcome, scenario outcome and verdict, in order.

    Neither a time nor an id is among them; of a check only its verdict, since what it found may hold measurements.
    """
    records = {record.name: record for record in iteration.scenarios}
    facts: dict[tuple[str, str], str] = {}
    for verdict in scenarios:
        where = f"scenario {verdict.name}"
        for step in records[verdict.name].steps:
            place = f"{where} > step {step.name}"
            facts[place, "outcome"] = step.outcome
            facts[place, "error_type"] = step.error_type
            facts[place, "exit_code"] = "" if step.exit_code is None else str(step.exit_code)
            facts[place, "status"] = "" if step.status is None else str(step.status)
        facts.update(_verdicts(where, verdict.checks))
        # After what it follows from, so that a difference is named by its cause.
        facts[where, "outcome"] = verdict.outcome
    facts.update(_verdicts("suite", checks))
    return MappingProxyType(facts)


def step_outputs(iteration: IterationRecord, scrub: Scrubber) -> Facts:
    """Return (where, stdout or stderr) → what each step said, under the same rules as the texts of spans."""
    return MappingProxyType(
        {
            (f"scenario {record.name} > step {step.name}", stream): scrub.text(said)
            for record in sorted(iteration.scenarios, key=lambda record: record.name)
            for step in record.steps
            for stream, said in (("stdout", step.stdout), ("stderr", step.stderr))
        }
    )


def _verdicts(where: str, checks: Iterable[Check]) -> Facts:
    """Return the verdicts; checks of one name (two entries of a spec that read alike) are told apart by number."""
    found: dict[tuple[str, str], str] = {}
    for check in checks:
        place, number = f"{where} > {check.name}", 1
        while (place, "verdict") in found:
            number += 1
            place = f"{where} > {check.name} ({number})"
        found[place, "verdict"] = check_word(check)
    return found


def _as_json(facts: Facts) -> Json:
    return [[where, what, value] for (where, what), value in facts.items()]
