"""One suite of `report.json`: its scenarios, their iterations, and what was found in each."""

from __future__ import annotations

import json

from cleanroom.canonical import Json
from cleanroom.drive.answer import Answer
from cleanroom.engine.ports import Inventory
from cleanroom.network.ports import Drop
from cleanroom.report.figures import figures_json, resources_json
from cleanroom.report.model import Pair
from cleanroom.report.surroundings import clock_json, varied_json
from cleanroom.run.record import (
    CleanupRecord,
    FaultRecord,
    PropertyRecord,
    ScenarioRecord,
    ServiceRecord,
    SteadyRecord,
    StepRecord,
    Trouble,
)
from cleanroom.spec.source import Position
from cleanroom.text import one_line
from cleanroom.trace.divergence import Divergence
from cleanroom.trace.proposal import Rules
from cleanroom.validate.model import Check, Finding, IterationDigests, IterationVerdict, ScenarioVerdict
from cleanroom.validate.verdict import check_word

_MS = 10**6


def suite_json(pair: Pair) -> dict[str, Json]:
    """Return one suite; a part that a broken run never reached is null or an empty list."""
    plan = pair.record.plan if pair.record is not None else None
    verdict = pair.verdict
    return {
        "name": pair.name,
        "file": pair.file,
        "tier": pair.tier,
        "required": pair.required,
        "verdict": verdict.verdict if verdict is not None else "error",
        "exit_code": int(verdict.exit_code) if verdict is not None else 4,
        "seed": str(plan.seed) if plan is not None else None,
        "iterations_planned": plan.iterations if plan is not None else 0,
        "schedule_digest": plan.schedule_digest if plan is not None else "",
        "plan_digest": plan.plan_digest if plan is not None else "",
        "digest": verdict.digest if verdict is not None else "",
        "trouble": verdict.trouble if verdict is not None else "nothing of this suite was judged",
        "determinism": check_json(verdict.determinism) if verdict is not None and verdict.determinism else None,
        "divergence": divergence_json(verdict.divergence) if verdict is not None and verdict.divergence else None,
        "vary": varied_json(pair),
        "iterations": _iterations(pair),
        "scenarios": [_scenario(pair, name) for name in _names(pair)],
    }


def check_json(check: Check) -> dict[str, Json]:
    """Return one check with its word: pass, fail or inconclusive."""
    return {
        "rule": check.rule,
        "name": check.name,
        "verdict": check_word(check),
        "inconclusive": check.inconclusive,
        "allowed": check.allowed,
        "accepted": check.accepted,
        "note": check.note,
        "findings": [finding_json(finding) for finding in check.findings],
        **position_json(check.at),
    }


def finding_json(finding: Finding) -> dict[str, Json]:
    """Return one finding."""
    return {
        "rule": finding.rule,
        "level": finding.level,
        "expected": finding.expected,
        "found": finding.found,
        "near_misses": list(finding.near_misses),
        "span_ids": list(finding.span_ids),
        "remedy": finding.remedy,
        "telemetry_missing": finding.telemetry_missing,
        **position_json(finding.at),
    }


def position_json(at: Position) -> dict[str, Json]:
    """Return file, line and column: empty and 0 where there is no position."""
    return {"file": at.file, "line": at.line, "column": at.column}


def drop_json(drop: Drop) -> dict[str, Json]:
    """Return one recorded attempt to get out."""
    return {
        "source": drop.source,
        "destination": drop.destination,
        "protocol": drop.protocol,
        "port": drop.port,
        "count": drop.count,
        "via": drop.via,
        "name": drop.name,
    }


def cleanup_json(cleanup: CleanupRecord) -> dict[str, Json]:
    """Return what a teardown found and took away."""
    return {
        "trigger": cleanup.trigger,
        "success": cleanup.success,
        "created": _inventory(cleanup.created),
        "removed": _inventory(cleanup.removed),
        "left": _inventory(cleanup.left),
        "processes_left": list(cleanup.processes_left),
        "duration_ms": cleanup.duration_ns / _MS,
    }


