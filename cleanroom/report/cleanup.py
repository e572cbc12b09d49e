"""`cleanup.json`: what the run made, what it took away, and that nothing is left."""

from __future__ import annotations

from cleanroom.canonical import Json
from cleanroom.report.json_report import dump
from cleanroom.report.json_suite import cleanup_json
from cleanroom.report.model import RunReport

SCHEMA = "cleanroom.cleanup/1"


def render_cleanup(report: RunReport) -> str:
    """Return `cleanup.json`: the whole run's inventory and each environment's."""
    environments: list[Json] = [
        {"suite": pair.name, "iteration": index + 1, "scenario": scenario.name, **cleanup_json(scenario.cleanup)}
        for pair in report.pairs
        for index, scenario in pair.scenarios()
    ]
    return dump({"schema": SCHEMA, "run": cleanup_json(report.session.cleanup), "environments": environments})
