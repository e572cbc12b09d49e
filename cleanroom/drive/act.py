"""Carries out one action that asks the system under test something (spec.md section 4)."""

from __future__ import annotations

from cleanroom.drive.execute import run_exec
from cleanroom.drive.http import run_http
from cleanroom.drive.oneshot import run_oneshot
from cleanroom.drive.reach import Limits, Reach
from cleanroom.drive.redis import run_redis
from cleanroom.drive.result import ActionResult
from cleanroom.drive.sql.run import run_sql
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
            return run_sql(reach, action, limits, context)
        case RedisAction():
            return run_redis(reach, action, limits)