def divergence_json(divergence: Divergence) -> dict[str, Json]:
    """Return the first difference; iterations count from 1, as everywhere a person reads them."""
    return {
        "left": divergence.left + 1,
        "right": divergence.right + 1,
        "path": divergence.path,
        "attribute": divergence.attribute,
        "left_value": divergence.left_value,
        "right_value": divergence.right_value,
        "classification": divergence.classification,
        "proposal": divergence.proposal,
        "rules": _rules_json(divergence.rules),
        "obstacle": divergence.obstacle,
        "side_by_side": [
            {"what": row.what, "left": row.left, "right": row.right, "differs": row.differs} for row in divergence.rows
        ],
    }


def _rules_json(rules: Rules | None) -> Json:
    if rules is None:
        return None
    return {
        "drop": list(rules.drop),
        "replace": [{"pattern": pattern, "with": standing} for pattern, standing in rules.replace],
        "siblings": rules.siblings,
        "drop_spans": [*rules.drop_spans],
    }


def digests_json(digests: IterationDigests | None) -> Json:
    """Return an iteration's digest and its three parts; null where it could not be digested."""
    if digests is None:
        return None
    return {
        "digest": digests.digest,
        "trace": digests.trace,
        "schedule": digests.schedule,
        "outcome": digests.outcome,
        "rule_set": digests.rule_set,
    }


def _iterations(pair: Pair) -> list[Json]:
    verdicts = {v.index: v for v in pair.verdict.iterations} if pair.verdict is not None else {}
    records = {record.index: record for record in pair.iterations}
    found: list[Json] = []
    for index in sorted({*verdicts, *records}):
        verdict, record = verdicts.get(index), records.get(index)
        found.append(
            {
                "iteration": index + 1,
                "slot": record.slot if record is not None else None,
                "duration_ms": (record.end_ns - record.start_ns) / _MS if record is not None else 0.0,
                "digests": digests_json(verdict.digests if verdict is not None else None),
                "checks": [check_json(check) for check in verdict.checks] if verdict is not None else [],
                "trouble": _trouble(record.trouble if record is not None else None),
            }
        )
    return found


def _names(pair: Pair) -> list[str]:
    judged = [s.name for i in pair.verdict.iterations for s in i.scenarios] if pair.verdict is not None else []
    return list(dict.fromkeys([*judged, *(scenario.name for _, scenario in pair.scenarios())]))


def _scenario(pair: Pair, name: str) -> dict[str, Json]:
    verdicts: tuple[IterationVerdict, ...] = pair.verdict.iterations if pair.verdict is not None else ()
    judged = {v.index: s for v in verdicts for s in v.scenarios if s.name == name}
    records = {index: s for index, s in pair.scenarios() if s.name == name}
    return {
        "name": name,
        "iterations": [_turn(index, judged.get(index), records.get(index)) for index in sorted({*judged, *records})],
    }


def _property(found: PropertyRecord | None) -> Json:
    if found is None:
        return None
    return {
        "example": found.example,
        "broken": found.broken,
        "tried": found.tried,
        "shrunk_out": found.shrunk_out,
    }


def _turn(index: int, verdict: ScenarioVerdict | None, record: ScenarioRecord | None) -> dict[str, Json]:
    """One scenario in one iteration."""
    checks = verdict.checks if verdict is not None else ()
    findings = verdict.findings if verdict is not None else ()
    outcome: Json = verdict.outcome if verdict is not None else record.outcome if record is not None else "error"
    return {
        "iteration": index + 1,
        "outcome": outcome,
        "findings": [finding_json(finding) for finding in findings],
        "checks": [check_json(check) for check in checks],
        "steps": [_step(step) for step in record.steps] if record is not None else [],
        "faults": [_fault(fault) for fault in record.faults] if record is not None else [],
        "steady_state": [_steady(steady) for steady in record.steady] if record is not None else [],
        "snapshots": [{"id": s.id, **_answer(s.answer)} for s in record.snapshots] if record is not None else [],
        "services": [_service(service) for service in record.services] if record is not None else [],
        **(figures_json(record) if record is not None else {"figures": [], "unavailability": []}),
        "property": _property(record.property if record is not None else None),
        "egress": [drop_json(drop) for drop in record.egress] if record is not None else [],
        "cleanup": cleanup_json(record.cleanup) if record is not None else None,
        "late": record.late if record is not None else 0,
        "requests": len(record.payloads) if record is not None else 0,
        "trace_id": record.trace_id if record is not None else "",
        "duration_ms": (record.end_ns - record.start_ns) / _MS if record is not None else 0.0,
        "timings": dict(record.timings) if record is not None else {},
        "trouble": _trouble(record.trouble if record is not None else None),
    }


