"""A connection to a database that a fault works with: as the spec itself gets in, each wait bounded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from types import MappingProxyType

from cleanroom.canonical import Json
from cleanroom.clock import Deadline
from cleanroom.drive.sql.answer import Answer, Connection, RefusedError
from cleanroom.drive.sql.connect import connect_to
from cleanroom.drive.sql.placeholders import Bound
from cleanroom.drive.sql.values import Row
from cleanroom.errors import EngineError
from cleanroom.faults.base import FaultContext
from cleanroom.spec.query import Dialect, Parameter, SqlAction

PATIENCE = 10.0
# A server hears of the end of a connection when it next looks.
_REAPED = 5.0
_PAUSE = 0.05
_SESSIONS: Mapping[Dialect, str] = MappingProxyType({
    "postgresql": "select pid as id, query from pg_stat_activity "
    "where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid",
    "mysql": "select id, info as query from information_schema.processlist "
    "where id <> connection_id() and command not in ('Daemon', 'Binlog Dump', 'Slave_IO', 'Slave_SQL') order by id",
})  # fmt: skip
_OWN_ID: Mapping[Dialect, str] = MappingProxyType({
    "postgresql": "select pg_backend_pid()", "mysql": "select connection_id()",
})  # fmt: skip


class SqlRefusedError(EngineError):
    """The server said no; `error_type` is one of spec.md section 4, e.g. `sql:53300`."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Database:
    """One server as the fault's context reaches it."""

    def __init__(self, context: FaultContext, service: str, action: SqlAction | None = None) -> None:
        """Take the way in that the spec names, or `action`; raises `CapabilityError` where there is none."""
        self.service = service
        self.action = action or context.access.sql_of(service)
        self._context = context

    @property
    def dialect(self) -> Dialect:
        """PostgreSQL or MySQL."""
        return self.action.dialect

    def open(self) -> Session:
        """Return a new connection; raises `SqlRefusedError`."""
        reach = self._context.reach()
        address = reach.containers[self.service].address
        try:
            connection = connect_to(address, self.action, time.monotonic() + PATIENCE, reach.stop)
        except RefusedError as err:
            raise SqlRefusedError(err.error_type, f"{self.service} did not let a fault in: {err.message}") from err
        return Session(connection, self.service, self.dialect)

    def ask(self, statement: str, *values: Parameter) -> tuple[Row, ...]:
        """Return the rows of one statement on a connection of its own; raises `SqlRefusedError`."""
        with contextlib.closing(self.open()) as session:
            return session.ask(statement, *values)

    def one(self, statement: str, *values: Parameter) -> Json:
        """Return the first value of the first row, None where there is none; raises `SqlRefusedError`."""
        with contextlib.closing(self.open()) as session:
            return session.one(statement, *values)

    def sessions(self) -> dict[int, str]:
        """Return the sessions of clients, id → last statement, without the one that asks; raises `SqlRefusedError`."""
        rows = self.ask(_SESSIONS[self.dialect])
        return {int(str(row["id"])): str(row["query"] or "") for row in rows}

    def gone(self, *ids: int) -> bool:
        """Whether none of these sessions is there any more, or soon is not; raises `SqlRefusedError`."""
        deadline = Deadline.after(self._context.clock, _REAPED)
        while not (gone := self.sessions().keys().isdisjoint(ids)) and not deadline.expired():
            self._context.clock.sleep(_PAUSE)
        return gone


class Session:
    """An open connection."""

    def __init__(self, connection: Connection, service: str, dialect: Dialect) -> None:
        self._connection = connection
        self._service = service
        self._dialect: Dialect = dialect

    def ask(self, statement: str, *values: Parameter, patience: float = PATIENCE) -> tuple[Row, ...]:
        """Return the rows of one statement, in `patience` seconds at most; raises `SqlRefusedError`."""
        self._connection.until(time.monotonic() + patience)
        answer: Answer = self._connection.execute(Bound(statement, values))
        if answer.error_type:
            raise SqlRefusedError(answer.error_type, f"{self._service}: {answer.message}")
        return answer.rows

    def one(self, statement: str, *values: Parameter, patience: float = PATIENCE) -> Json:
        """Return the first value of the first row, None where there is none; raises `SqlRefusedError`."""
        rows = self.ask(statement, *values, patience=patience)
        return next(iter(rows[0].values()), None) if rows else None

    def id(self) -> int:
        """Return the number by which the server knows this connection; raises `SqlRefusedError`."""
        return int(str(self.one(_OWN_ID[self._dialect])))

    def close(self) -> None:
        """End it."""
        self._connection.until(time.monotonic() + PATIENCE)
        self._connection.close()
