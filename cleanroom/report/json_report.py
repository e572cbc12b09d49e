"""`report.json`: everything that was found, for programs; its schema is docs/report.schema.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from cleanroom.canonical import Json
from cleanroom.network.ports import Proof
from cleanroom.report.egress import Attempt, attempts
from cleanroom.report.json_suite import cleanup_json, position_json, suite_json
from cleanroom.report.model import COUNTS, RunReport
from cleanroom.run.skipped import Skipped
from cleanroom.spec.source import Problem
from cleanroom.text import clean
from cleanroom.validate.model import Gate

SCHEMA = "cleanroom.report/1"
_MS = 10**6


def report_json(report: RunReport) -> dict[str, Json]:
    """Return the whole report as JSON: finite numbers and clean text only, seeds as decimal strings."""
    session, verdict = report.session, report.verdict
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "version": report.version,
        "verdict": verdict.verdict,
        "exit_code": int(verdict.exit_code),
        "empty": report.empty,
        "interrupted": session.interrupted,
        "counts": {name: verdict.counts.get(name, 0) for name in COUNTS},
        "reasons": list(verdict.reasons),
        "gates": [_gate(gate) for gate in verdict.gates],
        "skipped": [_skipped(skipped) for skipped in session.skipped],
        "seed": None if report.seed is None else str(report.seed),
        "schedule_digest": report.schedule_digest,
        "digest": verdict.digest,
        "repro": report.repro,
        "started_ns": str(report.started_ns),
        "ended_ns": str(report.ended_ns),
        "duration_ms": (report.ended_ns - report.started_ns) / _MS,
        "trouble": [
            {
                "where": place.where,
                "exit_code": place.trouble.exit_code,
                "message": place.trouble.message,
                "remedy": place.trouble.remedy,
                **position_json(place.trouble.at),
            }
            for place in report.troubles
        ],
        "problems": [_problem(problem) for problem in report.problems],
        "suites": [suite_json(pair) for pair in report.pairs],
        "isolation": {"proof": _proof(session.proof), "egress": [_attempt(attempt) for attempt in attempts(report)]},
        "cleanup": cleanup_json(session.cleanup),
        "engine": {
            "mode": session.engine_mode,
            "version": session.engine_version,
            "privileges": session.privileges,
            "image_cache": session.image_cache,
        },
        "timings": dict(session.timings),
    }
    return {key: _safe(value) for key, value in document.items()}


def render_json(report: RunReport) -> str:
    """Return `report.json` as text, indented, with a final newline."""
    return dump(report_json(report))


def dump(value: Json) -> str:
    """Return indented JSON with a final newline; floats that JSON cannot hold become text, text is cleaned."""
    return json.dumps(_safe(value), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _safe(value: Json) -> Json:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    return value


def _problem(problem: Problem) -> dict[str, Json]:
    return {
        "code": problem.code,
        "message": problem.message,
        "expected": problem.expected,
        "got": problem.got,
        "suggestion": problem.suggestion,
        "excerpt": problem.excerpt,
        **position_json(problem.at),
    }


def _gate(gate: Gate) -> dict[str, Json]:
    return {
        "name": gate.name,
        "tag": gate.tag,
        "wanted": gate.wanted,
        "state": gate.state,
        "passed": gate.passed,
        "failed": gate.failed,
        "not_judged": gate.not_judged,
        "known": gate.known,
    }


def _skipped(skipped: Skipped) -> dict[str, Json]:
    return {
        "suite": skipped.suite,
        "file": skipped.file,
        "scenarios": [scenario.name for scenario in skipped.scenarios],
        "kind": skipped.kind,
        "why": skipped.why,
        "required": skipped.required,
    }


def _proof(proof: Proof | None) -> Json:
    if proof is None:
        return None
    return {
        "ways_out": proof.ways_out,
        "dropped": proof.dropped,
        "vectors": [
            {
                "protocol": vector.protocol,
                "destination": vector.destination,
                "port": vector.port,
                "open": vector.open,
                "detail": vector.detail,
            }
            for vector in proof.vectors
        ],
    }


def _attempt(attempt: Attempt) -> dict[str, Json]:
    return {
        "suite": attempt.suite,
        "service": attempt.service,
        "destination": attempt.destination,
        "protocol": attempt.protocol,
        "port": attempt.port,
        "via": attempt.via,
        "name": attempt.name,
        "count": attempt.count,
    }