def _trouble(trouble: Trouble | None) -> Json:
    if trouble is None:
        return None
    return {
        "exit_code": trouble.exit_code,
        "message": trouble.message,
        "remedy": trouble.remedy,
        **position_json(trouble.at),
    }


def _step(step: StepRecord) -> dict[str, Json]:
    return {
        "name": step.name,
        "type": step.type,
        "service": step.service,
        "outcome": step.outcome,
        "reason": step.reason,
        "error_type": step.error_type,
        "exit_code": step.exit_code,
        "status": step.status,
        "optional": step.optional,
        "duration_ms": (step.end_ns - step.start_ns) / _MS,
        "stdout": step.stdout,
        "stderr": step.stderr,
        **position_json(step.at),
    }


def _fault(fault: FaultRecord) -> dict[str, Json]:
    start, end = fault.window
    recovery = fault.recovery
    return {
        "id": fault.id,
        "fault": fault.kind,
        "occurrence": fault.occurrence,
        **({"within": fault.within} if fault.within else {}),
        **({"trigger": fault.trigger} if fault.trigger else {}),
        "target": list(fault.targets),
        "parameters": dict(fault.parameters),
        "backend": fault.backend,
        "drawn": fault.drawn,
        "injected": fault.injected,
        "verified": fault.verified,
        "reverted": fault.reverted,
        "evidence": dict(fault.evidence),
        "reversal": dict(fault.reversal),
        "reason": fault.reason,
        "window": {"start_ns": str(start), "end_ns": str(end)},
        "recovery": None
        if recovery is None
        else {
            "strategy": recovery.strategy,
            "duration_ms": recovery.duration_ns / _MS,
            "success": recovery.success,
        },
        **position_json(fault.at),
    }


def _steady(steady: SteadyRecord) -> dict[str, Json]:
    return {
        "phase": steady.phase,
        "rounds": steady.rounds,
        "failed_rounds": steady.failed_rounds,
        "duration_ms": (steady.end_ns - steady.start_ns) / _MS,
        "probes": [_answer(answer) for answer in steady.answers],
    }


def _answer(answer: Answer) -> dict[str, Json]:
    return {
        "question": answer.question,
        "ok": answer.ok,
        "optional": answer.optional,
        "value": _value(answer),
        "why": answer.why,
        "error_type": answer.error_type,
        "asked_ns": str(answer.asked_ns),
        **position_json(answer.at),
    }


def _value(answer: Answer) -> str:
    """Return the value as JSON, shortened; of rows only how many there are."""
    if answer.rows is not None:
        return f"{len(answer.rows)} rows"
    return one_line(json.dumps(answer.value, ensure_ascii=False, sort_keys=True), 400)


def _service(service: ServiceRecord) -> dict[str, Json]:
    return {
        "name": service.name,
        "image": service.image,
        "address": service.address,
        "ready_ms": service.ready_ms,
        "exit_code": service.exit_code,
        "oom_killed": service.oom_killed,
        "log_truncated": service.log_truncated,
        "resources": resources_json(service.resources),
        "clock": clock_json(service.clock),
        "surroundings": dict(service.surroundings),
    }


def _inventory(inventory: Inventory) -> dict[str, Json]:
    return {
        "containers": list(inventory.containers),
        "networks": list(inventory.networks),
        "volumes": list(inventory.volumes),
    }
