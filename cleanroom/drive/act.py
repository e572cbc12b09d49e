"""Carries out one action that asks the system under test something (spec.md section 4)."""

from __future__ import annotations

from cleanroom.drive.execute import run_exec
from cleanroom.drive.http import run_http
from cleanroom.drive.oneshot import run_oneshot
from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.result import ActionResult
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.step import RunAction


def carry_out(
    reach: Reach, action: ExecAction | RunAction | HttpAction | SqlAction | RedisAction, limits: Limits, context: str
) -> ActionResult:
    """Do it within `limits`, as part of the trace that `context` (a W3C `traceparent`) names; never raises."""
    match action:
        case ExecAction():
            return run_exec(reach, action, limits, context)
        case HttpAction():
            return run_http(reach, action, limits, context)
        case RunAction():
            return run_oneshot(reach, action, limits, context)
        case SqlAction():
            return _unavailable("sql")
        case RedisAction():
            return _unavailable("redis")


def _unavailable(name: str) -> ActionResult:
    # The suite is refused before anything starts; a step must never pass because nobody carries it out.
    return ActionResult(error_type="engine", message=f"{name} cannot be carried out yet")
