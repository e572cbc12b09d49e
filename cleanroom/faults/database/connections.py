"""`database.exhaust_connections(leave)`: connections of ours until the server has no more to give but `leave`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cleanroom.canonical import Json
from cleanroom.clock import Deadline
from cleanroom.drive.sql.values import Row
from cleanroom.errors import EngineError
from cleanroom.faults.base import Evidence, FaultContext
from cleanroom.faults.database.session import Database, Session, SqlRefusedError
from cleanroom.plan.model import FaultEvent
from cleanroom.spec.query import Dialect

FULL: Final = ("sql:53300", "sql:1040", "sql:1203")
_MOST: Final = 5000
_REAPED: Final = 5.0
_PAUSE: Final = 0.05
_FILLED: Final = 3.0
# How many clients there are, and how many there can be without those that are kept for administrators.
_USED: Final[Mapping[Dialect, str]] = MappingProxyType({
    "postgresql": "select coalesce(sum(numbackends), 0)::bigint from pg_stat_database",
    "mysql": "show global status like 'Threads_connected'",
})  # fmt: skip
_MAXIMUM: Final[Mapping[Dialect, str]] = MappingProxyType({
    "postgresql": "select current_setting('max_connections')::bigint"
    " - current_setting('superuser_reserved_connections')::bigint"
    " - coalesce(current_setting('reserved_connections', true)::bigint, 0)",
    "mysql": "select @@max_connections",
})  # fmt: skip


class HeldConnections:
    """The connections to one server."""

    def __init__(self, event: FaultEvent, context: FaultContext, target: str) -> None:
        self.target = target
        self._database = Database(context, target)
        self._clock = context.clock
        self._leave = int(str(event.parameters["leave"]))
        self._held: list[Session] = []
        self._most = 0
        """How many connections there were to be had."""
        self._used = 0
        """How many clients there were when no more got in."""
        self._refused_by = ""
        self._lapsed = ""

    def inject(self) -> None:
        """Hold what can be had, and give `leave` back; raises `EngineError` where there is no end to it."""
        for _ in range(_MOST):
            try:
                self._held.append(self._database.open())
            except SqlRefusedError as err:
                if err.error_type not in FULL:
                    raise
                self._refused_by = err.error_type
                break
        else:
            raise EngineError(f"{self.target} still let a fault in after {_MOST} connections")
        self._most = len(self._held)
        if self._most < self._leave:
            self.revert()
            raise EngineError(f"{self.target} has {self._most} connections to give, and {self._leave} are to be left")
        self._require_full()
        for _ in range(self._leave):
            self._held.pop().close()

    def _require_full(self) -> None:
        """Raise `EngineError` where others still get in: a user or a database may have a limit of its own."""
        if not self._held:
            return
        session, dialect = self._held[-1], self._database.dialect
        most = _number(session.ask(_MAXIMUM[dialect]))
        deadline = Deadline.after(self._clock, _FILLED)
        # Who is just logging in has a connection, and is not counted yet.
        while (used := _number(session.ask(_USED[dialect]))) < most:
            if deadline.expired():
                raise EngineError(
                    f"{self.target} refused one more at {used} of {most} connections: that is a limit of the user's or "
                    "the database's own, and others still get in"
                )
            self._clock.sleep(_PAUSE)
        self._used = used

    def verify(self) -> Evidence:
        """Hold when the server refuses one more than `leave` further connections, for want of connections."""
        facts: dict[str, Json] = {"held": len(self._held), "refused_by": self._refused_by, "left": self._leave}
        found, why = self._free(self._leave + 1)
        self._settle()
        facts["free"] = found
        holds = bool(self._held) and not why and found <= self._leave
        reason = why or ("" if holds else f"{found} further connections were let in, and {self._leave} were to be left")
        return Evidence(holds=holds, facts=facts, reason=reason)

    def _settle(self) -> None:
        """Wait until the server has seen that those have gone whom we tried: what is left is the clients'."""
        if not self._held:
            return
        deadline = Deadline.after(self._clock, _REAPED)
        while _number(self._held[-1].ask(_USED[self._database.dialect])) > self._used - self._leave:
            if deadline.expired():
                return
            self._clock.sleep(_PAUSE)

    def _free(self, most: int) -> tuple[int, str]:
        """Return how many further connections are let in, up to `most`; and what else went wrong."""
        further: list[Session] = []
        try:
            for _ in range(most):
                further.append(self._database.open())  # noqa: PERF401 - those before the refusal are closed below
        except SqlRefusedError as err:
            return len(further), "" if err.error_type in FULL else err.message
        finally:
            for session in further:
                session.close()
        return len(further), ""

    def revert(self) -> None:
        """Give all of them back."""
        held, self._held = self._held, []
        lost = 0
        for session in held:
            try:
                session.id()
            except EngineError:
                lost += 1
            with contextlib.suppress(EngineError):
                session.close()
        if lost:
            self._lapsed = f"{lost} of {len(held)} held connections were lost meanwhile"

    def verify_reversal(self) -> Evidence:
        """Hold when one more than `leave` connections are let in again, or all that there were."""
        wanted = min(self._leave + 1, self._most)
        deadline = Deadline.after(self._clock, _REAPED)
        found, why = self._free(wanted)
        # The server takes a moment to see that clients have gone.
        while found < wanted and not why and not deadline.expired():
            self._clock.sleep(_PAUSE)
            found, why = self._free(wanted)
        reason = "" if found >= wanted else why or "the server still has no more connections to give"
        return Evidence(holds=not reason, facts={"free_after": found}, reason=reason, lapsed=self._lapsed)


def _number(rows: tuple[Row, ...]) -> int:
    """Return the last value of the first row: MySQL says what it counts before it."""
    return int(str([*rows[0].values()][-1]))
