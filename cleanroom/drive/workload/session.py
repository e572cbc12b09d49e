"""A worker's connections: HTTP, SQL and Redis, kept from one operation to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from cleanroom.drive.reach import Limits
from cleanroom.drive.result import ActionResult
from cleanroom.drive.sql.connect import load
from cleanroom.drive.workload.http_session import HttpSession
from cleanroom.drive.workload.redis_session import RedisSession
from cleanroom.drive.workload.sql_session import SqlSession
from cleanroom.spec.query import ExecAction, HttpAction, RedisAction, SqlAction
from cleanroom.spec.step import RunAction

if TYPE_CHECKING:
    from cleanroom.drive.reach import Reach
    from cleanroom.spec.step import Step


def needs_engine(step: Step) -> bool:
    """Whether the step can only be carried out by the run's own process."""
    match step.action:
        case HttpAction(url=url):
            return bool(url)
        case SqlAction(file=file, sessions=sessions):
            return bool(file or sessions)
        case RedisAction():
            return False
        case _:
            return True


def load_for(steps: Iterable[Step]) -> None:
    """Load what the steps' sessions need: no operation, and no session that is opened, waits for it."""
    for dialect in {step.action.dialect for step in steps if isinstance(step.action, SqlAction)}:
        load(dialect)


class KeptSession:
    """The connections of one worker; `reach` (absent in a driver process) is for what needs the engine."""

    def __init__(self, addresses: Mapping[str, str], reach: Reach | None = None) -> None:
        self._reach = reach
        self._http = HttpSession(addresses)
        self._sql = SqlSession(addresses)
        self._redis = RedisSession(addresses)

    def open(self, step: Step) -> None:
        """Connect to where the step goes; what fails is left to its first operation. Never raises."""
        if needs_engine(step):
            return
        with suppress(Exception):  # whatever it is, the first operation meets it again and tells
            match step.action:
                case HttpAction() as action:
                    self._http.open(action, Limits(timeout=step.timeout))
                case SqlAction() as action:
                    self._sql.open(action, Limits(timeout=step.timeout))
                case RedisAction() as action:
                    self._redis.open(action, Limits(timeout=step.timeout))

    def perform(self, step: Step, limits: Limits, context: str) -> ActionResult:
        """Carry out its action; never raises."""
        action = step.action
        if needs_engine(step):
            if self._reach is None or not isinstance(
                action, ExecAction | RunAction | HttpAction | SqlAction | RedisAction
            ):
                return ActionResult(error_type="engine", message="a driver process cannot carry this out")
            from cleanroom.drive.act import carry_out  # noqa: PLC0415 - no driver process ever comes here

            return carry_out(self._reach, action, limits, context)
        match action:
            case HttpAction():
                return self._http.perform(action, limits, context)
            case SqlAction():
                return self._sql.perform(action, limits, context)
            case RedisAction():
                return self._redis.perform(action, limits)
            case _:
                return ActionResult(error_type="engine", message="no operation of a workload")

    def close(self) -> None:
        """End the connections."""
        for session in (self._http, self._sql, self._redis):
            with suppress(Exception):
                session.close()
