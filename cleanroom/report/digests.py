"""`digests.json` and `SHA256SUMS`: what identifies a run, and what the report's own files are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cleanroom.canonical import Json
from cleanroom.report.json_report import dump
from cleanroom.report.json_suite import digests_json
from cleanroom.report.model import RunReport

SCHEMA = "cleanroom.digests/1"
SUMS = "SHA256SUMS"


def render_digests(report: RunReport) -> str:
    """Return `digests.json`: the run's digest and, for each suite and iteration, the three parts it is made of."""
    suites: list[Json] = []
    for pair in report.pairs:
        plan = pair.record.plan if pair.record is not None else None
        verdicts = pair.verdict.iterations if pair.verdict is not None else ()
        suites.append(
            {
                "name": pair.name,
                "file": pair.file,
                "seed": str(plan.seed) if plan is not None else None,
                "schedule_digest": plan.schedule_digest if plan is not None else "",
                "plan_digest": plan.plan_digest if plan is not None else "",
                "digest": pair.verdict.digest if pair.verdict is not None else "",
                "iterations": [{"iteration": v.index + 1, "digests": digests_json(v.digests)} for v in verdicts],
            }
        )
    return dump(
        {
            "schema": SCHEMA,
            "version": report.version,
            "verdict": report.verdict.verdict,
            "digest": report.verdict.digest,
            "schedule_digest": report.schedule_digest,
            "suites": suites,
        }
    )


def render_sums(files: Mapping[str, bytes]) -> str:
    """Return the lines that `sha256sum -c` reads, in order of name; names hold neither newline nor backslash."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
